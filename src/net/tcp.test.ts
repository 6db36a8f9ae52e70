import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { openLog } from '../log.ts'
import { TcpTransport } from './tcp.ts'
import { WriteBarrier } from './write-barrier.ts'

const log = await openLog({ level: 'silent' })
const cleanup: (() => void)[] = []

beforeAll(() => { vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }) })
afterAll(() => { vi.useRealTimers() })
afterEach(() => {
  for (const undo of cleanup.splice(0)) undo()
})

interface Pair { readonly transport: TcpTransport, readonly socket: Socket, readonly peer: Socket }

async function connectPair (): Promise<Pair> {
  const server = createServer({ noDelay: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const { port } = server.address() as AddressInfo
  const peer = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [socket] = await accepted as [Socket]
  await once(peer, 'connect')
  cleanup.push(() => { server.close(); peer.destroy(); socket.destroy() })
  return { transport: new TcpTransport(socket, { barrier: new WriteBarrier(log) }), socket, peer }
}

async function readAll (peer: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of peer) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function closed (transport: TcpTransport): Promise<Error | undefined> {
  return new Promise(resolve => { transport.onClose = resolve })
}

test('text and bytes written in turn arrive in that order and in one write a turn', async () => {
  const { transport, socket, peer } = await connectPair()
  const write = vi.spyOn(socket, 'write')

  const bytes = Buffer.from([0xff, 0x00])
  for (const part of ['<body>', Buffer.from('grüße'), '€ und ☎', bytes, '</body>']) transport.write(part)
  await new Promise(setImmediate)
  transport.write('later')
  transport.close()

  const expected = [Buffer.from('<body>grüße€ und ☎'), bytes, Buffer.from('</body>later')]
  expect(await readAll(peer)).toEqual(Buffer.concat(expected))
  expect(write).toHaveBeenCalledTimes(2)
})

test('an echo of many small messages keeps their order', async () => {
  const { transport, peer } = await connectPair()
  transport.onData = chunk => {
    transport.write('[')
    transport.write(chunk)
    transport.write(']')
  }
  const sent = Array.from({ length: 2000 }, (_, index) => `${index};`).join('')

  for (const part of sent.match(/\d+;/g) ?? []) peer.write(part)
  peer.end()

  const echoed = (await readAll(peer)).toString()
  expect(echoed.replaceAll(/[[\]]/g, '')).toBe(sent)
})

test('connections that write in the same turn are all flushed', async () => {
  const pairs = await Promise.all([connectPair(), connectPair(), connectPair()])

  pairs.forEach(({ transport }, index) => transport.write(`for ${index}`))
  const heard = await Promise.all(pairs.map(async ({ peer }) => String(await once(peer, 'data'))))

  expect(heard).toEqual(['for 0', 'for 1', 'for 2'])
})

test('closing sends what was written before, and nothing written after', async () => {
  const { transport, peer } = await connectPair()
  const end = closed(transport)

  transport.write('before')
  transport.close()
  transport.write('after')
  transport.close()
  const heard = await readAll(peer)
  peer.end()

  expect(heard.toString()).toBe('before')
  expect(await end).toBeUndefined()
})

test('a peer that has ended its side still hears the answers to what it sent', async () => {
  const { transport, peer } = await connectPair()
  transport.onData = chunk => transport.write(`heard ${chunk.toString()}`)

  peer.end('goodbye')

  expect((await readAll(peer)).toString()).toBe('heard goodbye')
})

test('data that comes after the server closed is not handed over', async () => {
  const { transport, peer } = await connectPair()
  const onData = vi.fn()
  transport.onData = onData
  const end = closed(transport)

  transport.close()
  peer.end('too late')
  peer.resume()

  await end
  expect(onData).not.toHaveBeenCalled()
})

test('a peer that never closes its side is cut off', async () => {
  const { transport, peer } = await connectPair()
  peer.resume()
  const end = closed(transport)

  transport.close()
  await once(peer, 'end')
  vi.advanceTimersByTime(60_000)

  await end
  expect(peer.writableEnded).toBe(false)
})

test('a connection that the peer resets ends with the reason', async () => {
  const { transport, peer } = await connectPair()
  const end = closed(transport)

  peer.resetAndDestroy()

  expect(await end).toMatchObject({ code: 'ECONNRESET' })
})

test('writing to a connection that has broken is harmless', async () => {
  const { transport, peer } = await connectPair()
  const end = closed(transport)

  peer.destroy()
  await once(peer, 'close')
  for (let turn = 0; turn < 20; turn++) {
    transport.write('is anybody there?')
    await new Promise(setImmediate)
  }

  await end
  transport.write('nobody')
  transport.destroy()
  expect(transport.bufferedBytes).toBe(0)
})

test('a slow reader shows in the bytes that wait for it, and gets all of them', async () => {
  const { transport, peer } = await connectPair()
  const part = Buffer.alloc(1 << 20, 'x')
  peer.pause()

  for (let count = 0; count < 32; count++) transport.write(part)
  const written = transport.bufferedBytes
  await new Promise(setImmediate)
  const waiting = transport.bufferedBytes
  let taken = 0
  peer.on('data', chunk => { taken += chunk.length }).resume()
  while (taken < 32 * part.length) await once(peer, 'data')
  await vi.waitFor(() => expect(transport.bufferedBytes).toBe(0))

  expect(written).toBe(32 * part.length)
  expect(waiting).toBeGreaterThan(part.length)
})

test('reading goes on only when everyone who paused it has resumed it', async () => {
  const { transport, socket, peer } = await connectPair()
  const heard: string[] = []
  transport.onData = chunk => heard.push(chunk.toString())

  transport.pause()
  transport.pause()
  peer.write('patience')
  transport.resume()
  await vi.waitFor(() => expect(socket.readableLength).toBe('patience'.length))
  const heardWhilePaused = heard.length
  transport.resume()
  transport.resume()
  await vi.waitFor(() => expect(heard).toEqual(['patience']))

  expect(heardWhilePaused).toBe(0)
  transport.pause()
  expect(socket.isPaused()).toBe(true)
})
