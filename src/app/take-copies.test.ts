/** A stanza for many accounts of a node, as another node sends it. */
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { killNode, eventually, redisNode } from '../../test/support/cluster/redis-bus-node.ts'
import { hasRedis, startRedis } from '../../test/support/redis/redis.ts'
import type { TestRedis } from '../../test/support/redis/redis.ts'
import { Jid } from '../xmpp/jid.ts'
import { message } from '../xmpp/stanza.ts'
import { takeCopies } from './cluster-handlers.ts'

const STANZA = message('groupchat', { from: Jid.parse('coven@conference.localhost/firstwitch') })

describe.skipIf(!hasRedis())('a stanza for many accounts of another node', () => {
  let server: TestRedis

  beforeAll(async () => { server = await startRedis() })
  afterAll(() => server.stop())

  test('is taken in many turns of the event loop, and what was sent later overtakes none of its copies', async () => {
    const [a, b] = [await redisNode(server.url, 'a'), await redisNode(server.url, 'b')]
    onTestFinished(() => { for (const node of [a, b]) killNode(node) })
    const accounts = Array.from({ length: 30 }, (_, index) => `juliet${index}@localhost`)
    const taken: string[] = []
    /** A millisecond of work each; every third account has moved. */
    const routeHere = (to: Jid | undefined): boolean => {
      const until = performance.now() + 1
      while (performance.now() < until);
      return taken.push(String(to)) % 3 !== 0
    }
    b.bus.answer('multicast', (from, { to }) =>
      takeCopies({ routeHere: stanza => routeHere(stanza.to) }, pino({ level: 'silent' }), from, to, STANZA))
    b.bus.hear('stream.element', (_from, { stream }) => { taken.push(stream) })
    a.bus.open()
    b.bus.open()
    await eventually(() => { expect(a.membership.isAlive(b.bus.id)).toBe(true) })
    let turns = 0
    const count = (): void => {
      if (taken.length > 0) turns++
      if (taken.length <= accounts.length) setImmediate(count)
    }
    count()

    const answered = a.bus.ask(b.bus.id, 'multicast', { to: accounts })
    a.bus.tell(b.bus.id, 'stream.element', { stream: 'later' })

    const { moved } = await answered
    await eventually(() => { expect(taken).toEqual([...accounts, 'later']) })
    expect(moved).toEqual(accounts.flatMap((_, index) => index % 3 === 2 ? [index] : []))
    expect(turns).toBeGreaterThanOrEqual(4)
  })
})
