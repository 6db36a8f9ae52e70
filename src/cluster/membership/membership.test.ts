import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { PostgresDatabase } from '../../storage/postgres.ts'
import { testDatabase } from '../../../test/support/run/database.ts'
import { hasRedis, startRedis } from '../../../test/support/redis/redis.ts'
import type { TestRedis } from '../../../test/support/redis/redis.ts'
import { eventually, killNode, redisNode } from '../../../test/support/cluster/redis-bus-node.ts'
import type { RedisNode, RedisNodeOptions } from '../../../test/support/cluster/redis-bus-node.ts'
import { mailboxOf, MEMBERS } from './heartbeat.ts'
import type { NodeState } from './membership.ts'
import { databaseOutageCheck } from './outage-check.ts'

describe.skipIf(!hasRedis())('the members of a cluster', () => {
  let server: TestRedis
  const nodes: RedisNode[] = []

  beforeAll(async () => { server = await startRedis({ persists: true }) })
  beforeEach(async () => { await server.restartEmpty() })
  afterEach(() => { for (const node of nodes.splice(0)) killNode(node) })
  afterAll(async () => { await server.stop() })

  async function join (name: string, options?: RedisNodeOptions): Promise<RedisNode> {
    const node = await redisNode(server.url, name, options)
    nodes.push(node)
    return node
  }

  /** As another node's beat does when its time is over. */
  async function takeOut ({ membership }: RedisNode, by: RedisNode): Promise<void> {
    await by.redis.commands.zrem(MEMBERS, membership.id)
    await by.redis.commands.del(mailboxOf(membership.id))
  }

  test('know each other, and log who joins', async () => {
    const b = await join('b')

    const a = await join('a')

    expect(a.membership.id).toMatch(/^a\.[\w-]{20}$/)
    expect(a.membership.nodes).toEqual([a.membership.id, b.membership.id])
    await eventually(() => { expect(b.membership.nodes).toEqual([a.membership.id, b.membership.id]) })
    expect(b.log.filter(line => line.includes('cluster.node_joined'))).toEqual([
      expect.stringContaining(a.membership.id),
    ])
    expect(b.membership.isAlive(a.membership.id)).toBe(true)
    expect(b.membership.isAlive('a')).toBe(false)
  })

  test('of one name are two nodes', async () => {
    const [one, other] = [await join('a'), await join('a')]

    expect(other.membership.nodes).toEqual([one.membership.id, other.membership.id].sort())
  })

  test('are told at once of one that leaves, and nothing is left of it', async () => {
    const [a, b] = [await join('a'), await join('b')]
    const gone: string[] = []
    a.membership.whenGone(node => gone.push(node))
    await eventually(() => { expect(a.membership.isAlive(b.membership.id)).toBe(true) })

    await b.membership.leave()

    await eventually(() => { expect(gone).toEqual([b.membership.id]) })
    expect(a.log.some(line => line.includes('cluster.node_evicted'))).toBe(false)
    expect(a.membership.nodes).toEqual([a.membership.id])
    expect(await a.redis.commands.exists(mailboxOf(b.membership.id))).toBe(0)
    expect([...(await a.membership.status()).keys()]).toEqual([a.membership.id])
  })

  test('take out one that is silent until its time is over, with its mailbox', async () => {
    const b = await join('b', { ttlMs: 500 })
    const a = await join('a')
    const gone: string[] = []
    a.membership.whenGone(node => gone.push(node))

    killNode(b)

    await eventually(() => { expect(gone).toEqual([b.membership.id]) })
    expect(a.log.filter(line => line.includes('cluster.node_evicted'))).toEqual([
      expect.stringContaining(b.membership.id),
    ])
    expect(await a.redis.commands.exists(mailboxOf(b.membership.id), mailboxOf(a.membership.id))).toBe(1)
  })

  test('publish what each has to tell of itself', async () => {
    const [a, b] = [await join('a'), await join('b')]

    b.membership.publish(() => ({ sessions: 7 }))

    await eventually(async () => {
      expect((await a.membership.status()).get(b.membership.id)).toEqual({ sessions: 7 })
    })
  })

  describe('one that was taken for dead', () => {
    test('has joined anew before it is told, as another node', async () => {
      const [a, b] = [await join('a'), await join('b')]
      const before = a.membership.id
      const seen: string[] = []
      a.membership.whenLeaseLost(old => { seen.push(old, a.membership.id, ...a.membership.nodes) })

      await takeOut(a, b)

      await eventually(() => { expect(seen).not.toEqual([]) })
      expect(a.membership.id).not.toBe(before)
      expect(seen).toEqual([before, a.membership.id, a.membership.id, b.membership.id])
      expect(await a.redis.commands.exists(mailboxOf(a.membership.id))).toBe(1)
      await eventually(() => { expect(b.membership.nodes).toEqual(a.membership.nodes) })
    })

    test('is told the same when Redis has lost its data', async () => {
      const [a, b] = [await join('a'), await join('b')]
      const before = [a.membership.id, b.membership.id]
      const lapsed: string[] = []
      for (const { membership } of [a, b]) membership.whenLeaseLost(old => lapsed.push(old))

      await server.restartEmpty()

      await eventually(() => { expect(lapsed.sort()).toEqual(before) })
      await eventually(() => { expect(a.membership.nodes).toEqual([a.membership.id, b.membership.id]) })
    })

    test('is told the same when Redis has data from before', async () => {
      const a = await join('a')
      const lapsed: string[] = []
      a.membership.whenLeaseLost(old => lapsed.push(old))
      const before = a.membership.id

      await a.redis.commands.hset('hg:data', 'beats', 0)

      await eventually(() => { expect(lapsed).toEqual([before]) })
      expect(a.membership.nodes).toEqual([a.membership.id])
    })
  })

  describe('time in which Redis answered nobody does not count', () => {
    const [TTL_MS, AWAY_MS] = [5_000, 6_000]
    test.each([
      ['it was frozen', async () => {
        server.pause()
        await new Promise(resolve => { setTimeout(resolve, AWAY_MS) })
        server.resume()
      }],
      ['it was killed and started again', async () => {
        await server.kill()
        await new Promise(resolve => { setTimeout(resolve, AWAY_MS) })
        await server.start()
      }],
    ])('when %s', async (_, interrupt) => {
      // Both need a moment to connect again, and not the same.
      const [a, b] = [await join('a', { ttlMs: TTL_MS }), await join('b', { ttlMs: TTL_MS })]
      const events: string[] = []
      for (const { membership } of [a, b]) {
        membership.whenLeaseLost(old => events.push(`lapsed ${old}`))
        membership.whenGone(node => events.push(`gone ${node}`))
      }

      await interrupt()

      const beats = Number(await eventuallyGet(a))
      await eventually(async () => { expect(Number(await eventuallyGet(a))).toBeGreaterThan(beats + 10) })
      expect(events).toEqual([])
    })

    async function eventuallyGet (node: RedisNode): Promise<string | null> {
      let value: string | null = null
      await eventually(async () => { value = await node.redis.commands.hget('hg:data', 'beats') })
      return value
    }
  })

  describe('certainty', () => {
    test('costs nothing while the last beat is young, and is asked for after a pause', async () => {
      let now = 0
      const a = await join('a', { clock: () => now, ttlMs: 3_000, beatMs: 60_000 })
      const young = [a.membership.confirmLease()]
      now = 2_400
      young.push(a.membership.confirmLease())
      now = 2_600

      const doubt = a.membership.confirmLease()

      expect(young).toEqual([undefined, undefined])
      expect(doubt).toBeInstanceOf(Promise)
      await doubt
      expect(a.membership.confirmLease()).toBeUndefined()
    })

    test('comes after a node has learnt that it was taken for dead', async () => {
      let now = 0
      const [a, b] = [await join('a', { clock: () => now, beatMs: 60_000 }), await join('b')]
      const before = a.membership.id
      await takeOut(a, b)
      now = 100_000

      await a.membership.confirmLease()

      expect(a.membership.id).not.toBe(before)
      expect(a.membership.confirmLease()).toBeUndefined()
    })

    test('is not had from an answer that has waited as long as the node', async () => {
      let now = 0
      const a = await join('a', { clock: () => now, beatMs: 60_000, ttlMs: 3_000 })
      server.pause()
      now = 10_000
      const doubt = a.membership.confirmLease()
      now = 20_000
      server.resume()

      await doubt

      expect(await a.redis.commands.hget('hg:data', 'beats')).toBe('3')
    })

    test('is had while Redis is gone: nobody can have been taken for dead', async () => {
      let now = 0
      const a = await join('a', { clock: () => now, beatMs: 60_000 })
      await server.kill()
      now = 100_000

      await a.membership.confirmLease()

      expect(a.membership.confirmLease()).toBeUndefined()
      await server.start()
    })

    test('is not had from a connection that broke', async () => {
      let now = 0
      const [a, b] = [await join('a', { clock: () => now, beatMs: 60_000 }), await join('b')]
      const before = a.membership.id
      await takeOut(a, b)
      now = 100_000
      server.pause()
      const doubt = a.membership.confirmLease()
      a.redis.commands.stream.destroy()
      await once(a.redis.commands, 'close')

      server.resume()

      await doubt
      expect(a.membership.id).not.toBe(before)
    })

    test('is not had while a node knows that it was taken for dead', async () => {
      const [a, b] = [await join('a'), await join('b')]
      // It can't join: what is to be its mailbox is refused.
      await a.redis.commands.call('ACL', 'SETUSER', 'default', '-xadd')
      await takeOut(a, b)
      await eventually(() => { expect(a.log.join('')).toContain('cluster.heartbeat_refused') })
      let hasLease = false

      void a.membership.confirmLease()?.then(() => { hasLease = true })

      await new Promise(resolve => { setTimeout(resolve, 200) })
      expect(hasLease).toBe(false)
      await a.redis.commands.call('ACL', 'SETUSER', 'default', '+xadd')
      await eventually(() => { expect(hasLease).toBe(true) })
    })
  })

  describe('the verdict on a node that Redis has failed', () => {
    let db: PostgresDatabase

    beforeAll(async () => { db = await testDatabase() })
    afterAll(() => db.close())

    /** What it will be, as far as it is known. */
    function verdictOn ({ membership }: RedisNode): { is?: NodeState } {
      const known: { is?: NodeState } = {}
      void membership.settledState().then(is => { known.is = is })
      return known
    }

    test('is that it is as good as alone when all others can not reach Redis either, and not before', async () => {
      const outageCheck = databaseOutageCheck(db)
      const b = await join('b', { outageCheck })
      const a = await join('a', { outageCheck })
      killNode(b)
      const verdict = verdictOn(a)
      await server.kill()
      await eventually(async () => {
        expect(await db.query('select from node_without_redis where node = $1', [a.membership.id])).toHaveLength(1)
      })
      const asked = await outageCheck(a.membership.id, [b.membership.id])
      expect([asked, verdict.is]).toEqual([false, undefined])

      await eventually(async () => {
        await outageCheck(b.membership.id, [])
        expect(verdict.is).toBe('redis-outage')
      })
      expect(await a.membership.settledState()).toBe('redis-outage')
      await server.start()
    })

    test('is that it is a member when its next beat says so, and else that it was taken for dead', async () => {
      const [a, b] = [await join('a', { beatMs: 60_000 }), await join('b')]

      expect(await a.membership.settledState()).toBe('active')
      await takeOut(a, b)
      expect(await a.membership.settledState()).toBe('fenced')
      expect(await a.membership.settledState()).toBe('active')
    })

    test('is not held against it when Redis has lost its data: nobody has taken anything over', async () => {
      const a = await join('a', { beatMs: 60_000 })
      await server.restartEmpty()
      await eventually(() => { expect(a.redis.isUp).toBe(true) })

      expect(await a.membership.settledState()).not.toBe('fenced')
    })
  })
})
