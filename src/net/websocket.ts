/**
 * XMPP over WebSocket (RFC 7395): one message is one element. The upgrade is that of `ws`, with a looser check of the
 * key. Silent connections are pinged, and cut without an answer; one timer serves all of them.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import type { Server } from 'ws'
import { ignore } from '../util/ignore.ts'
import { XmlError } from '../xml/xml-error.ts'
import type { XmlErrorCondition } from '../xml/xml-error.ts'
import { isLoopback, plainAddress } from './addresses.ts'
import type { AddressLimit } from './addresses.ts'
import { Deadlines } from './deadlines.ts'
import { refuseUpgrade } from './http.ts'
import { isFromBalancer, peerAddress } from './proxy-protocol.ts'
import type { Shaped, Shaper } from './shaper.ts'
import type { Transport } from './transport.ts'
import type { WriteBarrier } from './write-barrier.ts'
import { WriteQueue } from './write-queue.ts'
import type { Outlet, Part } from './write-queue.ts'

const SUBPROTOCOL = 'xmpp'
const NORMAL = 1000
const UNSUPPORTED_DATA = 1003
/** The WebSocket errors that end a connection (RFC 6455 §7.4.1), with their stream errors (RFC 6120 §4.9.3). */
const FAULTS: ReadonlyMap<number, readonly [XmlErrorCondition, string]> = new Map([
  [1002, ['bad-format', 'what came is no frame of a WebSocket']],
  [UNSUPPORTED_DATA, ['bad-format', 'a message is text']], // RFC 7395 §3.2
  [1007, ['unsupported-encoding', 'not UTF-8']],
  [1008, ['policy-violation', 'too many fragments']],
  [1009, ['policy-violation', 'too large']],
])
const PING_MS = 45_000
/** The timeout for a peer to read the rest and to close its side. */
const FAREWELL_MS = 5_000
/** The same for a close by the peer; the option is missing in the types of `ws`. */
const WS_FAREWELL = { closeTimeout: FAREWELL_MS }
/** The smallest header of a client's message (RFC 6455 §5.2), so that empty messages count towards the read limit. */
const FRAME_BYTES = 6

/** RFC 6455 §1.3: the GUID hashed with the key. */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const ANY_KEY = /^[+/0-9A-Za-z]{22,86}={0,2}$/
const STAND_IN_KEY = 'AAAAAAAAAAAAAAAAAAAAAA=='

export interface WebSocketOptions {
  readonly barrier: WriteBarrier
  /** A longer message is a `policy-violation`. */
  readonly maxMessageBytes: number
  readonly streams?: AddressLimit | undefined
  /** The allowed origins of web pages, as browsers write them. */
  readonly origins?: 'any' | readonly string[]
  readonly shaper?: Shaper | undefined
}

/** The endpoint: the HTTP server calls its `upgrade`, which passes each connection to `accept`. */
export class WebSocketEndpoint {
  readonly #options: WebSocketOptions
  readonly #accept: (transport: Transport) => void
  readonly #server: Server<typeof PatientWebSocket>
  readonly #open = new Set<WebSocketTransport>()
  readonly #keys = new WeakMap<IncomingMessage, string>()
  readonly #timer: NodeJS.Timeout

