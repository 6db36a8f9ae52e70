/** What clients are sent waits until other nodes know what it is about. */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { openLog } from '../log.ts'
import { SLICE_MS } from '../util/slices.ts'
import { TcpTransport } from './tcp.ts'
import type { Transport } from './transport.ts'
import { WebSocketEndpoint } from './websocket.ts'
import { WriteBarrier } from './write-barrier.ts'
import type { Connection, PersistedState } from './write-barrier.ts'

const log = await openLog({ level: 'silent' })

interface Pair {
  readonly barrier: WriteBarrier
  readonly transport: Transport
  /** What the client has got so far. */
  read (): string
  readonly closed: Promise<unknown>
}

async function listen (server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => { server.close() })
  return (server.address() as AddressInfo).port
}

async function tcp (): Promise<Pair> {
  const server = createServer()
  const accepted = once(server, 'connection')
  const client = connect(await listen(server), '127.0.0.1').on('error', () => {})
  onTestFinished(() => { client.destroy() })
  let text = ''
  client.on('data', chunk => { text += chunk.toString() })
  const [socket] = await accepted
  const barrier = new WriteBarrier(log)
  return { barrier, transport: new TcpTransport(socket, { barrier }), read: () => text, closed: once(client, 'close') }
}

async function webSocket (): Promise<Pair> {
  const accepted = Promise.withResolvers<Transport>()
  const barrier = new WriteBarrier(log)
  const endpoint = new WebSocketEndpoint({ barrier, maxMessageBytes: 1000 }, accepted.resolve)
  onTestFinished(() => { endpoint.close() })
  const port = await listen(createHttpServer().on('upgrade', endpoint.upgrade))
  const client = new WebSocket(`ws://127.0.0.1:${port}`, 'xmpp').on('error', () => {})
  onTestFinished(() => { client.terminate() })
  let text = ''
  client.on('message', data => { text += String(data) })
  return { barrier, transport: await accepted.promise, read: () => text, closed: once(client, 'close') }
}

/** Keeps something in this turn; the first of what is returned resolves when it has begun to, the second ends it. */
function keep (barrier: WriteBarrier): { readonly begun: Promise<void>, readonly end: (mayBeSaid: boolean) => void } {
  const begun = Promise.withResolvers<void>()
  const kept = Promise.withResolvers<boolean>()
  const keeper: PersistedState = {
    flush () {
      begun.resolve()
      return kept.promise
    },
  }
  barrier.beforeClientWrites(keeper)
  return { begun: begun.promise, end: kept.resolve }
}

describe.each([['TCP', tcp], ['WebSocket', webSocket]] as const)('over %s', (_, open) => {
  test('what is written waits for what is kept, and leaves in its order', async () => {
    const { barrier, transport, read } = await open()
    const first = keep(barrier)
    transport.write('one ')
    await first.begun
    const second = keep(barrier)
    transport.write('two ')
    await second.begun

    second.end(true)
    await new Promise(resolve => { setTimeout(resolve, 20) })
    expect(read()).toBe('')
    first.end(true)

    await expect.poll(read).toBe('one two ')
    expect(transport.bufferedBytes).toBe(0)
  })

  test('what comes later waits too, where nothing more is kept', async () => {
    const { barrier, transport, read } = await open()
    const kept = keep(barrier)
    transport.write('one ')
    await kept.begun
    transport.write('two ')
    await new Promise(resolve => { setTimeout(resolve, 20) })
    expect(read()).toBe('')

    kept.end(true)
    await expect.poll(read).toBe('one two ')
    transport.write('three')

    await expect.poll(read).toBe('one two three')
  })

  test('a connection that is closed meanwhile says its last words first', async () => {
    const { barrier, transport, read, closed } = await open()
    const kept = keep(barrier)
    transport.write('one ')
    await kept.begun
    transport.write('farewell')
    transport.close()

    kept.end(true)

    await closed
    expect(read()).toBe('one farewell')
  })

  test('the last words of a connection wait for what is kept in the same turn', async () => {
    const { barrier, transport, read, closed } = await open()
    const kept = keep(barrier)
    transport.write('farewell')
    transport.close()
    await kept.begun
    await new Promise(resolve => { setTimeout(resolve, 20) })
    const readBefore = read()

    kept.end(true)

    await closed
    expect([readBefore, read()]).toEqual(['', 'farewell'])
  })

  test('what may not be said any more is not said: the connection breaks', async () => {
    const { barrier, transport, read, closed } = await open()
    const [first, second] = [keep(barrier), keep(barrier)]
    transport.write('one')
    await second.begun

    first.end(true)
    second.end(false)

    await closed
    expect(read()).toBe('')
  })
})

