/** What the bus makes of a Redis that goes away: it is whole afterwards, or both sides know that it is not. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hasRedis, startRedis } from '../../test/support/redis/redis.ts'
import type { TestRedis } from '../../test/support/redis/redis.ts'
import { eventually, killNode, redisNode } from '../../test/support/cluster/redis-bus-node.ts'
import type { RedisNode, RedisNodeOptions } from '../../test/support/cluster/redis-bus-node.ts'
import { NodeGone } from './bus/bus.ts'

const ELEMENT = 'stream.element'
const OUTAGE_MS = 700

function pass (ms: number): Promise<void> {
  return new Promise(resolve => { setTimeout(resolve, ms) })
}

describe.skipIf(!hasRedis())('Redis goes away', () => {
  let server: TestRedis
  const nodes: RedisNode[] = []

  beforeAll(async () => { server = await startRedis({ persists: true }) })
  beforeEach(async () => { await server.restartEmpty() })
  afterEach(() => { for (const node of nodes.splice(0)) killNode(node) })
  afterAll(async () => { await server.stop() })

  async function pair (options?: RedisNodeOptions): Promise<readonly [RedisNode, RedisNode]> {
    const made = [await redisNode(server.url, 'a', options), await redisNode(server.url, 'b', options)] as const
    for (const node of made) {
      nodes.push(node)
      node.bus.open()
    }
    return made
  }

  /** What was reported as lost, by either. */
  function lossesOf (...pairOf: readonly RedisNode[]): string[] {
    const losses: string[] = []
    for (const { bus, membership } of pairOf) {
      bus.whenBroken(node => losses.push(`${node} is broken`))
      membership.whenLeaseLost(node => losses.push(`${node} has lapsed`))
    }
    return losses
  }

  /** Tells and asks without pause until it is stopped; then resolves with how many times. */
  function keepTalking (from: RedisNode, to: RedisNode): () => Promise<{ told: number, heard: readonly number[] }> {
    const heard: number[] = []
    const asked: Promise<unknown>[] = []
    let told = 0
    to.bus.hear(ELEMENT, (_, { stream }) => heard.push(Number(stream)))
    to.bus.answer('stanza', () => ({}))
    const timer = setInterval(() => {
      for (let i = 0; i < 10; i++) from.bus.tell(to.bus.id, ELEMENT, { stream: String(told++) }, Buffer.alloc(400, 'x'))
      asked.push(from.bus.ask(to.bus.id, 'stanza', {}))
    }, 1)
    return async () => {
      clearInterval(timer)
      await Promise.all(asked)
      await eventually(() => { expect(heard.length).toBeGreaterThanOrEqual(told) })
      return { told, heard }
    }
  }

  test.each([
    ['is killed and has its data again', async () => {
      await server.kill()
      await pass(OUTAGE_MS)
      await server.start()
    }],
    ['is frozen for longer than it is waited for', async () => {
      server.pause()
      await pass(OUTAGE_MS)
      server.resume()
    }],
    ['ends every connection again and again', async () => {
      for (let i = 0; i < 5; i++) {
        await nodes[0]?.redis.commands.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no').catch(() => {}) // its own too
        await pass(150)
      }
    }],
  ])('and nothing is lost, doubled or out of order when it %s', async (_, interrupt) => {
    const [a, b] = await pair({ silenceMs: 300, beatMs: 100 })
    const losses = lossesOf(a, b)
    const stop = keepTalking(a, b)
    await pass(100)

    await interrupt()

    await eventually(() => { expect(a.redis.isUp && b.redis.isUp).toBe(true) })
    await pass(100)
    const { told, heard } = await stop()
    expect(told).toBeGreaterThan(100)
    expect(heard).toEqual(Array.from({ length: told }, (__, i) => i))
    expect(losses).toEqual([])
    expect(a.bus.queuedBytes).toBe(0)
  })

  test('and comes back empty: all is broken, and whole again under new names', async () => {
    const [a, b] = await pair()
    await eventually(() => { expect(a.membership.isAlive(b.bus.id)).toBe(true) })
    const before = [a.bus.id, b.bus.id]
    const losses = lossesOf(a, b)
    b.bus.answer('account.remove', () => ({ isHome: true }))

    await server.restartEmpty()

    const [wasA, wasB] = before
    await eventually(() => {
      expect(losses).toEqual(expect.arrayContaining([
        `${wasA} has lapsed`, `${wasB} has lapsed`, `${wasA} is broken`, `${wasB} is broken`,
      ]))
    })
    await eventually(() => { expect(a.membership.nodes).toEqual([a.bus.id, b.bus.id]) })
    expect(before).not.toContain(a.bus.id)
    expect(await a.bus.ask(b.bus.id, 'account.remove', { account: 'x' })).toEqual({ isHome: true })
  })

  test('and has lost something when it is back: it is noticed though nothing more is told', async () => {
    const [a, b] = await pair()
    a.bus.tell(b.bus.id, ELEMENT, { stream: '1' })
    const heard: string[] = []
    b.bus.hear(ELEMENT, (_, { stream }) => heard.push(stream))
    await eventually(() => { expect(heard).toEqual(['1']) })
    const losses = lossesOf(a, b)
    // As if an entry had been confirmed by a master that died before its replica had it.
    await a.redis.journal.xadd(`hg:bus:${b.bus.id}`, '*', 'x', '')
    const { journal } = a.redis
    const confirm = journal.xadd.bind(journal)
    journal.xadd = () => Promise.resolve('1-1')
    a.bus.tell(b.bus.id, ELEMENT, { stream: '2' })
    await eventually(() => { expect(a.bus.queuedBytes).toBe(0) })
    journal.xadd = confirm

    await server.kill()
    await server.start()

    await eventually(() => { expect(losses.sort()).toEqual([`${a.bus.id} is broken`, `${b.bus.id} is broken`]) })
    expect(heard).toEqual(['1'])
  })

  test('or its memory is full: what it refuses is known to be lost, and all is whole when there is room', async () => {
    const [a, b] = await pair()
    const losses = lossesOf(a, b)
    b.bus.answer('account.remove', () => ({ isHome: true }))
    await a.redis.commands.config('SET', 'maxmemory', '1')

    const refused = a.bus.ask(b.bus.id, 'account.remove', { account: 'x' })

    await expect(refused).rejects.toBeInstanceOf(NodeGone)
    expect(losses).toEqual([`${b.bus.id} is broken`])
    await a.redis.commands.config('SET', 'maxmemory', '0')
    await a.bus.ask(b.bus.id, 'account.remove', { account: 'x' }).catch(() => {}) // the other node learns of the loss
    expect(await a.bus.ask(b.bus.id, 'account.remove', { account: 'x' })).toEqual({ isHome: true })
    expect(losses).toContain(`${a.bus.id} is broken`)
  })

  test('for long: what is asked is refused, what is told is lost and known to be', async () => {
    const [a, b] = await pair({ queueBytes: 100_000 })
    const losses = lossesOf(a, b)
    const heard: string[] = []
    b.bus.hear(ELEMENT, (_, { stream }) => heard.push(stream))
    await server.kill()
    const body = Buffer.alloc(10_000)

    for (let i = 0; i < 11; i++) a.bus.tell(b.bus.id, ELEMENT, { stream: 'early' }, body)
    const refused = a.bus.ask(b.bus.id, 'stanza', {})
    await expect(refused).rejects.toMatchObject({ condition: 'resource-constraint', type: 'wait' })
    const lossesBefore = [...losses]
    for (let i = 0; i < 10; i++) a.bus.tell(b.bus.id, ELEMENT, { stream: 'early' }, body)

    expect([lossesBefore, losses]).toEqual([[], [`${b.bus.id} is broken`]])
    a.bus.tell(b.bus.id, ELEMENT, { stream: 'late' })
    await server.start()
    await eventually(() => { expect(heard.at(-1)).toBe('late') })
    expect(losses).toContain(`${a.bus.id} is broken`)
  })
})