  constructor (options: WebSocketOptions, accept: (transport: Transport) => void) {
    this.#options = options
    this.#accept = accept
    this.#server = new WebSocketServer({
      WebSocket: PatientWebSocket,
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.maxMessageBytes,
      ...WS_FAREWELL,
      handleProtocols: () => SUBPROTOCOL,
    })
    this.#server.on('headers', (headers, request) => this.#answerKey(headers, request))
    this.#timer = setInterval(() => this.ping(), PING_MS).unref()
  }

  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // RFC 7395 §3.1
    if (!offersXmpp(request)) {
      refuseUpgrade(socket, 400, 'The sub-protocol xmpp is required\n')
      return
    }
    // RFC 6455 §10.2
    if (!this.#isWelcome(request.headers.origin)) {
      refuseUpgrade(socket, 403, 'Pages of this origin may not connect\n')
      return
    }
    const { address, mayBePlain } = whoAsks(request)
    if (this.#options.streams?.take(address) === false) {
      refuseUpgrade(socket, 429)
      return
    }
    socket.once('close', () => this.#options.streams?.release(address))
    this.#standIn(request)
    this.#server.handleUpgrade(request, socket, head, webSocket =>
      this.#admit(new WebSocketTransport(webSocket, socket, address, mayBePlain, this.#options), webSocket))
  }

  /** Whether the origin may connect; only browsers send one. */
  #isWelcome (origin: string | undefined): boolean {
    const { origins = 'any' } = this.#options
    return origins === 'any' || origin === undefined || origins.includes(origin)
  }

  /** Pings all connections, and cuts those without any message since the last ping. */
  ping (): void {
    for (const transport of this.#open) transport.ping()
  }

  /** Cuts all open connections. */
  close (): void {
    clearInterval(this.#timer)
    for (const transport of this.#open) transport.destroy()
  }

  #admit (transport: WebSocketTransport, webSocket: WebSocket): void {
    this.#open.add(transport)
    webSocket.once('close', () => this.#open.delete(transport))
    this.#accept(transport)
  }

  // COMPAT(a compliance tester): it sends a key of 36 bytes instead of 16 (RFC 6455 §4.1), which `ws` would refuse.
  #standIn (request: IncomingMessage): void {
    const key = request.headers['sec-websocket-key']
    if (key === undefined || key.length === STAND_IN_KEY.length || !ANY_KEY.test(key)) return
    this.#keys.set(request, key)
    request.headers['sec-websocket-key'] = STAND_IN_KEY
  }

  #answerKey (headers: string[], request: IncomingMessage): void {
    const key = this.#keys.get(request)
    if (key === undefined) return
    const at = headers.findIndex(header => header.startsWith('Sec-WebSocket-Accept:'))
    headers[at] = `Sec-WebSocket-Accept: ${createHash('sha1').update(key + ACCEPT_GUID).digest('base64')}`
  }
}

function offersXmpp (request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol'] ?? ''
  return offered.split(',').some(protocol => protocol.trim() === SUBPROTOCOL)
}

/** Calls `unreadable` where `ws` would close the connection at once, so that a stream error can be written first. */
class PatientWebSocket extends WebSocket {
  /** Called with the code of RFC 6455 §7.4.1 when no more messages can be read. */
  unreadable: (code: number) => void = ignore

  // `ws` calls it with a code only after a read error, and with the peer's reason after the peer's close.
  override close (code?: number, reason?: string | Buffer): void {
    if (code === undefined || reason !== undefined || this.readyState !== WebSocket.OPEN) super.close(code, reason)
    else this.unreadable(code)
  }

  /** Closes the connection, as `close` of the base class. */
  end (code: number): void {
    super.close(code)
  }
}

class WebSocketTransport implements Transport, Shaped, Outlet {
  static readonly #farewells = new Deadlines<WebSocketTransport>(FAREWELL_MS, transport => transport.destroy())

  readonly kind = 'websocket'
  readonly remoteAddress: string
  readonly mayBePlain: boolean
  /** The HTTP server has no TLS of its own: a proxy may terminate it. */
  readonly secure = undefined
  onData: (chunk: Buffer) => void = ignore
  onFault: (fault: XmlError) => void = ignore
  onClose: (reason?: Error) => void = ignore
  paidUntil = 0
  readonly #webSocket: PatientWebSocket
  readonly #socket: Duplex
  readonly #shaper: Shaper | undefined
  /** Messages in one chunk with one that led to a pause, and the error that ended the connection. */
  #unread: (Buffer | XmlError)[] = []
  readonly #queue: WriteQueue
  #pauses = 0
  #isClosing = false
  /** The code of the close: another than NORMAL after a read error. */
  #code = NORMAL
  #isAlive = true
  #reason: Error | undefined

