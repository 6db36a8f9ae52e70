/**
 * A client's stream from header to close (RFC 6120 §4, RFC 7395): takes one element at a time, in the order they came,
 * leaves the way in to `Negotiation`, and hands what a bound client sends to the router.
 */
import type { StageTable } from '../extension/stages.ts'
import type { Logger } from '../log.ts'
import type { Transport } from '../net/transport.ts'
import type { Router } from '../routing/router.ts'
import type { Failed } from '../session/in-flight.ts'
import type { Session, SessionStream } from '../session/session.ts'
import type { Element } from '../xml/element.ts'
import { el, parseElement } from '../xml/element.ts'
import { XmlError } from '../xml/framer.ts'
import type { Frame, StreamEnd, StreamStart } from '../xml/framer.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import { Jid, JidError } from '../xmpp/jid.ts'
import { NS_CLIENT, NS_STREAM_ERRORS } from '../xmpp/ns.ts'
import { errorReply, iq, stanzaOf } from '../xmpp/stanza.ts'
import type { Message, Stanza } from '../xmpp/stanza.ts'
import { randomId } from '../util/ids.ts'
import { TcpFraming, WebSocketFraming } from './framing.ts'
import type { Framing } from './framing.ts'
import { Negotiation } from './negotiation.ts'
import type { NegotiationParts } from './negotiation.ts'

export interface StreamParts extends NegotiationParts {
  readonly router: Router
  readonly stages: StageTable
  readonly log: Logger
  /** Told when a stream is over, after its session was dealt with. */
  readonly closed: (stream: ClientStream) => void
  /** A bound stream is gone: what becomes of its session. */
  readonly lost: (session: Session, stream: ClientStream, mayResume: boolean) => void
}

/** Before the login nobody may send more than this, whatever the config says (RFC 6120 §13.12). */
const UNKNOWN_CLIENT_BYTES = 10_000
/** Nor leave more than this unread of the answers. */
const UNKNOWN_CLIENT_UNREAD_BYTES = 262_144
/** What a client may send ahead while one of its elements is being dealt with. */
const READ_AHEAD_BYTES = 65_536
/** What a client that does not read may leave unread before it counts as gone. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024
const MAX_OPEN_IQS = 16
/** How long a client has to answer a ping, unless it may not even be silent for so long. */
const PATIENCE_MS = 30_000

export class ClientStream implements SessionStream {
  /** The first stream's: by it the logs know the connection. */
  readonly id = randomId()
  readonly #transport: Transport
  readonly #framing: Framing
  readonly #parts: StreamParts
  readonly #startedAt: number
  #negotiation: Negotiation | undefined
  #session: Session | undefined
  #host: string | undefined
  #lang: string | undefined
  #hasHeader = false
  #isClosed = false
  /** The connection is gone; what came by it may be still to be dealt with. */
  #isGone = false
  /** What was to be written before the client knew that it is bound. */
  readonly #early: (Stanza | Element)[] = []
  #isBusy = false
  #isPaused = false
  #openIqs = 0
  #failed: Failed | undefined
  #heardAt: number
  #pingedAt = 0

