/** XMPP over WebSocket under attack: RFC 7395's framing broken, RFC 6455's frames broken, floods of frames. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { EVERYTHING, Innocents } from './innocents.ts'
import { ELSEWHERE, auth, response } from './peer.ts'
import { peakMemory, startTarget } from './server.ts'
import type { Target } from './server.ts'

const MOST_MEGABYTES = 260
const OPEN = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>"
const TEXT = 0x1
const BINARY = 0x2
const PING = 0x9
const FINAL = 0x80

let target: Target
let innocents: Innocents
let mallory: WebSocketPeer

beforeAll(async () => {
  // So that a second wrong guess at an account waits, and all that comes behind it.
  target = await startTarget({ 'failed-logins-per-minute': 1 })
  innocents = await Innocents.logIn(target)
}, 60_000)

afterEach(async () => {
  mallory.destroy()
  expect(await innocents.talk()).toEqual(EVERYTHING)
  expect(peakMemory(target)).toBeLessThan(MOST_MEGABYTES)
})

afterAll(() => target.stop())

describe('a message', () => {
  test.each([
    ['that is no <open/> at first', "<message xmlns='jabber:client'/>", 'bad-format'],
    ['with two elements', OPEN + OPEN, 'not-well-formed'],
    ['with half an element', OPEN.slice(0, -2), 'not-well-formed'],
    ['with nothing', '', 'bad-format'],
    ['with white space before the element', ` ${OPEN}`, 'bad-format'],
    [
      'with the header of a TCP stream',
      "<stream:stream to='localhost' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
      'not-well-formed',
    ],
    ['for an unknown host', OPEN.replace("'localhost'", "'elsewhere.example'"), 'host-unknown'],
    ['with a DTD', '<!DOCTYPE open>', 'restricted-xml'],
    ['with a million levels', '<a>'.repeat(80_000), 'policy-violation'],
    ['with 200 000 bytes', `<message xmlns='jabber:client'>${'x'.repeat(200_000)}</message>`, 'policy-violation'],
  ])('%s ends the stream', async (_name, text, condition) => {
    mallory = await WebSocketPeer.connect(target)

    mallory.send(text)

    expect(await mallory.streamError()).toBe(condition)
  })

  test.each([
    ['before the login', "<message xmlns='jabber:client' to='juliet@localhost'/>", 'not-authorized'],
    ['that opens the stream again', OPEN, 'invalid-xml'],
    ['with two elements', "<presence xmlns='jabber:client'/><presence xmlns='jabber:client'/>", 'not-well-formed'],
    ['that nobody knows', "<hello xmlns='nobody:knows'/>", 'unsupported-stanza-type'],
  ])('%s ends the open stream', async (_name, text, condition) => {
    mallory = await WebSocketPeer.connect(target)
    mallory.send(OPEN)
    await mallory.expectHeard('</stream:features>')

    mallory.send(text)

    expect(await mallory.streamError()).toBe(condition)
  })
})

describe('a frame', () => {
  test.each([
    ['of bytes', frame(BINARY, Buffer.from(OPEN)), 1003, 'bad-format'], // RFC 7395 §3.2
    ['that is not UTF-8', frame(TEXT, Buffer.from([0xc3, 0x28])), 1007, 'unsupported-encoding'],
    ['that is not masked', Buffer.from([0x81, 0x01, 0x20]), 1002, 'bad-format'],
    ['of an unknown kind', frame(0x3, Buffer.alloc(1)), 1002, 'bad-format'],
    ['that goes on with nothing', frame(0x0, Buffer.alloc(1)), 1002, 'bad-format'],
    [
      'with a compression that nobody agreed on',
      Buffer.concat([Buffer.from([0xc1]), frame(TEXT, Buffer.from('x')).subarray(1)]),
      1002,
      'bad-format',
    ],
    [
      'that announces a petabyte',
      Buffer.from([0x81, 0xff, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      1009,
      'policy-violation',
    ],
    ['of 10 MB', frame(TEXT, Buffer.alloc(10 * 1024 * 1024, 0x20)), 1009, 'policy-violation'],
    [
      'in a million pieces',
      Buffer.concat([frame(TEXT, Buffer.from('x'), 0), many(300_000, frame(0x0, Buffer.from('x'), 0))]),
      1008,
      'policy-violation',
    ],
  ])(
    '%s ends the stream, and closes the WebSocket with the code that says so',
    async (_name, bytes, code, condition) => {
      mallory = await WebSocketPeer.connect(target)

      mallory.write(bytes)

      expect(await mallory.streamError()).toBe(condition)
      expect(await mallory.closeCode()).toBe(code)
    })

  test('of no use costs no memory, be there a million of it', async () => {
    mallory = await WebSocketPeer.connect(target)

    for (let count = 0; count < 100; count++) mallory.write(many(10_000, frame(PING, Buffer.alloc(100))))

    await mallory.flushed()
  })

  test('without a word costs memory as others do while it waits', async () => {
    mallory = await WebSocketPeer.connect(target)
    mallory.send(OPEN)
    await mallory.expectHeard('</stream:features>')
    for (let guess = 1; guess <= 2; guess++) {
      mallory.send(auth('SCRAM-SHA-1', 'n,,n=nobody,r=x'))
      await mallory.expectHeard('</challenge>', guess)
      mallory.send(response(`c=biws,r=${mallory.nonce()},p=${Buffer.alloc(20).toString('base64')}`))
      if (guess === 1) await mallory.expectHeard('</failure>')
    }

    for (let count = 0; count < 600; count++) mallory.write(many(10_000, frame(TEXT, Buffer.alloc(0))))

    await delay(3_000)
  })
})

test.each([
  ['another protocol', 'Sec-WebSocket-Protocol: mqtt', 'GET'],
  ['no protocol', 'X-Nothing: 1', 'GET'],
  ['another method', 'Sec-WebSocket-Protocol: xmpp', 'POST'],
])('an upgrade with %s is refused', async (_name, line, method) => {
  mallory = await WebSocketPeer.connect(target, line, method)

  expect(mallory.status).toMatch(/^HTTP\/1\.1 4\d\d /)
})

describe('HTTP', () => {
  test.each([
    ['nonsense', '\x16\x03\x01\x02\x00\x01\x00'],
    ['headers without end', `GET /ws HTTP/1.1\r\n${'X-A: 1\r\n'.repeat(10_000)}`],
    ['an endless address', `GET /${'x'.repeat(1_000_000)} HTTP/1.1\r\n\r\n`],
  ])('with %s is refused', async (_name, bytes) => {
    mallory = await WebSocketPeer.dial(target)

    mallory.write(Buffer.from(bytes))

    await mallory.expectClosed()
  })
})

/** One frame as a client sends it (RFC 6455 §5.2). */
function frame (kind: number, payload: Buffer, first = FINAL): Buffer {
  const mask = randomBytes(4)
  const length = payload.length < 126
    ? Buffer.from([0x80 | payload.length])
    : payload.length < 65_536 ? Buffer.alloc(3, 0xfe) : Buffer.alloc(9, 0xff)
  if (length.length === 3) length.writeUInt16BE(payload.length, 1)
  if (length.length === 9) length.writeBigUInt64BE(BigInt(payload.length), 1)
  const masked = payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0))
  return Buffer.concat([Buffer.from([first | kind]), length, mask, masked])
}

