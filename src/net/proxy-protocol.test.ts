import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { openLog } from '../log.ts'
import { binaryHeader, binaryHeaderFrom, textHeaderFrom } from '../../test/support/wire/proxy-header.ts'
import { AddressLimit } from './addresses.ts'
import { Certificates } from './certificates.ts'
import { listenHttp } from './http.ts'
import { listen } from './listener.ts'
import type { Listener, ListenOptions } from './listener.ts'
import { PRIVATE_NETWORKS } from './networks.ts'
import { TlsServer } from './tls.ts'
import type { Transport } from './transport.ts'
import { WebSocketEndpoint } from './websocket.ts'
import { WriteBarrier } from './write-barrier.ts'

const HEADERS = [
  ['version 1', textHeaderFrom('192.0.2.7')],
  ['version 2', binaryHeaderFrom('192.0.2.7')],
  ['version 2 with more behind the addresses', binaryHeaderFrom('192.0.2.7', Buffer.alloc(300))],
] as const

const UPGRADE = Buffer.from('GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: xmpp\r\n' +
  'X-Forwarded-For: 198.51.100.9\r\n\r\n')

let data: string
let certificates: Certificates
let warnings: string[] = []
const log = await openLog({ level: 'warn' }, { write: line => { warnings.push(line) } })
const cleanup: (() => void)[] = []

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'proxy-'))
  const silent = await openLog({ level: 'silent' })
  certificates = await Certificates.load({ hosts: ['localhost'], data, log: silent, filesOf: {} })
})
beforeEach(() => { warnings = [] })
afterEach(() => { for (const undo of cleanup.splice(0)) undo() })
afterAll(async () => {
  certificates.close()
  await rm(data, { recursive: true })
})

interface Served {
  readonly port: number
  readonly listener: Pick<Listener, 'stop' | 'close'>
  readonly accepted: readonly Transport[]
}

/** A port behind a balancer on this machine, where each stream is an echo. */
async function serve (options: Partial<ListenOptions> = {}, balancers = PRIVATE_NETWORKS): Promise<Served> {
  const accepted: Transport[] = []
  const at = [{ at: '127.0.0.1:0', balancers }]
  const listener = await listen(
    at,
    { key: 'listen.client', log, barrier: new WriteBarrier(log), ...options },
    transport => {
      accepted.push(transport)
      transport.onData = chunk => transport.write(chunk)
    })
  cleanup.push(() => listener.close())
  return { port: listener.addresses[0]?.port ?? 0, listener, accepted }
}

async function serveHttp (streams?: AddressLimit, connections?: AddressLimit): Promise<Served> {
  const accepted: Transport[] = []
  const endpoint = new WebSocketEndpoint(
    { barrier: new WriteBarrier(log), maxMessageBytes: 10_000, streams },
    transport => accepted.push(transport),
  )
  const listener = await listenHttp([{ at: '127.0.0.1:0', balancers: PRIVATE_NETWORKS }], {
    key: 'listen.http', log, routes: {}, upgrades: { '/ws': endpoint.upgrade }, connections,
  })
  cleanup.push(() => { endpoint.close(); listener.close() })
  return { port: listener.addresses[0]?.port ?? 0, listener, accepted }
}

function dial ({ port }: Served, from = '127.0.0.1'): Socket {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from, noDelay: true }).on('error', () => {})
  cleanup.push(() => socket.destroy())
  return socket
}

/** Each in a chunk of its own, as far as this side can see to it. */
async function writeEach (socket: Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    await new Promise(resolve => { socket.write(piece, resolve) })
    await turn()
    await turn()
  }
}

async function read (socket: Duplex, length: number): Promise<string> {
  let text = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    if (text.length >= length) break
  }
  return text
}

async function closed (socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', chunk => { text += String(chunk) })
  if (!socket.closed) await once(socket, 'close')
  return text
}

/** No deadline passes until the test says so. */
function stopTheClock (): void {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  cleanup.push(() => { vi.useRealTimers() })
}

/** Where to cut `length` bytes. */
function cuts (length: number): fc.Arbitrary<readonly number[]> {
  return fc.uniqueArray(fc.integer({ min: 1, max: length - 1 }), { maxLength: 6 })
    .map(at => at.toSorted((a, b) => a - b))
}

function cut (bytes: Buffer, at: readonly number[]): readonly Buffer[] {
  return [0, ...at].map((start, index) => bytes.subarray(start, at[index]))
}

