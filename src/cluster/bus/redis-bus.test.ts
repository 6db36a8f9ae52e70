import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { hasRedis, startRedis } from '../../../test/support/redis/redis.ts'
import type { TestRedis } from '../../../test/support/redis/redis.ts'
import { eventually, killNode, redisNode } from '../../../test/support/cluster/redis-bus-node.ts'
import type { RedisNode, RedisNodeOptions } from '../../../test/support/cluster/redis-bus-node.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { mailboxOf, MEMBERS } from '../membership/heartbeat.ts'
import { NodeGone } from './bus.ts'

const ELEMENT = 'stream.element'

describe.skipIf(!hasRedis())('the bus', () => {
  let server: TestRedis
  const nodes: RedisNode[] = []

  beforeAll(async () => { server = await startRedis() })
  beforeEach(async () => { await server.restartEmpty() })
  afterEach(() => { for (const node of nodes.splice(0)) killNode(node) })
  afterAll(async () => { await server.stop() })

  async function closedNode (name: string, options?: RedisNodeOptions): Promise<RedisNode> {
    const node = await redisNode(server.url, name, options)
    nodes.push(node)
    return node
  }

  async function openNode (name: string, options?: RedisNodeOptions): Promise<RedisNode> {
    const node = await closedNode(name, options)
    node.bus.open()
    return node
  }

  /** The names of the streams whose elements this node is told of. */
  function heardBy ({ bus }: RedisNode): string[] {
    const heard: string[] = []
    bus.hear(ELEMENT, (_, { stream }) => heard.push(stream))
    return heard
  }

  function brokenFor ({ bus }: RedisNode): string[] {
    const broken: string[] = []
    bus.whenBroken(node => broken.push(node))
    return broken
  }

  function askHome (from: RedisNode, to: RedisNode): Promise<{ readonly isHome: boolean }> {
    return from.bus.ask(to.bus.id, 'account.remove', { account: 'romeo@localhost' })
  }

  describe('what is told', () => {
    test('arrives with its sender, its header and its body', async () => {
      const [a, b] = [await openNode('a'), await openNode('b')]
      const heard: unknown[] = []
      b.bus.hear(ELEMENT, (from, header, body) => heard.push([from, header, String(body)]))

      a.bus.tell(b.bus.id, ELEMENT, { stream: 'é' }, Buffer.from('<message/>'))
      a.bus.tell(b.bus.id, ELEMENT, { stream: '2' })

      await eventually(() => {
        expect(heard).toEqual([[a.bus.id, { stream: 'é' }, '<message/>'], [a.bus.id, { stream: '2' }, '']])
      })
    })

    test('arrives where Redis had it when its node died', async () => {
      const [a, b] = [await openNode('a'), await closedNode('b')]
      a.bus.tell(b.bus.id, ELEMENT, { stream: '1' })
      await nextTurn() // the first is under way: the second waits
      a.bus.tell(b.bus.id, ELEMENT, { stream: '2' })

      await a.bus.persisted()
      killNode(a)

      const heard = heardBy(b)
      b.bus.open()
      await eventually(() => { expect(heard).toEqual(['1', '2']) })
    })

    test('is waited for no longer when Redis is gone', async () => {
      const [a, b] = [await openNode('a'), await openNode('b')]
      server.pause()
      a.bus.tell(b.bus.id, ELEMENT, { stream: '1' })
      const persisted = a.bus.persisted()
      await server.kill()

      await expect(persisted).resolves.toBeUndefined()
      await expect(a.bus.persisted()).resolves.toBeUndefined()
    })

    test('follows the state of its turn to Redis, also where it was told first, and is large', async () => {
      const [a, b] = [await openNode('a'), await closedNode('b')]
      const monitor = await a.redis.commands.monitor()
      onTestFinished(() => { monitor.disconnect() })
      const commands: string[] = []
      monitor.on('monitor', (_, [name = '', key = '']: readonly string[]) => {
        if (key === 'state' || key === mailboxOf(b.bus.id)) commands.push(`${name} ${key}`)
      })

      a.bus.tell(b.bus.id, ELEMENT, { stream: '1' })
      a.barrier.beforeClientWrites({ flush: () => a.redis.journal.set('state', '1').then(() => true) })
      a.bus.tell(b.bus.id, ELEMENT, { stream: '2' }, Buffer.alloc(1_100_000))
      a.bus.tell(b.bus.id, ELEMENT, { stream: '3' })

      await a.bus.persisted()
      await a.redis.journal.set('state', '2')
      await eventually(() => { expect(commands.at(-1)).toBe('set state') })
      const told = commands.filter(command => command.startsWith('xadd'))
      expect(told.length).toBeGreaterThan(0)
      expect(commands).toEqual(['set state', ...told, 'set state'])
    })

    test('in one tick is one entry of the mailbox, asked and answered things too', async () => {
      const [a, b] = [await openNode('a'), await closedNode('b')]

      for (const stream of ['1', '2', '3']) a.bus.tell(b.bus.id, ELEMENT, { stream })
      void askHome(a, b).catch(() => {}) // it is never answered
      a.bus.tell(b.bus.id, ELEMENT, { stream: '4' })

      await eventually(async () => {
        expect(await b.redis.commands.xlen(mailboxOf(b.bus.id))).toBe(2)
      }) // the first made it
      const heard = heardBy(b)
      b.bus.open()
      await eventually(() => { expect(heard).toEqual(['1', '2', '3', '4']) })
    })

    test('does not hold up the others at the node that has to read much of it', async () => {
      const [a, b] = [await openNode('a'), await closedNode('b')]
      const perTurn = [0]
      b.bus.hear(ELEMENT, () => {
        perTurn.push((perTurn.pop() ?? 0) + 1)
        for (const until = performance.now() + 0.2; performance.now() < until;);
      })

      for (let n = 0; n < 500; n++) a.bus.tell(b.bus.id, ELEMENT, { stream: String(n) })
      await eventually(async () => { expect(await b.redis.commands.xlen(mailboxOf(b.bus.id))).toBe(2) })
      b.bus.open()
      for (let heard = 0; heard < 500; heard = perTurn.reduce((sum, one) => sum + one, 0)) {
        await new Promise(resolve => { setImmediate(resolve) })
        perTurn.push(0)
      }

      expect(Math.max(...perTurn)).toBeLessThan(100)
    })

    test('arrives in order and is forgotten by Redis, 100 000 of it, from two nodes', async () => {
      const [a, b, c] = [await openNode('a'), await openNode('b'), await openNode('c')]
      const counts = new Map<string, number>()
      let disorder = 0
      b.bus.hear(ELEMENT, (from, { stream }, body) => {
        const count = counts.get(from) ?? 0
        if (Number(stream) !== count || body.length !== 400) disorder++
        counts.set(from, count + 1)
      })
      const body = Buffer.alloc(400, 'x')

      for (let i = 0; i < 50_000; i++) {
        for (const { bus } of [a, c]) bus.tell(b.bus.id, ELEMENT, { stream: String(i) }, body)
        if (i % 500 === 499) await new Promise(setImmediate)
      }

      await eventually(() => { expect([counts.get(a.bus.id), counts.get(c.bus.id)]).toEqual([50_000, 50_000]) })
      expect(disorder).toBe(0)
      await eventually(async () => { expect(await b.redis.commands.xlen(mailboxOf(b.bus.id))).toBe(1) })
      expect([a.bus.queuedBytes, c.bus.queuedBytes]).toEqual([0, 0])
    })

    test('may be large', async () => {
      const [a, b] = [await openNode('a'), await openNode('b')]
      const sizes: number[] = []
      b.bus.hear(ELEMENT, (_, __, body) => sizes.push(body.length))

      for (const size of [1_048_576, 1, 3_000_000])
        a.bus.tell(b.bus.id, ELEMENT, { stream: '1' }, Buffer.alloc(size, 'x'))

      await eventually(() => { expect(sizes).toEqual([1_048_576, 1, 3_000_000]) })
    })

    test('has reached Redis when the bus is closed', async () => {
      const [a, b] = [await openNode('a'), await closedNode('b')]
      const heard = heardBy(b)
      a.bus.tell(b.bus.id, ELEMENT, { stream: '1' })

      await a.bus.close()

      await a.membership.leave()
      a.redis.close()
      b.bus.open()
      await eventually(() => { expect(heard).toEqual(['1']) })
    })

    test('costs only itself when it can not be dealt with', async () => {
      const [a, b] = [await openNode('a'), await openNode('b')]
      const heard: string[] = []
      b.bus.hear(ELEMENT, (_, { stream }) => {
        if (stream === '1') throw new Error('a mistake')
        heard.push(stream)
      })

      for (const stream of ['1', '2']) a.bus.tell(b.bus.id, ELEMENT, { stream })

      await eventually(() => { expect(heard).toEqual(['2']) })
      expect(b.log.join('')).toContain('a mistake')
    })

    test('a node does not tell itself', async () => {
      const a = await openNode('a')

      expect(() => a.bus.tell(a.bus.id, ELEMENT, { stream: '1' })).toThrow('a node has nothing to tell itself')
      await expect(askHome(a, a)).rejects.toThrow('a node has nothing to tell itself')
    })
  })

  describe('what is asked', () => {
    test('is answered, at once or later', async () => {
      const [a, b] = [await openNode('a'), await openNode('b')]
      b.bus.answer('account.remove', () => ({ isHome: true }))
      b.bus.answer('stanza', async (_, __, body) => {
        await new Promise(setImmediate)
        return String(body) === '<message/>' ? { isElsewhere: true } : {}
      })

      const answers = await Promise.all([a.bus.ask(b.bus.id, 'stanza', {}, Buffer.from('<message/>')), askHome(a, b)])

      expect(answers).toEqual([{ isElsewhere: true }, { isHome: true }])
    })

    test('may be refused as a stanza is', async () => {
      const [a, b] = [await openNode('a'), await openNode('b')]
      const detail = { name: 'too-many', ns: 'urn:example', attrs: { max: '1' } }
      b.bus.answer('account.remove', () => { throw new StanzaError('conflict', 'not twice', detail, 'modify') })

      const refused = await askHome(a, b).catch((error: unknown) => error)

      expect(refused).toBeInstanceOf(StanzaError)
      expect(refused).toMatchObject({ condition: 'conflict', text: 'not twice', detail, type: 'modify' })
    })

    test.each([
      ['at once', () => { throw new Error('a mistake') }],
      ['later', () => Promise.reject(new Error('a mistake'))],
    ])('is refused, and the mistake logged, when who should answer fails %s', async (_, fail) => {
      const [a, b] = [await openNode('a'), await openNode('b')]
      b.bus.answer('account.remove', fail)

      await expect(askHome(a, b)).rejects.toMatchObject({ condition: 'internal-server-error', type: 'wait' })

      expect(b.log.join('')).toContain('a mistake')
    })

    test('is refused by a node that does not know it', async () => {
      const [a, b] = [await openNode('a'), await openNode('b')]

      await expect(askHome(a, b)).rejects.toMatchObject({ condition: 'feature-not-implemented' })
    })

    test('is not waited for without end', async () => {
      const [a, b] = [await openNode('a', { patienceMs: 100 }), await closedNode('b')]

      await expect(askHome(a, b)).rejects.toMatchObject({ condition: 'remote-server-timeout', type: 'wait' })
    })

    test('of a node that is gone is rejected before it is said that it is, and at once from then on', async () => {
      const [a, b] = [await openNode('a'), await closedNode('b')]
      const broken = brokenFor(a)
      const asked = askHome(a, b)
      await eventually(() => { expect(a.membership.isAlive(b.bus.id)).toBe(true) })

      await b.membership.leave()

      await expect(asked).rejects.toBeInstanceOf(NodeGone)
      await expect(askHome(a, b)).rejects.toBeInstanceOf(NodeGone)
      await eventually(() => { expect(a.membership.isAlive(b.bus.id)).toBe(false) })
      expect(broken).toEqual([b.bus.id])
    })

    test('of a node that is gone and comes late is not taken, and said to be lost once', async () => {
      const [a, b] = [await closedNode('a'), await openNode('b')]
      const [heard, broken] = [heardBy(a), brokenFor(a)]
      const mailbox = mailboxOf(a.bus.id)
      await eventually(() => { expect(a.membership.isAlive(b.bus.id)).toBe(true) })
      for (const [stream, length] of [['1', 2], ['2', 3]] as const) {
        b.bus.tell(a.bus.id, ELEMENT, { stream })
        await eventually(async () => { expect(await a.redis.commands.xlen(mailbox)).toBe(length) })
      }
      await a.redis.commands.xdel(mailbox, (await a.redis.commands.xrange(mailbox, '-', '+'))[1]?.[0] ?? '')
      await b.membership.leave()
      await eventually(() => { expect(broken).toEqual([b.bus.id]) })

      a.bus.open()

      const c = await openNode('c')
      c.bus.tell(a.bus.id, ELEMENT, { stream: '3' })
      await eventually(() => { expect(heard).toEqual(['3']) })
      expect(broken).toEqual([b.bus.id])
    })

    test('of a node that never was is rejected', async () => {
      const a = await openNode('a')

      await expect(a.bus.ask('z.nobody', 'account.remove', { account: 'x' })).rejects.toBeInstanceOf(NodeGone)
    })
  })

  describe('what comes twice or not at all', () => {
    test('is taken once', async () => {
      const [a, b] = [await openNode('a'), await closedNode('b')]
      const heard = heardBy(b)
      const broken = brokenFor(b)
      const mailbox = mailboxOf(b.bus.id)
      for (const stream of [1, 2]) {
        a.bus.tell(b.bus.id, ELEMENT, { stream: String(stream) })
        await eventually(async () => { expect(await b.redis.commands.xlen(mailbox)).toBe(1 + stream) })
      }
      for (const [, fields] of (await b.redis.commands.xrangeBuffer(mailbox, '-', '+')).slice(1)) {
        await b.redis.commands.xadd(mailbox, '*', ...fields)
      }

      b.bus.open()

      a.bus.tell(b.bus.id, ELEMENT, { stream: '3' })
      await eventually(() => { expect(heard).toContain('3') })
      expect(heard).toEqual(['1', '2', '3'])
      expect(broken).toEqual([])
    })

    test('is noticed by both when it is missing, and they go on', async () => {
      const [a, b] = [await openNode('a'), await closedNode('b')]
      const heard = heardBy(b)
      const broken = [brokenFor(a), brokenFor(b)]
      const mailbox = mailboxOf(b.bus.id)
      const asked = askHome(a, b)
      await eventually(async () => { expect(await b.redis.commands.xlen(mailbox)).toBe(2) })
      const last = (await b.redis.commands.xrange(mailbox, '-', '+')).at(-1)
      await b.redis.commands.xdel(mailbox, last?.[0] ?? '')
      a.bus.tell(b.bus.id, ELEMENT, { stream: '2' })

      b.bus.open()

      await expect(asked).rejects.toBeInstanceOf(NodeGone)
      expect(heard).toEqual(['2'])
      expect(broken).toEqual([[b.bus.id], [a.bus.id]])
      b.bus.answer('account.remove', () => ({ isHome: true }))
      expect(await askHome(a, b)).toEqual({ isHome: true })
    })
  })

  describe('a node that was taken for dead', () => {
    test('begins anew with everybody: all that was under way is lost to both', async () => {
      const [a, b] = [await openNode('a'), await openNode('b')]
      await eventually(() => { expect(a.membership.isAlive(b.bus.id)).toBe(true) })
      const before = a.bus.id
      const broken = [brokenFor(a), brokenFor(b)]
      const asked = Promise.allSettled([a.bus.ask(b.bus.id, 'stanza', {}), b.bus.ask(a.bus.id, 'stanza', {})])
      b.bus.answer('stanza', () => new Promise(() => {})) // it never answers
      a.bus.answer('stanza', () => new Promise(() => {}))
      b.bus.answer('account.remove', () => ({ isHome: true }))

      await b.redis.commands.zrem(MEMBERS, before)

      const lost = { status: 'rejected', reason: expect.any(NodeGone) }
      expect(await asked).toEqual([lost, lost])
      expect(a.bus.id).not.toBe(before)
      expect(broken).toEqual([[b.bus.id], [before]])
      expect(await askHome(a, b)).toEqual({ isHome: true })
    })

    test('has no answer to give to what was asked before', async () => {
      const [a, b] = [await openNode('a', { beatMs: 60_000, patienceMs: 300 }), await openNode('b')]
      const [isAsked, mayAnswer] = [Promise.withResolvers<void>(), Promise.withResolvers<object>()]
      b.bus.answer('stanza', () => {
        isAsked.resolve()
        return mayAnswer.promise
      })
      b.membership.whenLeaseLost(() => { mayAnswer.resolve({}) })
      const asked = a.bus.ask(b.bus.id, 'stanza', {})
      await isAsked.promise

      await a.redis.commands.zrem(MEMBERS, b.bus.id)

      await expect(asked).rejects.toMatchObject({ condition: 'remote-server-timeout' })
    })

    test('takes nothing any more of what it was told before', async () => {
      let now = 0
      const [a, b] = [
        await openNode('a', { clock: () => now, beatMs: 60_000 }),
        await openNode('b', { beatMs: 60_000 }),
      ]
      const heard = heardBy(a)
      const before = a.bus.id
      await b.redis.commands.zrem(MEMBERS, before)
      now = 1_000_000

      b.bus.tell(before, ELEMENT, { stream: '1' })

      await eventually(() => { expect(a.bus.id).not.toBe(before) })
      b.bus.tell(a.bus.id, ELEMENT, { stream: '2' })
      await eventually(() => { expect(heard).toEqual(['2']) })
    })
  })
})