function many (count: number, bytes: Buffer): Buffer {
  return Buffer.concat(Array<Buffer>(count).fill(bytes))
}

/** A WebSocket client that sends the frames which it is told. */
class WebSocketPeer {
  readonly #socket: Socket
  #received = ''
  #isClosed = false
  #tell = (): void => {}
  status = ''

  private constructor (socket: Socket) {
    this.#socket = socket.on('error', () => {}).setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#received += text
      this.#tell()
    })
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.#isClosed = true
        this.#tell()
      })
    }
  }

  static async dial ({ httpPort }: Target): Promise<WebSocketPeer> {
    const socket = connect({ port: httpPort, host: '127.0.0.1', localAddress: ELSEWHERE })
    await once(socket, 'connect')
    return new WebSocketPeer(socket)
  }

  static async connect (target: Target, line = 'Sec-WebSocket-Protocol: xmpp', method = 'GET'): Promise<WebSocketPeer> {
    const peer = await WebSocketPeer.dial(target)
    peer.write(
      Buffer.from(
        `${method} /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n${line}\r\n\r\n`))
    await peer.expectHeard('\r\n\r\n')
    peer.status = peer.#received
    peer.#received = ''
    return peer
  }

  send (text: string): void {
    this.write(frame(TEXT, Buffer.from(text)))
  }

  write (bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  async expectHeard (text: string, times = 1): Promise<void> {
    while (this.#received.split(text).length <= times) {
      if (this.#isClosed) throw new Error(`closed before ${text}: ${this.#received}`)
      await this.#arrival()
    }
  }

  /** Of the last challenge. */
  nonce (): string {
    const [challenge = ''] = /[^>]*(?=<\/challenge>(?!.*<\/challenge>))/.exec(this.#received) ?? []
    return /^r=([^,]+)/.exec(Buffer.from(challenge, 'base64').toString())?.[1] ?? ''
  }

  /** All that was written has left, or never can. */
  async flushed (): Promise<void> {
    await new Promise<void>(resolve => { this.#socket.write('', () => { resolve() }) })
  }

  /** The condition by which the server ends the stream, and then the WebSocket. */
  async streamError (): Promise<string> {
    await this.expectHeard("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'")
    await this.closeCode()
    return /<stream:error[^>]*><([a-z-]+) /.exec(this.#received)?.[1] ?? this.#received
  }

  /** What the closing frame says, which is the last. */
  async closeCode (): Promise<number> {
    await this.expectHeard('\x88\x02')
    await this.expectClosed()
    const at = this.#received.lastIndexOf('\x88\x02')
    return Buffer.from(this.#received.slice(at + 2, at + 4), 'latin1').readUInt16BE()
  }

  async expectClosed (): Promise<void> {
    if (this.#isClosed) return
    // The closing handshake; whoever broke the framing is not heard any more, and is cut.
    this.write(frame(0x8, Buffer.alloc(0)))
    this.#socket.end()
    while (!this.#isClosed) await this.#arrival()
  }

  destroy (): void {
    this.#socket.destroy()
  }

  #arrival (): Promise<void> {
    return new Promise(resolve => { this.#tell = resolve })
  }
}
