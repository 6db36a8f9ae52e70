/** Which nodes a room's owner skips. */
import { expect, test } from 'vitest'
import type { ExtensionHost, RoomView } from '../../src/extension/api.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import { message } from '../../src/xmpp/stanza.ts'
import { Distribution } from './distribution.ts'

const ROOM = { jid: Jid.parse('coven@conference.localhost') } as RoomView
const SAID = message('groupchat', { from: Jid.parse('coven@conference.localhost/firstwitch') })

interface OneOfMany {
  readonly distribution: Distribution
  readonly asked: PromiseWithResolvers<string>[]
  /** The other nodes. */
  readonly nodes: string[]
}

/** One of two nodes, and what it has asked the other. */
function distribution (): OneOfMany {
  const asked: PromiseWithResolvers<string>[] = []
  const nodes = ['other']
  const cluster = {
    nodes,
    answer () {},
    ask () {
      const answer = Promise.withResolvers<string>()
      asked.push(answer)
      return answer.promise
    },
  }
  return { distribution: new Distribution({ cluster } as unknown as ExtensionHost), asked, nodes }
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

test('nothing is remembered of a node without members of a room once that node is gone', async () => {
  const { distribution: one, asked, nodes } = distribution()

  one.send(ROOM, SAID, undefined)
  asked[0]?.resolve('0')
  await asked[0]?.promise
  nodes.splice(0, 1, 'third')
  one.send(ROOM, SAID, undefined)
  nodes.splice(0, 1, 'other')
  one.send(ROOM, SAID, undefined)

  expect(asked).toHaveLength(3)
})