  constructor (transport: Transport, parts: StreamParts, now: number) {
    this.#transport = transport
    this.#parts = parts
    this.#startedAt = this.#heardAt = now
    this.#framing = transport.kind === 'tcp'
      ? new TcpFraming(transport, UNKNOWN_CLIENT_BYTES)
      : new WebSocketFraming(transport, UNKNOWN_CLIENT_BYTES)
    transport.onData = chunk => { this.#read(chunk) }
    transport.onClose = reason => { this.#ended(reason) }
  }

  get remoteAddress (): string { return this.#transport.remoteAddress }
  get bufferedBytes (): number { return this.#transport.bufferedBytes }
  get session (): Session | undefined { return this.#session }
  get isClosed (): boolean { return this.#isClosed }

  // ——— in

  #read (chunk: Buffer): void {
    if (this.#isClosed) return
    this.#heardAt = this.#parts.now()
    if (this.#isUnread()) return
    this.#framing.push(chunk)
    if (!this.#isBusy) this.#pump()
    if (this.#isBusy && !this.#isPaused && this.#framing.buffered > READ_AHEAD_BYTES) {
      this.#isPaused = true
      this.#transport.pause()
    }
  }

  /** Takes what is whole, until something has to be waited for. */
  #pump (): void {
    try {
      while (!this.#isClosed) {
        const part = this.#framing.next()
        if (!part) return
        const done = this.#take(part)
        if (done) {
          this.#isBusy = true
          done.then(() => { this.#goOn() }, error => { this.#fail(error) })
          return
        }
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  #goOn (): void {
    this.#isBusy = false
    this.#pump()
    if (this.#isBusy) return
    if (this.#isGone && !this.#isClosed) return this.#finish()
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#transport.resume()
  }

  #take (part: Frame | StreamStart | StreamEnd): void | Promise<void> {
    if (part.kind === 'end') return this.close()
    if (part.kind === 'start') return this.#open(part)
    if (!this.#host) throw new StreamError('bad-format', 'there is no stream yet')
    const session = this.#session
    if (!session) return this.#negotiation?.take(part)
    return this.#takeBound(part, session)
  }

  // RFC 6120 §4.7 and §4.8; RFC 7395 §3.4.
  #open (start: StreamStart): void {
    if (this.#hasHeader && !this.#negotiation?.expectsHeader) throw new StreamError('invalid-xml', 'a second stream')
    const host = this.#parts.hosts.find(host => host === domainOf(start.to))
    const id = this.#hasHeader ? randomId() : this.id // §4.3.3: a stream that begins anew has a new one
    this.#framing.writeHeader({ id, from: host ?? this.#parts.hosts[0], to: start.from })
    this.#hasHeader = true
    if (start.contentNs !== NS_CLIENT) throw new StreamError('invalid-namespace') // §4.8.5
    if (!host || (this.#host && host !== this.#host)) throw new StreamError('host-unknown') // §4.9.3.6
    if (!/^[1-9][0-9]*\.[0-9]+$/.test(start.version ?? '')) throw new StreamError('unsupported-version') // §4.7.5
    this.#host = host
    this.#lang = start.lang
    this.#negotiation ??= new Negotiation(this.#transport, this.#framing, this.#parts, host, session => {
      this.#session = session
      this.#negotiation = undefined
      this.#framing.limit(this.#parts.limits.stanzaBytes)
      for (const part of this.#early.splice(0)) {
        if ('kind' in part) this.write(part)
        else this.writeElement(part)
      }
    }, this)
    this.#negotiation.opened(start.from)
  }

  #takeBound (frame: Frame, session: Session): void | Promise<void> {
    const { stages, streams } = this.#parts
    stages.arrived(session)
    if (frame.ns !== NS_CLIENT || !isStanza(frame.name)) {
      const handler = streams.nonza(frame.name, frame.ns)
      if (!handler) throw new StreamError('unsupported-stanza-type', `<${frame.name}/> is not known here`)
      return handler(parseElement(frame), session)
    }
    return this.#send(frame, session)
  }

  /** A stanza, checked, stamped and sent. */
  #send (frame: Frame, session: Session): void | Promise<void> {
    checkFrom(frame.from, session.jid)
    let stanza: Stanza | undefined
    let to: Jid | undefined
    try {
      to = addressOf(frame.to)
      stanza = stanzaOf(frame, session.jid, to, frame.lang ?? this.#lang) // §8.1.5: its own xml:lang
    } catch (error) {
      session.inFlight.track(undefined)
      return refuse(frame, to, session, error)
    }
    if (!stanza) return
    const loading = stanza.kind === 'message' ? this.#parts.router.prepare(stanza) : undefined
    return loading ? this.#sendAfter(loading, stanza, session) : this.#sendNow(stanza, session)
  }

  /** What it resolves with is that the next stanza may be taken: a message that is being stored does not hold it up. */
  #sendNow (stanza: Stanza, session: Session): void | Promise<void> {
    if (stanza.kind === 'message') return this.#sendMessage(stanza, session)
    const sent = this.#sendSafely(stanza, session)
    session.inFlight.track(stanza.kind === 'iq' ? undefined : sent)
    return stanza.kind === 'iq' ? sent && this.#countIq(sent) : sent
  }

  /** Without a promise of its own: there are too many messages. */
  #sendMessage (message: Message, session: Session): void | Promise<void> {
    const failed = this.#failed ??= (error, stanza) => { this.#refuseFailed(error, stanza, session) }
    let sent: void | Promise<void> = undefined
    try {
      sent = this.#parts.router.send(message, session)
    } catch (error) { // a mistake of ours
      failed(error, message)
    }
    session.inFlight.track(sent, message, failed)
    return session.inFlight.room()
  }

  /** It is in flight from now on: whoever resumes the session meanwhile waits for it. */
  async #sendAfter (loading: Promise<void>, stanza: Stanza, session: Session): Promise<void> {
    const loaded = loading.catch(() => {}) // it will be loaded, or fail, again on the stanza's way
    session.inFlight.track(loaded.then(() => this.#sendSafely(stanza, session)))
    await loaded
    await session.inFlight.room()
  }

  #countIq (answered: Promise<void>): Promise<void> | undefined {
    const counted = answered.finally(() => { this.#openIqs-- })
    if (++this.#openIqs >= MAX_OPEN_IQS) return counted
    void counted
  }

  /** Whatever breaks on a stanza's way costs that stanza, and its sender hears of it. */
  #sendSafely (stanza: Stanza, session: Session): void | Promise<void> {
    const failed = (error: unknown): void => { this.#refuseFailed(error, stanza, session) }
    try {
      return this.#parts.router.send(stanza, session)?.catch(failed)
    } catch (error) { // a mistake of ours
      failed(error)
    }
  }

  #refuseFailed (error: unknown, stanza: Stanza, session: Session): void {
    if (error instanceof StanzaError) return this.#parts.router.refuse(stanza, error, session)
    this.#parts.log.error({ err: error, stream: this.id, stanza: stanza.summary() }, 'a stanza could not be sent')
    this.#parts.router.refuse(stanza, new StanzaError('internal-server-error', undefined, undefined, 'wait'), session)
  }

  // ——— out

  write (stanza: Stanza): void {
    if (this.#isClosed) return
    if (!this.#session) {
      this.#early.push(stanza)
      return
    }
    this.#framing.writeStanza(stanza)
    this.#isUnread()
  }

  writeElement (element: Element): void {
    if (this.#isClosed) return
    if (this.#session) this.#framing.writeElement(element)
    else this.#early.push(element)
  }

  /** Whether the client left too much unread; its stream is over then. */
  #isUnread (): boolean {
    if (this.#transport.bufferedBytes <= (this.#session ? MAX_UNREAD_BYTES : UNKNOWN_CLIENT_UNREAD_BYTES)) return false
    this.close(new StreamError('resource-constraint', 'what was sent is not being read'))
    return true
  }

  /** Says why when there is a reason, ends the stream, and the connection when all was written (RFC 6120 §4.4). */
  close (error?: StreamError): void {
    if (this.#isClosed) return
    if (!this.#hasHeader) this.#framing.writeHeader({ id: this.id, from: this.#parts.hosts[0], to: undefined }) // §4.9.1.2
    this.#isClosed = true
    if (error) this.#framing.writeStreamElement('error', describe(error).join(''))
    this.#framing.writeEnd()
    this.#transport.close()
    this.#lose(error?.condition === 'connection-timeout')
    if (this.#isGone) this.#finish()
  }

  /** Looks whether the client is late: with its login, or with any sign of life. */
  check (now: number): void {
    const { loginSeconds, idleSeconds } = this.#parts.limits
    if (!this.#session) {
      if (now - this.#startedAt > loginSeconds * 1000) this.close(new StreamError('connection-timeout', 'no login'))
      return
    }
    if (idleSeconds === 0 || now - this.#heardAt < idleSeconds * 1000) return
    if (this.#pingedAt < this.#heardAt) {
      this.#pingedAt = now
      const { jid } = this.#session
      const ping = el('ping', 'urn:xmpp:ping') // XEP-0199 §4.1
      this.#session.deliver(iq('get', { from: Jid.parse(jid.domain), to: jid, id: randomId() }, ping))
    } else if (now - this.#pingedAt > Math.min(PATIENCE_MS, idleSeconds * 1000)) {
      this.close(new StreamError('connection-timeout', 'no sign of life'))
    }
  }

  #fail (error: unknown): void {
    if (error instanceof StreamError) return this.close(error)
    if (error instanceof XmlError) return this.close(new StreamError(error.condition, error.message))
    this.#parts.log.error({ err: error, stream: this.id }, 'a stream failed')
    this.close(new StreamError('internal-server-error'))
  }

  #ended (reason: Error | undefined): void {
    this.#isGone = true
    this.#parts.log.debug({ stream: this.id, session: this.#session?.jid.toString(), reason: reason?.message }, 'stream closed')
    // What the client sent before it left is dealt with in its turn.
    if (!this.#isBusy || !this.#session) this.#finish()
  }

  #finish (): void {
    this.#isClosed = true
    this.#lose(true)
    this.#parts.closed(this)
  }

  #lose (mayResume: boolean): void {
    const session = this.#session ?? this.#negotiation?.session
    this.#session = this.#negotiation = undefined
    if (session) this.#parts.lost(session, this, mayResume)
  }
}

function isStanza (name: string): boolean {
  return name === 'message' || name === 'presence' || name === 'iq'
}

// RFC 6120 §8.1.2.1: the server stamps the full address; a client may repeat its own.
function checkFrom (from: string | undefined, own: Jid): void {
  if (from === undefined || from === own.toString() || from === own.bare.toString()) return
  try {
    const claimed = Jid.parse(from)
    if (claimed.equals(own) || claimed.equals(own.bare)) return
  } catch (error) {
    if (!(error instanceof JidError)) throw error
  }
  throw new StreamError('invalid-from')
}

function addressOf (to: string | undefined): Jid | undefined {
  if (to === undefined) return
  try {
    return Jid.parse(to)
  } catch (error) {
    if (error instanceof JidError) throw new StanzaError('jid-malformed', error.message) // RFC 6120 §8.3.3.8
    throw error
  }
}

/** Answers a stanza that is none, in the name of whom it was for or else of the account. */
function refuse (frame: Frame, to: Jid | undefined, session: Session, error: unknown): void {
  if (!(error instanceof StanzaError)) throw error
  if (frame.type === 'error' || frame.type === 'result') return
  const { jid, account } = session
  const answerer = to ?? account.jid
  const sent = frame.name === 'iq'
    ? iq('get', { from: jid, to: answerer, id: frame.id })
    : stanzaOf({ ...frame, type: undefined }, jid, answerer, undefined)
  if (sent) session.deliver(errorReply(sent, error))
}

function domainOf (to: string | undefined): string | undefined {
  if (to === undefined) return
  try {
    return Jid.parse(to).domain
  } catch (error) {
    if (error instanceof JidError) return
    throw error
  }
}

function describe ({ condition, text, detail }: StreamError): readonly Element[] {
  return [
    el(condition, NS_STREAM_ERRORS),
    ...(text === undefined ? [] : [el('text', NS_STREAM_ERRORS, { 'xml:lang': 'en' }, text)]),
    ...(detail ? [el(detail.name, detail.ns, detail.attrs)] : []),
  ]
}
