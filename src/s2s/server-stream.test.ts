/** A stream between servers, over real sockets: what is true of it whatever its elements mean. */
import { createConnection } from 'node:net'
import type { Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { openLog } from '../log.ts'
import { listen } from '../net/listener.ts'
import type { Listener } from '../net/listener.ts'
import { WriteBarrier } from '../net/write-barrier.ts'
import { StreamFault } from '../stream/stream-error.ts'
import { el } from '../xml/element.ts'
import type { Frame } from '../xml/framer.ts'
import { StreamError } from '../xmpp/errors.ts'
import { ServerStream } from './server-stream.ts'
import type { StreamProtocol } from './server-stream.ts'

const log = await openLog({ level: 'silent' })
const HEADER = "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' " +
  "from='a.example' to='b.example' version='1.0'>"
const open: (Listener | Socket)[] = []

afterEach(() => {
  for (const one of open.splice(0)) if ('destroy' in one) one.destroy(); else one.close()
})

class Recorder implements StreamProtocol {
  readonly frames: Frame[] = []
  readonly lostBy: (Error | undefined)[] = []
  closedCount = 0
  readonly #stream: ServerStream
  constructor (stream: ServerStream) { this.#stream = stream }
  opened (): void { this.#stream.writeHeader({ id: 'i', from: 'b.example', to: 'a.example' }) }
  take (frame: Frame): void { this.frames.push(frame) }
  closed (): void { this.closedCount++ }
  lost (reason: Error | undefined): void { this.lostBy.push(reason) }
}

interface Connected {
  readonly socket: Socket
  readonly stream: ServerStream
  readonly protocol: Recorder
  readonly heard: () => string
  readonly gone: () => boolean
  readonly clock: { now: number }
}

async function connected (): Promise<Connected> {
  const clock = { now: 0 }
  const accepted = Promise.withResolvers<{ stream: ServerStream, protocol: Recorder }>()
  let isGone = false
  const listener = await listen(['127.0.0.1:0'], { key: 'x', log, barrier: new WriteBarrier(log) }, transport => {
    const parts = { log, now: () => clock.now, stanzaBytes: 20_000, closed: () => { isGone = true } }
    const protocols: Recorder[] = []
    const stream = new ServerStream(transport, parts, stream => {
      protocols.push(new Recorder(stream))
      return protocols[0]!
    })
    accepted.resolve({ stream, protocol: protocols[0]! })
  })
  const socket = createConnection(listener.addresses[0]!.port, '127.0.0.1')
  open.push(listener, socket)
  let text = ''
  socket.on('data', chunk => { text += chunk.toString() })
  return { socket, ...await accepted.promise, heard: () => text, gone: () => isGone, clock }
}

test('a header in another namespace ends the stream, behind a header of our own', async () => {
  const { socket, heard, gone } = await connected()

  socket.write(HEADER.replace('jabber:server', 'jabber:client'))

  await expect.poll(heard).toMatch(/^<\?xml.*<stream:stream .*<invalid-namespace .*<\/stream:error><\/stream:stream>$/)
  await expect.poll(gone).toBe(true)
})

test('an element before the header is no stream', async () => {
  const { socket, heard } = await connected()

  socket.write('<message/>')

  await expect.poll(heard).toContain('<bad-format ')
})

test('the header of a server declares dialback', async () => {
  const { socket, heard } = await connected()

  socket.write(HEADER)

  await expect.poll(heard).toContain("xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' " +
    "xmlns:db='jabber:server:dialback' id='i'")
})

test('a stream that its peer closes is closed in return, and lost once', async () => {
  const { socket, protocol, heard, gone } = await connected()

  socket.write(`${HEADER}<message/></stream:stream>`)

  await expect.poll(heard).toMatch(/<\/stream:stream>$/)
  await expect.poll(gone).toBe(true)
  expect(protocol).toMatchObject({ frames: [{ name: 'message', ns: 'jabber:client' }], closedCount: 1, lostBy: [undefined] })
})

test('the error with which a peer ends its stream is told', async () => {
  const { socket, protocol, heard } = await connected()
  const error = "<host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" +
    "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>who?</text>"

  socket.write(`${HEADER}<stream:error>${error}</stream:error></stream:stream>`)

  await expect.poll(() => protocol.lostBy.length).toBe(1)
  expect(protocol.lostBy[0]).toBeInstanceOf(StreamFault)
  expect(protocol.lostBy[0]).toMatchObject({ condition: 'host-unknown', text: 'who?' })
  await expect.poll(heard).toMatch(/<\/stream:stream>$/)
  expect(heard()).not.toContain('stream:error')
})

test('a peer that does not prove who it is in time is disconnected, one that has may be silent', async () => {
  const [stranger, known] = [await connected(), await connected()]
  known.stream.establish()

  for (const { stream, clock } of [stranger, known]) {
    stream.check(clock.now = 20_000)
    stream.check(clock.now = 61_000)
  }

  await expect.poll(stranger.heard).toContain('<connection-timeout ')
  expect(known.stream.isClosed).toBe(false)
})

test('a stream on which nothing comes and goes is closed after a while', async () => {
  const { stream, heard } = await connected()
  stream.establish()

  stream.check(1)
  stream.check(31 * 60_000)

  await expect.poll(heard).toMatch(/<\/stream:stream>$/)
  expect(heard()).not.toContain('stream:error')
})

test('an element may be large only of a peer that has proven who it is', async () => {
  const [stranger, known] = [await connected(), await connected()]
  known.stream.establish()

  for (const { socket } of [stranger, known]) socket.write(`${HEADER}<message>${'x'.repeat(15_000)}</message>`)

  await expect.poll(stranger.heard).toContain('<policy-violation ')
  await expect.poll(() => known.protocol.frames.length).toBe(1)
})

test('what a peer sent before it disconnected is processed before the stream is lost', async () => {
  const { socket, stream, protocol, gone } = await connected()
  stream.establish()
  const waited = Promise.withResolvers<void>()
  protocol.take = frame => {
    protocol.frames.push(frame)
    return waited.promise
  }

  socket.end(`${HEADER}<message/><presence/>`)
  await expect.poll(() => protocol.frames.length).toBe(1)
  waited.resolve()

  await expect.poll(() => protocol.frames.length).toBe(2)
  await expect.poll(gone).toBe(true)
  expect(protocol.lostBy).toEqual([undefined])
})

test('what the peer has sent before it heard of the end is taken, and then the stream is lost', async () => {
  const { socket, stream, protocol, heard, gone } = await connected()
  stream.establish()
  socket.write(HEADER)
  await expect.poll(heard).toContain("id='i'")

  stream.close()
  await expect.poll(heard).toMatch(/<\/stream:stream>$/)
  socket.write('<message/>')
  await expect.poll(() => protocol.frames.length).toBe(1)
  expect(protocol.lostBy).toEqual([])
  socket.write('</stream:stream>')

  await expect.poll(gone).toBe(true)
  expect(protocol.lostBy).toEqual([undefined])
})

test('a peer that does not close its stream in return is disconnected after a while', async () => {
  const { socket, stream, protocol, gone, clock } = await connected()
  stream.establish()
  socket.write(HEADER)

  stream.close(new StreamError('system-shutdown'))
  stream.check(clock.now = 6_000)

  await expect.poll(gone).toBe(true)
  expect(protocol.lostBy).toMatchObject([{ condition: 'system-shutdown' }])
})

test('a stream that ends while an element takes time is forgotten with its connection', async () => {
  const [failed, cut] = [await connected(), await connected()]
  const waited = Promise.withResolvers<void>()
  for (const { socket, stream, protocol } of [failed, cut]) {
    stream.establish()
    protocol.take = frame => {
      protocol.frames.push(frame)
      return waited.promise
    }
    socket.write(`${HEADER}<message/><presence/>`)
    await expect.poll(() => protocol.frames.length).toBe(1)
  }

  cut.stream.abort()
  waited.reject(new StreamError('invalid-from'))

  for (const { protocol, gone } of [failed, cut]) {
    await expect.poll(gone).toBe(true)
    expect(protocol.frames).toHaveLength(1)
    expect(protocol.lostBy).toHaveLength(1)
  }
})

test('a peer that has much to read is still read from, as it may wait for the same', async () => {
  const { socket, stream, protocol, heard } = await connected()
  stream.establish()
  socket.write(HEADER)
  await expect.poll(heard).toContain("id='i'")
  socket.pause()

  for (let n = 0; n < 100; n++) stream.writeElement(el('x', 'urn:x', {}, 'x'.repeat(100_000)))
  socket.write('<message/>')

  await expect.poll(() => protocol.frames.length).toBe(1)
  expect(stream.bufferedBytes).toBeGreaterThan(1024 * 1024)
})