  constructor (
    webSocket: PatientWebSocket, socket: Duplex, remoteAddress: string, mayBePlain: boolean,
    { barrier, shaper }: WebSocketOptions,
  ) {
    this.#webSocket = webSocket
    this.#socket = socket
    this.remoteAddress = remoteAddress
    this.mayBePlain = mayBePlain
    this.#shaper = shaper
    this.#queue = new WriteQueue(this, barrier)
    webSocket.on('message', (data, isBinary) => this.#take(data, isBinary))
    webSocket.unreadable = code => { this.#fail(code) }
    webSocket.on('pong', () => { this.#isAlive = true })
    webSocket.on('error', error => { this.#reason ??= error })
    webSocket.on('close', () => this.#finish())
    socket.on('drain', () => { this.#queue.pump() })
  }

  get bufferedBytes (): number {
    return this.#queue.bytes + this.#webSocket.bufferedAmount
  }

  get sentBytes (): number {
    return this.#queue.sent
  }

  drained (): Promise<void> | undefined {
    return this.#queue.drained()
  }

  write (data: Part): void {
    if (!this.#isClosing) this.#queue.write(data)
  }

  get isBlocked (): boolean {
    return this.#socket.writableNeedDrain
  }

  send (messages: readonly Part[]): void {
    this.#socket.cork()
    for (const message of messages) this.#webSocket.send(message, { binary: false })
    this.#socket.uncork()
  }

  end (): void {
    this.#webSocket.end(this.#code)
  }

  close (): void {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#queue.end()
    // Reads the peer's close, even while paused.
    this.#pauses = 0
    this.#webSocket.resume()
    WebSocketTransport.#farewells.add(this)
  }

  destroy (): void {
    this.#isClosing = true
    this.#queue.drop()
    this.#webSocket.terminate()
  }

  charge (bytes: number): void {
    if (!this.#isClosing) this.#shaper?.charge(this, bytes)
  }

  /** Every pause needs its own resume: the shaper and the stream may both pause. */
  pause (): void {
    if (this.#pauses++ === 0) this.#webSocket.pause()
  }

  resume (): void {
    if (this.#pauses === 0 || --this.#pauses > 0) return
    this.#deliverUnread()
    if (this.#pauses === 0) this.#webSocket.resume()
  }

  ping (): void {
    // The answers of a paused connection are not read.
    if (!this.#isAlive && this.#pauses === 0) {
      this.#reason ??= new Error('no answer to a ping')
      this.destroy()
      return
    }
    this.#isAlive = false
    this.#webSocket.ping()
  }

  #take (data: WebSocket.RawData, isBinary: boolean): void {
    this.#isAlive = true
    if (this.#code !== NORMAL) return
    if (isBinary || !Buffer.isBuffer(data)) this.#fail(UNSUPPORTED_DATA)
    else this.#hear(data)
  }

  /** Passes the error to the stream, behind the messages before it. */
  #fail (code: number): void {
    this.#code = code
    const [condition, text] = FAULTS.get(code) ?? ['bad-format', 'what came can\'t be read']
    this.#hear(new XmlError(condition, text))
  }

  #hear (part: Buffer | XmlError): void {
    if (this.#isClosing) return
    if (this.#pauses > 0) this.#unread.push(part)
    else this.#deliver(part)
  }

  #deliver (part: Buffer | XmlError): void {
    if (part instanceof XmlError) return this.onFault(part)
    this.#shaper?.charge(this, FRAME_BYTES + part.length)
    this.onData(part)
  }

  #deliverUnread (): void {
    while (this.#pauses === 0 && !this.#isClosing) {
      const part = this.#unread.shift()
      if (!part) return
      this.#deliver(part)
    }
  }

  #finish (): void {
    WebSocketTransport.#farewells.delete(this)
    this.#isClosing = true
    this.#queue.drop()
    this.#unread = []
    this.onClose(this.#reason)
  }
}

/** The client's address: by a balancer's PROXY header, or by the last X-Forwarded-For of a proxy on this machine. */
function whoAsks ({ socket, headers }: IncomingMessage): { readonly address: string, readonly mayBePlain: boolean } {
  const address = peerAddress(socket) ?? ''
  if (isFromBalancer(socket)) return { address, mayBePlain: true }
  const isLocal = isLoopback(address)
  const forwarded = String(headers['x-forwarded-for'] ?? '').split(',').at(-1)?.trim() ?? ''
  return { address: isLocal && isIP(forwarded) ? plainAddress(forwarded) : address, mayBePlain: isLocal }
}
