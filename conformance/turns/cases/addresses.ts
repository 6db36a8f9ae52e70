/** Addresses of internationalised domains, which have to be prepared (RFC 7622), as many as a stanza holds. */
import { many } from '../setting.ts'
import type { Case } from '../setting.ts'

export const addresses: readonly Case[] = [
  {
    name: 'an unblock of 12 000 internationalised addresses',
    async prepare (setting) {
      const client = await setting.client('a')
      return async round => {
        await client.ask('set', `<unblock xmlns='urn:xmpp:blocking'>${many(number => `<item jid='ü${round}x${number}.e'/>`)}</unblock>`)
      }
    },
  },
  {
    name: 'a message with 4 500 stanza-ids by internationalised addresses',
    async prepare (setting) {
      const client = await setting.client('a')
      return async round => {
        const ids = many(number => `<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='ü${round}x${number}.e'/>`)
        client.send(`<message type='chat' to='${setting.jid('a')}'><body>1</body>${ids}</message>`)
        await client.ping()
      }
    },
  },
]