describe('state that fails to be written', () => {
  const ways: readonly (readonly [string, () => Promise<boolean>])[] = [
    ['throws', () => { throw new Error('a bug') }],
    ['rejects', () => Promise.reject(new Error('a bug'))],
  ]

  /** A connection that says what happens to it. */
  function connection (events: string[]): Connection {
    return {
      flush () { events.push('flush') },
      hold () {},
      release (isPersisted) { events.push(isPersisted ? 'release' : 'break') },
    }
  }

  test.each(ways)('because it %s breaks the connections of that turn only', async (_, flush) => {
    const barrier = new WriteBarrier(log)
    const events: string[] = []
    barrier.beforeClientWrites({ flush })
    barrier.clientWrites(connection(events))
    await expect.poll(() => events).toHaveLength(1)

    barrier.clientWrites(connection(events))

    await expect.poll(() => events).toEqual(['break', 'flush'])
  })

  test.each(ways)('because it %s keeps no other from being written, and no packet from being sent', async (_, flush) => {
    const barrier = new WriteBarrier(log)
    const events: string[] = []
    barrier.beforeClientWrites({ flush })
    const { begun, end } = keep(barrier)
    barrier.afterPersisted({ flush () { throw new Error('a bug') } })
    barrier.afterPersisted({ flush () { events.push('packet') } })

    await begun
    end(true)

    await expect.poll(() => events).toEqual(['packet'])
  })
})

describe('what one turn writes to many connections', () => {
  /** Connections that take longer to write to than a portion may last, and what happens to them. */
  function slow (count: number): { readonly connections: readonly Connection[], readonly events: string[] } {
    const events: string[] = []
    const work = (event: string): void => {
      const until = performance.now() + 6
      while (performance.now() < until);
      events.push(event)
    }
    const connections = Array.from({ length: count }, (_, number) => ({
      flush () { work(`flush ${number}`) },
      hold () { events.push(`hold ${number}`) },
      release () { work(`release ${number}`) },
    }))
    return { connections, events }
  }

  const turn = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

  test('leaves in portions, and others are heard between them', async () => {
    const barrier = new WriteBarrier(log)
    const { connections, events } = slow(3)

    for (const connection of connections) barrier.clientWrites(connection)
    for (let number = 0; number < 3; number++) {
      await turn()
      events.push('others')
    }

    expect(events).toEqual(['flush 0', 'others', 'flush 1', 'others', 'flush 2', 'others'])
  })

  test('waits for what is kept between two portions', async () => {
    const barrier = new WriteBarrier(log)
    const { connections, events } = slow(3)

    for (const connection of connections) barrier.clientWrites(connection)
    await turn()
    const { begun, end } = keep(barrier)
    await begun
    await turn()
    events.push('kept')
    end(true)

    await expect.poll(() => events).toEqual(['flush 0', 'hold 1', 'hold 2', 'kept', 'release 1', 'release 2'])
  })

  test('leaves in portions when what it waited for is kept', async () => {
    const barrier = new WriteBarrier(log)
    const { connections, events } = slow(3)
    const { begun, end } = keep(barrier)
    for (const connection of connections) barrier.clientWrites(connection)
    await begun
    events.length = 0

    end(true)
    for (let number = 0; number < 3; number++) {
      await turn()
      events.push('others')
    }

    expect(events).toEqual(['release 0', 'others', 'release 1', 'others', 'release 2', 'others'])
  })
})

test('a connection that asks to be flushed while others are, and take long, is flushed too', async () => {
  const barrier = new WriteBarrier(log)
  const flushed: string[] = []
  const flushes = (name: string, work: () => void): Connection =>
    ({ hold: () => {}, release: () => {}, flush: () => { flushed.push(name); work() } })
  const last = flushes('last', () => {})

  for (let n = 0; n < 10; n++) {
    barrier.clientWrites(flushes(`${n}`, () => {
      if (n === 0) barrier.clientWrites(last)
      const until = performance.now() + SLICE_MS
      while (performance.now() < until);
    }))
  }

  await expect.poll(() => flushed).toHaveLength(11)
  expect([...flushed].sort()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'last'])
})