describe.each(HEADERS)('the header of %s', (_name, header) => {
  test('and the stream behind it may come in any pieces', async () => {
    const served = await serve()
    const text = "<?xml version='1.0'?><stream:stream to='localhost'>"
    const bytes = Buffer.concat([header, Buffer.from(text)])

    await fc.assert(fc.asyncProperty(cuts(bytes.length), async at => {
      const socket = dial(served)
      await writeEach(socket, cut(bytes, at))
      expect(await read(socket, text.length)).toBe(text)
      socket.destroy()
    }), { numRuns: 50 })

    expect(new Set(served.accepted.map(({ remoteAddress }) => remoteAddress))).toEqual(new Set(['192.0.2.7']))
  })

  test('comes before the TLS handshake, in any pieces', async () => {
    const served = await serve({ tls: new TlsServer(certificates), directTlsFor: 'localhost' })

    await fc.assert(fc.asyncProperty(cuts(header.length + 200), async at => {
      const socket = connectTls({ socket: withPreface(dial(served), header, at), rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      socket.write('hello')
      expect(await read(socket, 5)).toBe('hello')
      socket.destroy()
    }), { numRuns: 20 })

    expect(new Set(served.accepted.map(({ remoteAddress }) => remoteAddress))).toEqual(new Set(['192.0.2.7']))
  })

  test('comes before HTTP, in any pieces, and says more than a header of HTTP does', async () => {
    const served = await serveHttp()
    const bytes = Buffer.concat([header, UPGRADE])

    await fc.assert(fc.asyncProperty(cuts(bytes.length), async at => {
      const socket = dial(served)
      await writeEach(socket, cut(bytes, at))
      expect(await read(socket, 12)).toMatch(/^HTTP\/1\.1 101 /)
      socket.destroy()
    }), { numRuns: 20 })

    expect(served.accepted).toHaveLength(20)
    expect(served.accepted.filter(({ remoteAddress }) => remoteAddress !== '192.0.2.7')).toEqual([])
  })
})

/** What is written to it goes to `socket` behind the preface, cut at these places. */
function withPreface (socket: Socket, preface: Buffer, at: readonly number[]): Duplex {
  let waiting: Buffer | undefined = preface
  const duplex = new Duplex({
    read () {},
    write (chunk: Buffer, _encoding, done) {
      const bytes = waiting ? Buffer.concat([waiting, chunk]) : chunk
      const pieces = waiting ? cut(bytes, at.filter(place => place < bytes.length)) : [bytes]
      waiting = undefined
      void writeEach(socket, pieces).then(() => done())
    },
    destroy (error, done) {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', chunk => duplex.push(chunk))
  return duplex
}

describe('who is behind a balancer', () => {
  test('is a WebSocket whose TLS the balancer ended', async () => {
    const served = await serveHttp()

    dial(served).write(Buffer.concat([textHeaderFrom('192.0.2.7'), UPGRADE]))

    await vi.waitFor(() => expect(served.accepted).toMatchObject([{ remoteAddress: '192.0.2.7', mayBePlain: true }]))
  })

  test.each([
    ['UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n')],
    ['LOCAL', binaryHeader({ kind: 0x20, addresses: Buffer.alloc(0), family: 0 })],
  ])('is the balancer itself where the header says %s', async (_name, header) => {
    const served = await serve()

    dial(served, '127.0.0.9').write(header)

    await vi.waitFor(() => expect(served.accepted.map(({ remoteAddress }) => remoteAddress)).toEqual(['127.0.0.9']))
  })

  test('has its own limit of connections', async () => {
    const served = await serve({ streams: new AddressLimit(2) })
    const open = async (source: string): Promise<string> => {
      const socket = dial(served)
      socket.write(Buffer.concat([textHeaderFrom(source), Buffer.from('hello')]))
      return await read(socket, 5)
    }

    const answers = [await open('192.0.2.7'), await open('192.0.2.7'), await open('192.0.2.7'), await open('192.0.2.8')]

    expect(answers).toEqual(['hello', 'hello', '', 'hello'])
  })

  test('has its own limit of WebSockets', async () => {
    const served = await serveHttp(new AddressLimit(1))
    const open = async (source: string): Promise<string> => {
      const socket = dial(served)
      socket.write(Buffer.concat([textHeaderFrom(source), UPGRADE]))
      return (await read(socket, 12)).slice(9, 12)
    }

    expect([await open('192.0.2.7'), await open('192.0.2.7'), await open('192.0.2.8')]).toEqual(['101', '429', '101'])
  })

  test('has its own limit of HTTP connections, for which a WebSocket does not count', async () => {
    const served = await serveHttp(undefined, new AddressLimit(1))
    const open = async (source: string, request: Buffer, length: number): Promise<string> => {
      const socket = dial(served)
      socket.write(Buffer.concat([textHeaderFrom(source), request]))
      return (await read(socket, length).catch(() => '')).slice(9, 12)
    }
    const ask = Buffer.from('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')

    const webSocket = await open('192.0.2.7', UPGRADE, 12)
    const first = await open('192.0.2.7', ask, 12)
    const second = await open('192.0.2.7', ask, 12)
    const other = await open('192.0.2.8', ask, 12)

    expect([webSocket, first, second, other]).toEqual(['101', '200', '', '200'])
  })

  test('loses nothing where the stream does not read at first', async () => {
    const at = [{ at: '127.0.0.1:0', balancers: PRIVATE_NETWORKS }]
    const listener = await listen(at, { key: 'listen.client', log, barrier: new WriteBarrier(log) }, transport => {
      transport.pause()
      transport.onData = chunk => transport.write(chunk)
      setTimeout(() => transport.resume(), 20)
    })
    cleanup.push(() => listener.close())
    const socket = connect(listener.addresses[0]?.port ?? 0, '127.0.0.1')

    socket.end(Buffer.concat([textHeaderFrom('192.0.2.7'), Buffer.from('all of it')]))

    expect(await closed(socket)).toBe('all of it')
  })
})

describe('a connection is closed, with a line in the log, and others go on:', () => {
  test.each([
    ['no header', "<?xml version='1.0'?>", 'no PROXY header came first'],
    ['TLS at once', Buffer.from([0x16, 0x03, 0x01, 0x02]), 'no PROXY header came first'],
    ['a header that is wrong', 'PROXY TCP4 somewhere else 1 2\r\n', 'the PROXY line is malformed'],
    ['a header without an end', `PROXY TCP4 ${'1'.repeat(100)}`, 'the PROXY line is too long'],
    ['a header of UDP', binaryHeader({ family: 0x12 }), 'the PROXY header is for another protocol than TCP'],
  ])('%s', async (_name, bytes, reason) => {
    const served = await serve()
    const [before, bad] = [dial(served), dial(served)]
    before.write(textHeaderFrom('192.0.2.7').subarray(0, 9))

    bad.write(bytes)
    const answer = await closed(bad)
    before.write(Buffer.concat([textHeaderFrom('192.0.2.7').subarray(9), Buffer.from('hello')]))

    expect(answer).toBe('')
    expect(await read(before, 5)).toBe('hello')
    expect(warnings.map(line => JSON.parse(line) as unknown)).toMatchObject(
      [{ key: 'listen.client', address: '127.0.0.1', reason, event: 'listener.connection_refused' }])
  })

  test('an address that is not listed is not believed', async () => {
    const served = await serve({}, ['127.0.0.9', '10.0.0.0/8'])

    const stranger = dial(served)
    stranger.write(Buffer.concat([textHeaderFrom('192.0.2.7'), Buffer.from('hello')]))
    const listed = dial(served, '127.0.0.9')
    listed.write(Buffer.concat([textHeaderFrom('192.0.2.8'), Buffer.from('hello')]))

    expect(await closed(stranger)).toBe('')
    expect(await read(listed, 5)).toBe('hello')
    expect(served.accepted.map(({ remoteAddress }) => remoteAddress)).toEqual(['192.0.2.8'])
    expect(warnings.map(line => JSON.parse(line) as unknown)).toMatchObject(
      [{ address: '127.0.0.1', reason: 'its address is none of those that proxy-protocol lists' }])
  })

  test('of many in a row the first is a warning', async () => {
    const served = await serve({}, ['10.0.0.0/8'])

    for (let count = 0; count < 3; count++) await closed(dial(served))

    expect(warnings).toHaveLength(1)
  })

  test('a header that never comes', async () => {
    stopTheClock()
    const served = await serve()
    const [silent, slow] = [dial(served), dial(served)]
    await writeEach(slow, [textHeaderFrom('192.0.2.7').subarray(0, -1)])
    const passed = dial(served)
    passed.write(Buffer.concat([textHeaderFrom('192.0.2.7'), Buffer.from('hello')]))
    expect(await read(passed, 5)).toBe('hello')

    vi.advanceTimersByTime(10_000)
    await Promise.all([closed(silent), closed(slow)])
    passed.write('still here')

    expect(await read(passed, 10)).toBe('still here')
    expect(warnings.join()).toContain('no PROXY header came in time')
  })
})

test('who goes before the header is whole is let go without a word', async () => {
  const served = await serve()
  const socket = dial(served)

  socket.end('PROXY ')

  expect(await closed(socket)).toBe('')
  expect([served.accepted, warnings]).toEqual([[], []])
})

test.each([
  ['streams', serve], ['HTTP', serveHttp],
])('a port for %s that stops cuts who has not said its header', async (_name, open) => {
  stopTheClock()
  const served = await open()
  const socket = dial(served)
  await writeEach(socket, [Buffer.from('PROXY ')])

  served.listener.stop()

  expect(await closed(socket)).toBe('')
})
