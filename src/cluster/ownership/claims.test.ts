/** Who is an account's home, as the nodes of a cluster settle it in Redis. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { pino } from 'pino'
import { Account } from '../../session/account.ts'
import { hasRedis, startRedis } from '../../../test/support/redis/redis.ts'
import type { TestRedis } from '../../../test/support/redis/redis.ts'
import { eventually, killNode, redisNode } from '../../../test/support/cluster/redis-bus-node.ts'
import type { RedisNode } from '../../../test/support/cluster/redis-bus-node.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import { RedisRecords } from '../state/session-records.ts'
import { RedisHomes } from './redis-homes.ts'
import { WriteBarrier } from '../../net/write-barrier.ts'

const log = pino({ level: 'silent' })
const ROMEO = 'romeo@localhost'
const NURSE = 'nurse@localhost'

interface Member extends RedisNode { readonly homes: RedisHomes }

describe.skipIf(!hasRedis())('homes', () => {
  let server: TestRedis
  const nodes: RedisNode[] = []

  beforeAll(async () => { server = await startRedis() })
  beforeEach(async () => { await server.restartEmpty() })
  afterEach(() => { for (const node of nodes.splice(0)) killNode(node) })
  afterAll(() => server.stop())

  async function start (name: string): Promise<Member> {
    const node = await redisNode(server.url, name)
    nodes.push(node)
    const { redis, bus, membership } = node
    bus.open()
    const barrier = new WriteBarrier(log)
    return { ...node, homes: new RedisHomes({ redis: redis.commands, bus, membership, barrier, log }) }
  }

  async function pair (): Promise<readonly [Member, Member]> {
    const [a, b] = [await start('a'), await start('b')]
    await eventually(() => { expect(a.membership.isAlive(b.bus.id)).toBe(true) })
    return [a, b]
  }

  test('an account is at home where it is claimed first, and everybody finds it there', async () => {
    const [a, b] = await pair()

    expect(await a.homes.claim(ROMEO)).toEqual({})
    expect(await a.homes.claim(ROMEO)).toEqual({})
    expect(await b.homes.claim(ROMEO)).toEqual({ node: a.bus.id })
    expect(await b.homes.find(ROMEO)).toEqual({ node: a.bus.id })
    expect(await a.homes.find(ROMEO)).toEqual({ hasOrphanedState: false })
    expect([a.homes.elsewhere(ROMEO), b.homes.elsewhere(ROMEO)]).toEqual([undefined, a.bus.id])
  })

  test('of many that claim at once one becomes home', async () => {
    const members = [...await pair(), await start('c')]

    const claims = await Promise.all(members.flatMap(({ homes }) => [homes.claim(ROMEO), homes.claim(ROMEO)]))

    expect(claims.filter(({ node }) => node === undefined)).toHaveLength(2)
    expect(new Set(claims.map(({ node }) => node)).size).toBe(2)
  })

  test('the claim of a node that is gone is void, and whoever comes next hears who it was', async () => {
    const [a, b] = await pair()
    await a.homes.claim(ROMEO)
    await a.membership.leave()

    expect(await b.homes.find(ROMEO)).toEqual({ hasOrphanedState: false })
    expect(await b.homes.claim(ROMEO)).toEqual({ before: { node: a.bus.id, isInOrder: false } })
  })

  test('who was home stays known until what it left is taken up, however many nodes die on that', async () => {
    const [a, b] = await pair()
    const c = await start('c')
    await a.homes.claim(ROMEO)
    const before = { node: a.bus.id, isInOrder: true }
    a.homes.release(ROMEO, true)
    await b.homes.claim(ROMEO)
    expect(await b.homes.claim(ROMEO)).toEqual({ before })
    await b.membership.leave()

    expect(await c.homes.claim(ROMEO)).toEqual({ before })
    const records = new RedisRecords({
      redis: c.redis.journal,
      id: () => c.homes.incarnation,
      membership: c.membership,
      barrier: new WriteBarrier(log),
      log,
    })
    await records.takeOver(before, ROMEO)
    await records.save(new Account(Jid.parse(ROMEO)))

    expect(await c.homes.claim(ROMEO)).toEqual({})
  })

  test('a claim of which nothing came is as if it had not been when its node leaves', async () => {
    const [a, b] = await pair()
    const before = { node: a.bus.id, isInOrder: true }
    await a.homes.claim(ROMEO)
    a.homes.release(ROMEO, true)
    await a.homes.claim(ROMEO)

    a.homes.leave()
    await a.homes.claim(ROMEO)

    expect(await b.homes.claim(ROMEO)).toEqual({ before })
  })

  test('that a dead node has left sessions is found without a claim', async () => {
    const [a, b] = await pair()
    await a.homes.claim(ROMEO)
    await a.redis.commands.hset(`hg:records:${a.bus.id}`, ROMEO, '{}')
    await a.membership.leave()

    expect(await b.homes.find(ROMEO)).toEqual({ hasOrphanedState: true })
    expect(await b.homes.claim(ROMEO)).toHaveProperty('before')
  })

  test('an account that was released is nobody\'s, or waits in order for whoever comes', async () => {
    const [a, b] = await pair()
    for (const account of [NURSE, ROMEO]) await a.homes.claim(account)
    a.homes.release(NURSE, false)
    a.homes.release(ROMEO, true)
    await a.redis.commands.hset(`hg:records:${a.bus.id}`, ROMEO, '{}')

    expect(await b.homes.claim(NURSE)).toEqual({})
    expect(await b.homes.find(ROMEO)).toEqual({ hasOrphanedState: true })
    expect(await b.homes.claim(ROMEO)).toEqual({ before: { node: a.bus.id, isInOrder: true } })
    expect(await a.homes.claim(ROMEO)).toEqual({ node: b.bus.id })
  })

  test('nobody releases what another has claimed', async () => {
    const [a, b] = await pair()
    await a.homes.claim(ROMEO)

    b.homes.release(ROMEO, false)

    expect(await b.homes.claim(ROMEO)).toEqual({ node: a.bus.id })
  })

  test('where an account is at home is remembered until it is said to be wrong, or the node is gone', async () => {
    const [a, b] = await pair()
    for (const account of [NURSE, ROMEO]) {
      await a.homes.claim(account)
      await b.homes.find(account)
    }

    b.homes.forget(NURSE)
    const kept = b.homes.elsewhere(ROMEO)
    await a.membership.leave()

    expect([b.homes.elsewhere(NURSE), kept]).toEqual([undefined, a.bus.id])
    await eventually(() => { expect(b.homes.elsewhere(ROMEO)).toBeUndefined() })
  })

  test("a node that leaves becomes nobody's home: what comes goes to the home, or to a node that is to be it", async () => {
    const [a, b] = await pair()
    await b.homes.claim(ROMEO)
    await a.homes.claim(NURSE)

    a.homes.leave()

    for (const account of [ROMEO, 'new@localhost', NURSE]) {
      expect(await a.homes.claim(account)).toEqual({ node: b.bus.id })
    }
    expect(await b.homes.claim(NURSE)).toEqual({})
  })

  test('after a lapse a node claims again what nobody has taken, and hears of the rest', async () => {
    const [a, b] = await pair()
    const mine = [NURSE, 'tybalt@localhost', ROMEO]
    for (const account of mine) await a.homes.claim(account)
    const told: string[] = []
    a.membership.whenLeaseLost(before => {
      a.homes.reclaim(mine, before, (account, isOurs) => told.push(`${account} ${isOurs}`))
    })
    const before = a.homes.incarnation

    await b.redis.commands.multi().zrem('hg:nodes', before).set(`hg:home:${ROMEO}`, b.bus.id).del(`hg:home:${NURSE}`)
      .exec()

    await eventually(() => {
      expect(told.sort()).toEqual([`${NURSE} true`, `${ROMEO} false`, 'tybalt@localhost true'])
    })
    expect(a.homes.incarnation).not.toBe(before)
    for (const account of [NURSE, 'tybalt@localhost']) expect(await b.homes.claim(account)).toEqual({ node: a.bus.id })
  })

  test('while Redis is away who is home is not known, and that passes', async () => {
    const a = await start('a')
    await server.kill()
    await eventually(() => { expect(a.redis.isUp).toBe(false) })

    const failure = await a.homes.claim(ROMEO).catch((error: unknown) => error)

    expect(failure).toBeInstanceOf(StanzaError)
    expect(failure).toMatchObject({ condition: 'remote-server-timeout', type: 'wait' })
    a.homes.release(ROMEO, false) // and nobody hears of it
    await server.start()
    await eventually(async () => { expect(await a.homes.claim(ROMEO)).toEqual({}) })
  })
})
