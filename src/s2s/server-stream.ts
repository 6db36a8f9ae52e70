/**
 * A stream between servers, or between a component and this one, in either direction (RFC 6120 §4): reading in order,
 * framing, deadlines, stream errors. What its elements mean is its protocol's business.
 */
import type { Logger } from '../log.ts'
import type { Transport } from '../net/transport.ts'
import { ElementReader } from '../stream/element-reader.ts'
import type { ElementTaker } from '../stream/element-reader.ts'
import { TcpFraming } from '../stream/framing.ts'
import type { HeaderAttributes, StreamContent } from '../stream/framing.ts'
import { MAX_UNREAD_BYTES } from '../stream/session-link.ts'
import { errorContent, StreamFault } from '../stream/stream-error.ts'
import { isStuck, notRead, observe } from '../stream/unread.ts'
import type { Backlog, UnreadStream } from '../stream/unread.ts'
import { inBackground } from '../util/background.ts'
import { randomId } from '../util/ids.ts'
import type { Element } from '../xml/element.ts'
import { XmlError } from '../xml/framer.ts'
import type { Frame, StreamEnd, StreamStart } from '../xml/framer.ts'
import { StreamError } from '../xmpp/errors.ts'
import { NS_CLIENT, NS_DIALBACK, NS_SERVER, NS_STREAM } from '../xmpp/ns.ts'
import type { Stanza } from '../xmpp/stanza.ts'

/** What a stream's elements mean: one for each direction and kind. */
export interface StreamProtocol {
  /** The peer's stream header: the first, or that of an expected restart. May throw StreamError. */
  opened (start: StreamStart): void | Promise<void>
  /** An element but a stream error. A promise means that the next one must wait. May throw StreamError. */
  take (frame: Frame): void | Promise<void>
  /** The peer closed its stream properly; `lost` follows. */
  closed (): void
  /**
   * The stream is over: called once. The reason is a StreamFault where the peer sent an error, a StreamError where this
   * server did, or what went wrong with the connection. A promise means that not all is handled yet that was taken.
   */
  lost (reason: Error | undefined): void | Promise<void>
}

/** What streams between servers have in common. */
export interface ServerStreamParts {
  readonly log: Logger
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** The largest element of a peer that has proven who it is, in bytes. */
  readonly stanzaBytes: number
  /** Called when the stream is over, its connection closed, and all handled that was taken. */
  readonly closed: (stream: ServerStream) => void
}

/** RFC 6120 §4.8.2; XEP-0220 §2: the namespace of dialback is declared in the header. */
export const SERVER_CONTENT: StreamContent = {
  ns: NS_SERVER, declarations: ` xmlns:db='${NS_DIALBACK}'`, renaming: { from: NS_SERVER, to: NS_CLIENT },
}

/** The limits for a peer that has not proven who it is: the bytes of an element, of unread answers, and the time. */
const UNKNOWN_PEER_BYTES = 10_000
const UNKNOWN_PEER_UNREAD_BYTES = 262_144
const HANDSHAKE_MS = 30_000
/** A stranger has a tenth of the bytes per second that others have. */
const UNKNOWN_PEER_CHARGE = 10
/** The time that the peer has to close its stream after this server has. */
const FAREWELL_MS = 5_000
/** The time in which a peer has to say something once it is in doubt whether it still has the stream. */
const SIGN_OF_LIFE_MS = 10_000
/** The time after which a stream on which nothing comes and goes is closed. */
const IDLE_MS = 30 * 60_000

export class ServerStream implements ElementTaker, UnreadStream {
  /** By this id logs identify the connection. */
  readonly id = randomId()
  readonly transport: Transport
  readonly #content: StreamContent
  readonly #framing: TcpFraming
  readonly #reader: ElementReader
  readonly #parts: ServerStreamParts
  readonly #protocol: StreamProtocol
  #hasHeader = false
  #expectsHeader = true
  /** Nothing more is written. */
  #isClosed = false
  /** Nothing more is taken. */
  #isOver = false
  /** The error with which this server has closed the stream. */
  #closedBy: StreamError | undefined
  /** The connection is closed; elements from it may still be processed. */
  #isGone = false
  #isEstablished = false
  #isLost = false
  /** What was taken and is still being handled, once the stream is lost. */
  #settling: Promise<void> | undefined
  #isActive = false
  #activeAt: number
  #backlog: Backlog | undefined
  #doubtedAt: number | undefined

