/** Which nodes a room's owner skips. */
import { expect, test } from 'vitest'
import type { ExtensionHost, RoomView } from '../../src/extension/api.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { message } from '../../src/xmpp/stanza.ts'
import { Distribution } from './distribution.ts'

const ROOM = { jid: Jid.parse('coven@conference.localhost') } as RoomView
const SAID = message('groupchat', { from: Jid.parse('coven@conference.localhost/firstwitch') })

/** One of two nodes, and what it has asked the other. */
function distribution (): { readonly distribution: Distribution, readonly asked: PromiseWithResolvers<string>[] } {
  const asked: PromiseWithResolvers<string>[] = []
  const cluster = {
    nodes: ['other'],
    answer () {},
    ask () {
      const answer = Promise.withResolvers<string>()
      asked.push(answer)
      return answer.promise
    },
  }
  return { distribution: new Distribution({ cluster } as unknown as ExtensionHost), asked }
}

test('a node without members of a room is asked no more', async () => {
  const { distribution: one, asked } = distribution()

  one.send(ROOM, SAID, undefined)
  asked[0]?.resolve('0')
  await asked[0]?.promise
  one.send(ROOM, SAID, undefined)

  expect(asked).toHaveLength(1)
})

test('a node without members of a room is asked again when the room is back, even if it answered after that had gone', async () => {
  const { distribution: one, asked } = distribution()

  one.send(ROOM, SAID, undefined)
  one.forget(ROOM.jid)
  asked[0]?.resolve('0')
  await asked[0]?.promise
  one.send(ROOM, SAID, undefined)

  expect(asked).toHaveLength(2)
})
