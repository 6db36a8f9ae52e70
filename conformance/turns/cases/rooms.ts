/** Rooms at their limits. */
import { enter, many } from '../setting.ts'
import type { Case } from '../setting.ts'

const ADMIN = 'http://jabber.org/protocol/muc#admin'

export const rooms: readonly Case[] = [
  {
    name: 'a message of 62 000 elements to a room of 61',
    async prepare (setting) {
      const [owner, ...others] = await setting.crowd('a', 61)
      if (!owner) return async () => {}
      const room = await setting.room(owner, 'room')
      for (const [number, client] of others.entries()) await enter(client, room, `n${number}`)
      return async () => {
        owner.send(`<message type='groupchat' to='${room}'><body>1</body>${many(() => '<a/>')}</message>`)
        await owner.ping()
      }
    },
  },
  {
    name: 'a list of 1 000 members of internationalised domains',
    async prepare (setting) {
      const owner = await setting.client('a')
      const room = await setting.room(owner, 'room')
      return async round => {
        const items = many(number => `<item affiliation='member' jid='u@ü${round}x${number}.example'/>`, undefined, 1000)
        await owner.ask('set', `<query xmlns='${ADMIN}'>${items}</query>`, room)
      }
    },
  },
]
