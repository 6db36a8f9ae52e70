/**
 * A client's stream from header to close (RFC 6120 §4, RFC 7395): takes one element at a time, in order, leaves the
 * negotiation to `Negotiation`, and hands a bound client's elements to its session link.
 */
import type { Transport } from '../net/transport.ts'
import type { Element } from '../xml/element.ts'
import { XmlError } from '../xml/framer.ts'
import type { Frame, StreamEnd, StreamStart } from '../xml/framer.ts'
import { StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { randomId } from '../util/ids.ts'
import { ElementReader } from './element-reader.ts'
import type { ElementTaker } from './element-reader.ts'
import { TcpFraming, WebSocketFraming } from './framing.ts'
import type { Framing } from './framing.ts'
import type { EdgeStream } from './remote/edge.ts'
import { Negotiation } from './negotiation.ts'
import type { NegotiationParts } from './negotiation.ts'
import { isUnfinished, MAX_UNREAD_BYTES } from './session-link.ts'
import type { SessionLink } from './session-link.ts'
import { errorContent } from './stream-error.ts'
import { isStuck, notRead, observe } from './unread.ts'
import type { Backlog } from './unread.ts'

export interface StreamParts extends NegotiationParts {
  /** Called when a stream is over, after its session was handled. */
  readonly closed: (stream: ClientStream) => void
}

/** The limit on elements before the login, whatever the configuration says (RFC 6120 §13.12). */
const UNKNOWN_CLIENT_BYTES = 10_000
/** The limit on unread answers before the login. */
const UNKNOWN_CLIENT_UNREAD_BYTES = 262_144
/** The time for the answer to a ping, unless the idle timeout is shorter. */
const PATIENCE_MS = 30_000

export class ClientStream implements EdgeStream, ElementTaker {
  /** The id of the connection's first stream, by which logs identify it. */
  readonly id = randomId()
  readonly #transport: Transport
  readonly #framing: Framing
  readonly #reader: ElementReader
  readonly #parts: StreamParts
  readonly #startedAt: number
  #negotiation: Negotiation | undefined
  #link: SessionLink | undefined
  #host: string | undefined
  #lang: string | undefined
  #hasHeader = false
  #isClosed = false
  /** The connection is closed; elements from it may still be processed. */
  #isGone = false
  /** Stanzas written before the client knew that it is bound. */
  readonly #early: (Stanza | Element)[] = []
  #heardAt: number
  #pingedAt = 0
  #backlog: Backlog | undefined

  constructor (transport: Transport, parts: StreamParts, now: number) {
    this.#transport = transport
    this.#parts = parts
    this.#startedAt = this.#heardAt = now
    this.#framing = transport.kind === 'tcp'
      ? new TcpFraming(transport, UNKNOWN_CLIENT_BYTES)
      : new WebSocketFraming(transport, UNKNOWN_CLIENT_BYTES)
    const reader = this.#reader = new ElementReader(transport, this.#framing, this)
    // An error in here ends this stream only.
    transport.onData = chunk => { try { this.#read(chunk) } catch (error) { this.fail(error) } }
    transport.onFault = fault => { reader.stumble(fault) }
    transport.onClose = reason => { try { this.#ended(reason) } catch (error) { this.fail(error) } }
  }

  get remoteAddress (): string { return this.#transport.remoteAddress }
  get bufferedBytes (): number { return this.#transport.bufferedBytes }
  /** The unread bytes at the last check, where there are many. */
  get backlog (): Backlog | undefined { return this.#backlog }
  get lang (): string | undefined { return this.#lang }
  get kind (): Transport['kind'] { return this.#transport.kind }
  get isClosed (): boolean { return this.#isClosed }

  // ——— in

  get isOver (): boolean { return this.#isClosed }

  /** A client that does not read its answers is not read from. */
  pending (): Promise<void> | undefined { return this.#transport.drained() }

  #read (chunk: Buffer): void {
    if (this.#isClosed) return
    this.#heardAt = this.#parts.now()
    if (this.#isUnread()) return
    this.#reader.push(chunk)
  }

  /** A client that has disconnected ends when the elements that it sent before are processed. */
  rest (): void {
    if (this.#isGone && !this.#isClosed) this.#finish()
  }

  take (part: Frame | StreamStart | StreamEnd): void | Promise<void> {
    if (part.kind === 'end') {
      this.#link?.closed()
      return this.close()
    }
    if (part.kind === 'start') return this.#open(part)
    if (!this.#host) throw new StreamError('bad-format', 'the stream has not been opened')
    return this.#link ? this.#link.take(part) : this.#negotiation?.take(part)
  }

  // RFC 6120 §4.7 and §4.8; RFC 7395 §3.4.
  #open (start: StreamStart): void {
    if (this.#hasHeader && !this.#negotiation?.expectsHeader) {
      throw new StreamError('invalid-xml', 'the stream is already open')
    }
    const host = this.#parts.hosts.find(host => host === domainOf(start.to))
    this.#writeHeader(host, start.from)
    if (start.contentNs !== NS_CLIENT) throw new StreamError('invalid-namespace') // §4.8.5
    if (!host || (this.#host && host !== this.#host)) throw new StreamError('host-unknown') // §4.9.3.6
    if (!/^[1-9][0-9]*\.[0-9]+$/.test(start.version ?? '')) throw new StreamError('unsupported-version') // §4.7.5
    this.#host = host
    this.#lang = start.lang
    this.#negotiation ??= new Negotiation(this.#transport, this.#framing, this.#parts, host, link => {
      this.#bound(link)
    }, this)
    this.#negotiation.opened(start.from)
  }

  #writeHeader (from = this.#parts.hosts[0], to?: string): void {
    const id = this.#hasHeader ? randomId() : this.id // §4.3.3: a restarted stream has a new id
    this.#framing.writeHeader({ id, from, to })
    this.#hasHeader = true
  }

  #bound (link: SessionLink): void {
    this.#link = link
    this.#negotiation = undefined
    this.#framing.limit(this.#parts.limits.stanzaBytes)
    for (const part of this.#early.splice(0)) {
      if ('kind' in part) this.write(part)
      else this.writeElement(part)
    }
  }

  // ——— out

  write (stanza: Stanza): void {
    if (this.#isClosed) return
    if (!this.#link) {
      this.#early.push(stanza)
      return
    }
    this.#framing.writeStanza(stanza)
    this.#isUnread()
  }

  writeElement (element: Element): void {
    if (this.#isClosed) return
    if (this.#link) this.#framing.writeElement(element)
    else this.#early.push(element)
  }

  /** Writes bytes that the session's node has serialized for this transport. */
  relay (bytes: Buffer): void {
    if (this.#isClosed) return
    this.#transport.write(bytes)
    this.#isUnread()
  }

  charge (bytes: number): void { this.#transport.charge(bytes) }

  drained (): Promise<void> | undefined {
    return this.#isClosed ? undefined : this.#transport.drained()
  }

  /** Whether the client exceeded the limit of unread bytes, which ends its stream. */
  #isUnread (): boolean {
    if (this.#transport.bufferedBytes <= (this.#link ? MAX_UNREAD_BYTES : UNKNOWN_CLIENT_UNREAD_BYTES)) return false
    this.close(notRead())
    return true
  }

  /** Sends the error, if any, ends the stream, and closes the connection once all is written (RFC 6120 §4.4). */
  close (error?: StreamError): void {
    if (this.#isClosed) return
    if (!this.#hasHeader) this.#writeHeader() // §4.9.1.2
    this.#isClosed = true
    if (error) this.#framing.writeStreamElement('error', errorContent(error))
    this.#framing.writeEnd()
    this.#transport.close()
    this.#lose(isUnfinished(error))
    if (this.#isGone) this.#finish()
  }

  /** Checks the timeouts: login, reading, idle. */
  check (now: number): void {
    try { this.#check(now) } catch (error) { this.fail(error) }
  }

  #check (now: number): void {
    const { loginSeconds, idleSeconds } = this.#parts.limits
    if (!this.#link) {
      if (now - this.#startedAt > loginSeconds * 1000) {
        this.close(new StreamError('connection-timeout', 'you did not log in in time'))
      }
      return
    }
    this.#lookAtBacklog(now)
    if (this.#isClosed || idleSeconds === 0 || now - this.#heardAt < idleSeconds * 1000) return
    if (this.#pingedAt < this.#heardAt) {
      this.#pingedAt = now
      this.#link.ping()
    } else if (now - this.#pingedAt > Math.min(PATIENCE_MS, idleSeconds * 1000)) {
      this.close(new StreamError('connection-timeout', 'your client did not answer'))
    }
  }

  #lookAtBacklog (now: number): void {
    const before = this.#backlog
    const backlog = this.#backlog = observe(before, this.#transport, now)
    if (backlog && isStuck(backlog, this.#transport, now)) return this.close(notRead())
    if (before && backlog !== before) this.#heardAt = now // a client that reads is alive, even if it sends nothing
  }

  /** Ends the stream with the error that it is, or with that of a mistake of ours. */
  fail (error: unknown): void {
    if (error instanceof StreamError) return this.close(error)
    if (error instanceof XmlError) return this.close(new StreamError(error.condition, error.message))
    this.#parts.log.error({ event: 'stream.failed', err: error, stream: this.id }, 'stream: failed')
    this.close(new StreamError('internal-server-error'))
  }

  #ended (reason: Error | undefined): void {
    this.#isGone = true
    const session = this.#link?.jid.toString()
    this.#parts.log.debug(
      { event: 'stream.closed', stream: this.id, session, reason: reason?.message },
      'stream: closed',
    )
    // Elements that the client sent before it disconnected are processed in their turn.
    if (!this.#reader.isBusy || !this.#link) this.#finish()
  }

  #finish (): void {
    this.#isClosed = true
    try {
      this.#lose(true)
    } finally {
      this.#parts.closed(this)
    }
  }

  #lose (mayResume: boolean): void {
    const link = this.#link ?? this.#negotiation?.link
    this.#link = this.#negotiation = undefined
    link?.lost(mayResume)
  }
}

function domainOf (to: string | undefined): string | undefined {
  return to === undefined ? undefined : Jid.tryParse(to)?.domain
}
