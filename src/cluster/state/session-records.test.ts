/** What is kept of an account's sessions outside of its node, and what the next node finds. */
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { StageTable } from '../../extension/stages.ts'
import { Account } from '../../session/account.ts'
import { Session } from '../../session/session.ts'
import { eventually, killNode, redisNode } from '../../../test/support/cluster/redis-bus-node.ts'
import type { RedisNode } from '../../../test/support/cluster/redis-bus-node.ts'
import { hasRedis, startRedis } from '../../../test/support/redis/redis.ts'
import type { TestRedis } from '../../../test/support/redis/redis.ts'
import { Jid } from '../../xmpp/jid.ts'
import type { Database } from '../../storage/database.ts'
import { MEMBERS } from '../membership/heartbeat.ts'
import { joinCluster } from '../cluster.ts'
import { RedisRecords } from './session-records.ts'
import { RedisRoomRecords } from './room-records.ts'
import { openRedis } from '../redis.ts'
import type { RedisConnections } from '../redis.ts'
import { WriteBarrier } from '../../net/write-barrier.ts'

const log = pino({ level: 'silent' })
const ROMEO = 'romeo@localhost'
const JULIET = 'juliet@localhost'

/** What is tried here is not what a node may tell its clients. */
const ALONE = { hasLease: true, evictions: 0, settledState: () => Promise.resolve('redis-outage' as const) }

const NO_DATABASE: Database = {
  query: () => Promise.resolve([]),
  transaction: () => Promise.reject(new Error('there is none')),
}

interface Node { readonly redis: RedisConnections, readonly records: RedisRecords, name: string }

function inOrder (node: string): { readonly node: string, readonly isInOrder: boolean } {
  return { node, isInOrder: true }
}
function killed (node: string): { readonly node: string, readonly isInOrder: boolean } {
  return { node, isInOrder: false }
}