  constructor (
    transport: Transport, parts: ServerStreamParts, protocol: (stream: ServerStream) => StreamProtocol,
    content = SERVER_CONTENT,
  ) {
    this.transport = transport
    this.#parts = parts
    this.#content = content
    this.#activeAt = parts.now()
    this.#framing = new TcpFraming(transport, UNKNOWN_PEER_BYTES, content)
    this.#reader = new ElementReader(transport, this.#framing, this)
    this.#protocol = protocol(this)
    // An error in here ends this stream only.
    transport.onData = chunk => { try { this.#read(chunk) } catch (error) { this.fail(error) } }
    transport.onClose = reason => { try { this.#ended(reason) } catch (error) { this.fail(error) } }
  }

  get isClosed (): boolean { return this.#isClosed }
  get isOver (): boolean { return this.#isOver }
  get isEstablished (): boolean { return this.#isEstablished }
  get bufferedBytes (): number { return this.transport.bufferedBytes }
  get backlog (): Backlog | undefined { return this.#backlog }
  /** Whether the peer has sent more than was taken: before TLS that could be an attacker's (RFC 6120 §5.4.3.3). */
  get hasMore (): boolean { return this.#framing.buffered > 0 }

  // ——— in

  #read (chunk: Buffer): void {
    if (this.#isOver) return
    this.#isActive = true
    this.#doubtedAt = undefined
    if (!this.#isEstablished) this.transport.charge(chunk.length * (UNKNOWN_PEER_CHARGE - 1))
    if (!this.#isUnread()) this.#reader.push(chunk)
  }

  /**
   * A stranger that does not read its answers is not read from. Servers that have proven who they are might otherwise
   * wait for each other: what they send each other waits in queues.
   */
  pending (): Promise<void> | undefined {
    return this.#isEstablished ? undefined : this.transport.drained()
  }

  take (part: Frame | StreamStart | StreamEnd): void | Promise<void> {
    if (part.kind === 'end') {
      this.#protocol.closed()
      return this.#end(this.#closedBy)
    }
    if (part.kind === 'start') return this.#open(part)
    if (this.#expectsHeader) throw new StreamError('bad-format', 'a stream header was expected')
    if (part.ns === NS_STREAM && part.name === 'error') return this.#end(new StreamFault(part))
    return this.#protocol.take(part)
  }

  #open (start: StreamStart): void | Promise<void> {
    if (!this.#expectsHeader) throw new StreamError('invalid-xml', 'the stream is already open')
    this.#expectsHeader = false
    if (start.contentNs !== this.#content.ns) {
      throw new StreamError('invalid-namespace', `streams here are of ${this.#content.ns}`) // RFC 6120 §4.9.3.10
    }
    return this.#protocol.opened(start)
  }

  /** A peer that has disconnected ends when the elements that it sent before are processed. */
  rest (): void {
    if (this.#isGone && !this.#isOver) this.#finish()
  }

  /** Expects another stream header on the same connection (RFC 6120 §4.3.3). */
  restart (): void {
    this.#framing.reset()
    this.#expectsHeader = true
  }

  /** The TLS handshake (RFC 6120 §5.4), after which a new stream begins. `domain` is that of the own certificate. */
  async startTls (domain: string): Promise<void> {
    if (this.hasMore || !this.transport.startTls) throw new Error('TLS can not start on this stream')
    await this.transport.startTls(domain)
    this.restart()
  }

  /** The peer has proven who it is: the limits of strangers end. */
  establish (): void {
    if (this.#isEstablished) return
    this.#isEstablished = true
    this.#framing.limit(this.#parts.stanzaBytes)
  }

  /** Ends the stream unless the peer says anything soon. */
  doubt (): void {
    this.#doubtedAt ??= this.#parts.now()
  }

  // ——— out

  writeHeader (attributes: HeaderAttributes): void {
    if (this.#isClosed) return
    this.#hasHeader = true
    this.#framing.writeHeader(attributes)
  }

  writeFeatures (features: readonly Element[]): void {
    if (!this.#isClosed) this.#framing.writeStreamElement('features', features.join(''))
  }

  write (stanza: Stanza): void {
    if (this.#isClosed) return
    this.#isActive = true
    this.#framing.writeStanza(stanza)
    this.#isUnread()
  }

  writeElement (element: Element): void {
    if (this.#isClosed) return
    this.#framing.writeElement(element)
    this.#isUnread()
  }

  /** Resolves when the peer has little left to read, or is gone; undefined where that is so now. */
  drained (): Promise<void> | undefined {
    return this.#isClosed ? undefined : this.transport.drained()
  }

  /** Whether the peer exceeded the limit of unread bytes, which ends its stream. */
  #isUnread (): boolean {
    const most = this.#isEstablished ? MAX_UNREAD_BYTES : UNKNOWN_PEER_UNREAD_BYTES
    if (this.transport.bufferedBytes <= most) return false
    this.close(notRead())
    return true
  }

  // ——— the end

  /**
   * Sends the error, if any, and ends the stream. Without an error of the peer's, what it has sent by now is still
   * taken, until it closes its stream in turn (RFC 6120 §4.4).
   */
  close (error?: StreamError): void {
    if (this.#isClosed) return
    if ((error && error.condition !== 'system-shutdown') || !this.#isEstablished) return this.#end(error, error)
    this.#writeEnd(error)
    this.#closedBy = error
    this.#activeAt = this.#parts.now()
  }

  #writeEnd (error?: StreamError): void {
    if (!this.#hasHeader) this.writeHeader({ id: this.id, from: undefined, to: undefined }) // §4.9.1.2
    this.#isClosed = true
    if (error) this.#framing.writeStreamElement('error', errorContent(error))
    this.#framing.writeEnd()
  }

  /** Closes the connection once all is written. */
  #end (reason: Error | undefined, error?: StreamError): void {
    if (this.#isOver) return
    if (!this.#isClosed) this.#writeEnd(error)
    this.#isOver = true
    this.transport.close()
    this.#lose(reason)
    if (this.#isGone) this.#forget()
  }

  /** Cuts the connection: what was not taken yet is not. */
  abort (): void {
    this.#isClosed = this.#isOver = true
    this.transport.destroy()
  }

  /** Ends the stream with the error that it is, or with that of a mistake of ours. */
  fail (error: unknown): void {
    if (error instanceof StreamError) return this.#end(error, error)
    if (error instanceof XmlError) return this.fail(new StreamError(error.condition, error.message))
    this.#parts.log.error({ event: 'stream.failed', err: error, stream: this.id }, 'stream: failed')
    this.fail(new StreamError('internal-server-error'))
  }

  /** Checks the deadlines: of the handshake, for reading, of a stream that is not used. */
  check (now: number): void {
    try { this.#check(now) } catch (error) { this.fail(error) }
  }

  #check (now: number): void {
    if (this.#isOver) return
    if (this.#isClosed) {
      if (now - this.#activeAt > FAREWELL_MS) this.#end(this.#closedBy)
      return
    }
    if (!this.#isEstablished) {
      if (now - this.#activeAt > HANDSHAKE_MS) {
        this.close(new StreamError('connection-timeout', 'you did not prove who you are in time'))
      }
      return
    }
    const { transport } = this
    const backlog = this.#backlog = observe(this.#backlog, transport, now)
    if (backlog && isStuck(backlog, transport, now)) return this.close(notRead())
    if (now - (this.#doubtedAt ?? now) > SIGN_OF_LIFE_MS) {
      return this.close(new StreamError('connection-timeout', 'you did not answer in time'))
    }
    if (this.#isActive) this.#activeAt = now
    else if (now - this.#activeAt > IDLE_MS) return this.close()
    this.#isActive = false
  }

  #ended (reason: Error | undefined): void {
    this.#isGone = true
    this.#parts.log.debug({ event: 'stream.closed', stream: this.id, reason: reason?.message }, 'stream: closed')
    // Elements that the peer sent before it disconnected are processed in their turn.
    if (this.#isOver || !this.#reader.isBusy || !this.#isEstablished) this.#finish(reason)
  }

  #finish (reason: Error | undefined = this.#closedBy): void {
    this.#isClosed = this.#isOver = true
    try {
      this.#lose(reason)
    } finally {
      this.#forget()
    }
  }

  #forget (): void {
    const { closed, log } = this.#parts
    if (!this.#settling) return closed(this)
    inBackground(log, 'end of a stream', this.#settling.finally(() => { closed(this) }))
  }

  #lose (reason: Error | undefined): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#settling = this.#protocol.lost(reason) || undefined
  }
}