describe.skipIf(!hasRedis())('records', () => {
  let server: TestRedis
  const nodes: Node[] = []

  beforeAll(async () => { server = await startRedis({ persists: true }) })
  beforeEach(async () => { await server.restartEmpty() })
  afterEach(async () => {
    for (const { redis, records } of nodes.splice(0)) {
      await records.stop()
      redis.close()
    }
  })
  afterAll(() => server.stop())

  async function start (name: string): Promise<Node> {
    const redis = await openRedis(server.url, log)
    const node: Node = {
      redis,
      name,
      records: new RedisRecords({
        redis: redis.journal,
        id: () => node.name,
        membership: ALONE,
        barrier: new WriteBarrier(log),
        log,
      }),
    }
    // An account's state is how many times it was asked for.
    let asked = 0
    node.records.start(account => ({
      sessions: account.sessions.map(({ jid, priority }) => ({
        resource: jid.resource, flags: [], priority, isInterested: false, directed: [],
      })),
      states: { asked: ++asked },
    }))
    nodes.push(node)
    return node
  }

  function account ({ records }: Node, jid = ROMEO): Account {
    const made = new Account(Jid.parse(jid))
    made.add(new Session(made.jid.withResource('orchard'), made, new StageTable(log)))
    made.touch = () => { records.touch(made) }
    return made
  }

  test('a change is written by itself, and found by the next node', async () => {
    const [a, b] = [await start('a'), await start('b')]

    account(a).touch()

    await eventually(async () => {
      expect(await b.records.takeOver(killed('a'), ROMEO)).toEqual({
        sessions: [expect.objectContaining({ resource: 'orchard' })], states: { asked: 1 }, notes: {},
      })
    })
    expect(await b.records.owners()).toEqual(['a'])
    expect(await b.records.accountsOf('a')).toEqual([ROMEO])
  })

  test('an account without a session leaves none', async () => {
    const a = await start('a')
    const romeo = account(a)
    await a.records.save(romeo)
    romeo.clear()

    romeo.touch()

    await eventually(async () => { expect(await a.records.accountsOf('a')).toEqual([]) })
    expect(await a.records.takeOver(killed('a'), ROMEO)).toBeUndefined()
  })

  test("what was noted since is given to each extension in order, and nothing that was saved, nor another account's", async () => {
    const [a, b] = [await start('a'), await start('b')]
    const [romeo, juliet] = [account(a), account(a, 'juliet@localhost')]
    a.records.append(romeo, 'sm', 'before')
    await a.records.save(romeo)

    a.records.append(romeo, 'sm', 'one', Buffer.from('é'))
    a.records.append(juliet, 'sm', 'hers')
    a.records.append(romeo, 'archive', '7')
    await new Promise(resolve => { setImmediate(resolve) })
    a.records.append(romeo, 'sm', 'two')

    await eventually(async () => { expect(await a.redis.commands.xlen('hg:journal:a')).toBe(3) })
    const saved = await b.records.takeOver(killed('a'), ROMEO)
    expect(saved?.notes['sm']?.map(({ about, body }) => `${about} ${body}`)).toEqual(['one é', 'two '])
    expect(saved?.notes['archive']?.map(({ about }) => about)).toEqual(['7'])
  })

  test('what was given up in order needs no notes', async () => {
    const [a, b] = [await start('a'), await start('b')]
    const romeo = account(a)
    await a.records.save(romeo)
    a.records.append(romeo, 'sm', 'late')
    await eventually(async () => { expect(await a.redis.commands.xlen('hg:journal:a')).toBe(1) })

    expect((await b.records.takeOver(inOrder('a'), ROMEO))?.notes).toEqual({})
  })

  test('what was changed is written with the first note about it', async () => {
    const a = await start('a')
    const romeo = account(a)
    romeo.touch()
    a.records.append(romeo, 'sm', 'one')
    await new Promise(resolve => { setImmediate(resolve) })

    const [isSaved, notes] = await Promise.all([
      a.redis.journal.hexists('hg:records:a', ROMEO), a.redis.journal.xlen('hg:journal:a')])

    expect([isSaved, notes]).toEqual([1, 1])
  })

  test('a journal that has grown is cut, and nothing is missing', async () => {
    const [a, b] = [await start('a'), await start('b')]
    const romeo = account(a)
    const add = async (megabytes: number): Promise<number> => {
      a.records.append(romeo, 'sm', 'before', Buffer.alloc(megabytes * 1000 * 1000))
      await new Promise(resolve => { setImmediate(resolve) })
      return a.redis.journal.xlen('hg:journal:a')
    }
    for (let i = 1; i <= 8; i++) expect(await add(1)).toBe(i)
    expect(await add(2)).toBe(9)
    let left = 9
    await eventually(async () => {
      left = await a.redis.commands.xlen('hg:journal:a')
      expect(left).toBeLessThanOrEqual(2) // the last stays, and the one before where Redis had not yet answered
    })
    a.records.append(romeo, 'sm', 'after')
    await eventually(async () => { expect(await a.redis.commands.xlen('hg:journal:a')).toBe(left + 1) })

    const saved = await b.records.takeOver(killed('a'), ROMEO)
    expect([saved?.states, saved?.notes['sm']?.map(({ about }) => about)]).toEqual([{ asked: 1 }, ['after']])
  })

  test('the new home\'s record takes the place of the old one', async () => {
    const [a, b] = [await start('a'), await start('b')]
    await a.records.save(account(a))
    await b.redis.commands.set(`hg:home:${ROMEO}`, 'a\nb')
    await b.records.takeOver(killed('a'), ROMEO)

    await b.records.save(account(b))

    expect(await b.records.accountsOf('a')).toEqual([])
    expect(await b.records.accountsOf('b')).toEqual([ROMEO])
    expect(await b.redis.commands.get(`hg:home:${ROMEO}`)).toBe('b')
  })

  test('a node that was taken for dead while it took over leaves the old record for the next', async () => {
    const [a, b] = [await start('a'), await start('b')]
    await a.records.save(account(a))
    await b.redis.commands.set(`hg:home:${ROMEO}`, 'a\nb')
    await b.records.takeOver(killed('a'), ROMEO)
    b.name = 'b2'

    await b.records.save(account(b))

    expect(await b.records.accountsOf('a')).toEqual([ROMEO])
    expect(await b.redis.commands.get(`hg:home:${ROMEO}`)).toBe('a\nb')
  })

  test('a node that takes back what it has given up keeps its record', async () => {
    const a = await start('a')
    await a.records.save(account(a))
    await a.redis.commands.set(`hg:home:${ROMEO}`, '-a\na')
    await a.records.takeOver(inOrder('a'), ROMEO)

    await a.records.save(account(a))

    expect(await a.records.accountsOf('a')).toEqual([ROMEO])
  })

  test('a node under a new name leaves no record under the old one', async () => {
    const a = await start('a')
    const romeo = account(a)
    await a.records.save(romeo)
    a.name = 'a2'
    await a.redis.commands.set(`hg:home:${ROMEO}`, 'a2')

    a.records.renamed(romeo, 'a')

    await eventually(async () => { expect(await a.records.accountsOf('a2')).toEqual([ROMEO]) })
    expect(await a.records.accountsOf('a')).toEqual([])
  })

  test('of an account that is at home elsewhere nothing is written any more, nor taken away', async () => {
    const a = await start('a')
    const [romeo, juliet] = [account(a), account(a, 'juliet@localhost')]
    await a.records.save(romeo)
    romeo.touch()
    a.records.append(romeo, 'sm', '1')

    romeo.clear()
    a.records.forget(romeo)
    juliet.touch()

    await eventually(async () => { expect(await a.records.accountsOf('a')).toContain('juliet@localhost') })
    expect(await a.records.accountsOf('a')).toContain(ROMEO)
  })

  test('what changed while Redis was away is written when it is back', async () => {
    const a = await start('a')
    const romeo = account(a)
    await a.records.save(romeo)
    await server.kill()
    await eventually(() => { expect(a.redis.isUp).toBe(false) })

    await expect(a.records.save(romeo)).rejects.toThrow()
    const writes = vi.spyOn(a.redis.journal, 'pipeline')
    account(a, 'juliet@localhost').touch()
    a.records.append(romeo, 'sm', 'lost')
    await eventually(() => { expect(writes).toHaveBeenCalled() })
    await server.start()

    await eventually(async () => { expect(await a.records.accountsOf('a')).toHaveLength(2) })
    await eventually(async () => { // a snapshot stands in for what could not be noted
      const saved = await a.records.takeOver(inOrder('a'), ROMEO)
      expect(saved?.states['asked']).toBeGreaterThan(2)
    })
  })

  test('a Redis that refuses the journal is told of once, and clients hear what snapshots keep in its place', async () => {
    const lines: string[] = []
    const redis = await openRedis(server.url, log)
    const loud = pino({ level: 'error' }, { write (line) { lines.push(line) } })
    const records = new RedisRecords({
      redis: redis.journal,
      id: () => 'a',
      membership: { hasLease: true, evictions: 0, settledState: () => Promise.resolve('active') },
      barrier: new WriteBarrier(log), log: loud,
    })
    records.start(() => ({ sessions: [], states: {} }))
    nodes.push({ redis, records, name: 'a' })
    const romeo = account({ redis, records, name: 'a' })
    await redis.commands.call('ACL', 'SETUSER', 'default', 'resetkeys', '~hg:[^j]*')

    records.append(romeo, 'sm', 'one')
    const isKept = await records.flush()
    records.append(romeo, 'sm', 'two')
    await records.flush()

    expect(isKept).toBe(true)
    expect(await records.accountsOf('a')).toEqual([ROMEO])
    expect(lines).toEqual([expect.stringContaining('"what":"the records of sessions"')])
  })

  test('records of rooms that Redis refused side by side are written once it takes them', async () => {
    const lines: string[] = []
    const redis = await openRedis(server.url, log)
    onTestFinished(() => { redis.close() })
    const loud = pino({ level: 'error' }, { write (line) { lines.push(line) } })
    const records = new RedisRoomRecords({
      redis: redis.journal,
      id: () => 'a',
      membership: { hasLease: true, evictions: 0, settledState: () => Promise.resolve('active') },
      barrier: new WriteBarrier(log), log: loud,
    })
    await redis.commands.call('ACL', 'SETUSER', 'default', 'resetkeys', '~hg:[^r]*')
    records.put('garden@conference.localhost', ROMEO, 'in')
    const first = records.flush()
    records.put('garden@conference.localhost', JULIET, 'in')
    const second = records.flush()
    await eventually(async () => { expect(lines).toHaveLength(1) })

    await redis.commands.call('ACL', 'SETUSER', 'default', 'resetkeys', '~*')

    expect(await Promise.all([first, second])).toEqual([true, true])
    expect(await redis.commands.hgetall('hg:room:a:garden@conference.localhost')).toEqual({
      [ROMEO]: 'in',
      [JULIET]: 'in',
    })
    expect(lines).toEqual([expect.stringContaining('NOPERM')])
  })

  test.each(['~hg:[^j]*', '~hg:[^r]*', '~hg:[^o]*'])(
    'a node does not start where Redis lets it have no more than %s',
    async keys => {
      const redis = await openRedis(server.url, log)
      onTestFinished(() => { redis.close() })
      await redis.commands.call('ACL', 'SETUSER', 'default', 'resetkeys', keys) // until Redis is started anew

      const joined = joinCluster(server.url, NO_DATABASE, 'a', log)

      await expect(joined).rejects.toThrow(/^sessions: Redis refuses what a node has to keep there: NOPERM /)
    })

  test('what goes to another node while a write of it hangs, and fails, stays as it was written', async () => {
    const a = await start('a')
    const [romeo, juliet] = [account(a), account(a, 'juliet@localhost')]
    await a.records.save(romeo)
    server.pause()
    const writes = vi.spyOn(a.redis.journal, 'pipeline')
    for (const one of [romeo, juliet]) one.touch()
    await eventually(() => { expect(writes).toHaveBeenCalled() })

    romeo.clear()
    a.records.forget(romeo)
    await eventually(() => { expect(a.redis.journal.status).not.toBe('ready') })
    server.resume()
    juliet.clear()

    await eventually(async () => { expect(await a.records.accountsOf('a')).toEqual([ROMEO]) })
  })

  test('what nobody goes on with is taken away, and at the end the node\'s name', async () => {
    const [a, b] = [await start('a'), await start('b')]
    await a.records.save(account(a))

    await b.records.discard('a', ROMEO)
    await b.records.expireNode('a')

    expect(await b.records.accountsOf('a')).toEqual([])
    expect(await b.records.owners()).toEqual([])
  })

  test("a room's record that was about to expire stays when it is taken over after all", async () => {
    const redis = await openRedis(server.url, log)
    onTestFinished(() => { redis.close() })
    const [dead, alive] = ['dead', 'alive'].map(id => new RedisRoomRecords({
      redis: redis.journal, id: () => id, membership: ALONE, barrier: new WriteBarrier(log), log,
    }))
    const room = 'garden@conference.localhost'
    dead?.put(room, ROMEO, 'in')
    await dead?.save(room)
    await alive?.expireNode('dead')
    const expiresIn = await redis.commands.ttl(`hg:room:dead:${room}`)

    const records = await alive?.takeOver({ node: 'dead', isInOrder: false }, room)

    expect(expiresIn).toBeGreaterThan(0)
    expect(records).toEqual(new Map([[ROMEO, 'in']]))
    expect(await redis.commands.ttl(`hg:room:alive:${room}`)).toBe(-1)
  })

  describe('what clients may be told', () => {
    /** A node that is a member, its records, and its clock. */
    async function member (): Promise<
      { readonly node: RedisNode, readonly records: RedisRecords, readonly romeo: Account, now: number }
    > {
      const time = { now: 0 }
      const node = await redisNode(server.url, 'a', { clock: () => time.now, beatMs: 60_000, ttlMs: 3_000 })
      onTestFinished(() => { killNode(node) })
      const records = new RedisRecords({
        redis: node.redis.journal,
        id: () => node.membership.id,
        membership: node.membership,
        barrier: new WriteBarrier(log),
        log,
      })
      records.start(() => ({ sessions: [], states: {} }))
      onTestFinished(() => records.stop())
      const romeo = account({ redis: node.redis, records, name: 'a' })
      return Object.assign(time, { node, records, romeo })
    }

    test('is all that is in the journal', async () => {
      const { node, records, romeo } = await member()
      records.append(romeo, 'sm', 'one')

      expect(await records.flush()).toBe(true)
      expect(await node.redis.commands.xlen(`hg:journal:${node.membership.id}`)).toBeGreaterThan(0)
    })

    test('is nothing more when the node was frozen and taken for dead: another has gone on from the journal', async () => {
      const a = await member()
      await a.node.redis.commands.zrem(MEMBERS, a.node.membership.id)
      a.now = 10_000
      a.records.append(a.romeo, 'sm', 'one')

      expect(await a.records.flush()).toBe(false)
    })

    test('waits while Redis is away, for a snapshot where the journal has a gap', async () => {
      const { node, records, romeo } = await member()
      const before = node.membership.id
      node.redis.journal.disconnect(true)
      records.append(romeo, 'sm', 'one')

      expect(await records.flush()).toBe(true)
      expect(await node.redis.commands.hexists(`hg:records:${before}`, ROMEO)).toBe(1)
    })
  })
})
