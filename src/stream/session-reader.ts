/**
 * What a session does with its client's elements (RFC 6120 §8.1 and §10.1): each is an element that an extension
 * handles, or a stanza, which is checked, stamped and sent. It does not know how they come: from a socket here or
 * from another node.
 */
import type { StageTable } from '../extension/stages.ts'
import type { Logger } from '../log.ts'
import type { Router } from '../routing/router.ts'
import type { Failed } from '../session/in-flight.ts'
import type { Session, SessionStream } from '../session/session.ts'
import { randomId } from '../util/ids.ts'
import { el, parseElement } from '../xml/element.ts'
import type { Frame } from '../xml/framer.ts'
import { parseAddress } from '../xmpp/addresses.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import { stanzaOf } from '../xmpp/read-stanza.ts'
import { errorReply, iq } from '../xmpp/stanza.ts'
import type { Message, Stanza } from '../xmpp/stanza.ts'
import type { NegotiatedStream, SessionLink } from './session-link.ts'
import type { StreamTable } from './stream-table.ts'

export interface ReaderParts {
  readonly router: Router
  readonly stages: StageTable
  readonly streams: StreamTable
  readonly log: Logger
  /** A session's stream is gone: what becomes of the session. */
  readonly lost: (session: Session, stream: SessionStream, mayResume: boolean) => void
}

const MAX_OPEN_IQS = 16
/** What is no stanza is about the stream, and short. */
const MAX_NONZA_BYTES = 10_000
const PING = el('ping', 'urn:xmpp:ping') // XEP-0199 §4.1

/** One per stream of a session: the link where the session is. */
export class SessionReader implements SessionLink {
  readonly session: Session
  readonly #stream: NegotiatedStream
  readonly #parts: ReaderParts
  #openIqs = 0
  #failed: Failed | undefined

  constructor (session: Session, stream: NegotiatedStream, parts: ReaderParts) {
    this.session = session
    this.#stream = stream
    this.#parts = parts
  }

  get jid (): Jid { return this.session.jid }

  /** Throws the stream's error where the client breaks the rules. */
  take (frame: Frame): void | Promise<void> {
    const { stages, streams } = this.#parts
    const { session } = this
    stages.read.arrived(session)
    if (frame.ns === NS_CLIENT && isStanza(frame.name)) return this.#accept(frame, session)
    const handler = streams.nonza(frame.name, frame.ns)
    if (!handler) throw new StreamError('unsupported-stanza-type', `<${frame.name}/> is not supported`)
    if (frame.inner.length > MAX_NONZA_BYTES) throw new StreamError('policy-violation', `<${frame.name}/> is too large`)
    return handler(parseElement(frame), session)
  }

  ping (): void {
    const { jid } = this.session
    this.session.deliver(iq('get', { from: Jid.parse(jid.domain), to: jid, id: randomId() }, PING))
  }

  closed (): void {
    this.session.isClosed = true
  }

  lost (mayResume: boolean): void {
    this.#parts.lost(this.session, this.#stream, mayResume)
  }

  /** Checks, stamps and routes a stanza. Resolves when the next one may be taken. */
  #accept (frame: Frame, session: Session): void | Promise<void> {
    checkFrom(frame.from, session.jid)
    if (session.smInbound) session.smInbound.taken++ // what is refused counts: the client counts it
    let stanza: Stanza | undefined
    try {
      const to = frame.to === undefined ? undefined : parseAddress(frame.to)
      stanza = stanzaOf(frame, session.jid, to, frame.lang ?? this.#stream.lang) // §8.1.5: its own xml:lang
    } catch (error) {
      session.inFlight.track(undefined)
      return refuse(frame, session, error)
    }
    if (!stanza) return
    if (stanza.kind === 'message') return this.#acceptMessage(stanza, session)
    const routed = this.#route(stanza)?.catch((error: unknown) => { this.#refuse(error, stanza) })
    session.inFlight.track(stanza.kind === 'iq' ? undefined : routed)
    return stanza.kind === 'iq' ? routed && this.#countIq(routed) : routed
  }

  /** A message that is being stored does not hold up the next one, unless too many are in flight. */
  #acceptMessage (message: Message, session: Session): void | Promise<void> {
    const { smInbound: counted, inFlight } = session
    const stanza = counted ? message.withDedupKey(`${counted.id}#${counted.taken}`) : message
    const loading = this.#parts.router.prepare(stanza)
    if (loading) return this.#routeWhenLoaded(loading, stanza, session)
    // Without a promise of its own: there are too many messages.
    inFlight.track(this.#route(stanza), stanza, this.#onFailure)
    return inFlight.room()
  }

  /** The message is in flight from now on: a resumption of the session waits for it. */
  async #routeWhenLoaded (loading: Promise<void>, message: Message, { inFlight }: Session): Promise<void> {
    const loaded = loading.catch(() => {}) // it will be loaded, or fail, again on the message's way
    inFlight.track(loaded.then(() => this.#route(message)), message, this.#onFailure)
    await loaded
    await inFlight.room()
  }

  /** Rejects with what broke on the stanza's way. */
  #route (stanza: Stanza): void | Promise<void> {
    try {
      return this.#parts.router.send(stanza, this.session)
    } catch (error) { // a mistake of ours
      this.#refuse(error, stanza)
    }
  }

  /** One for all messages of the session, and none before its first. */
  get #onFailure (): Failed {
    return this.#failed ??= (error, stanza) => { this.#refuse(error, stanza) }
  }

  #countIq (answered: Promise<void>): Promise<void> | undefined {
    const over = (): void => { this.#openIqs-- }
    const counted = answered.then(over, over) // what failed was refused
    if (++this.#openIqs >= MAX_OPEN_IQS) return counted
  }

  /** Whatever breaks on a stanza's way costs that stanza, and its sender hears of it. */
  #refuse (error: unknown, stanza: Stanza): void {
    if (error instanceof StanzaError) return this.#parts.router.refuse(stanza, error, this.session)
    this.#parts.log.error({
      event: 'stream.stanza_failed',
      err: error,
      stream: this.#stream.id,
      stanza: stanza.summary(),
    }, 'stream: stanza failed')
    this.#parts.router.refuse(
      stanza,
      new StanzaError('internal-server-error', undefined, undefined, 'wait'),
      this.session,
    )
  }
}

function isStanza (name: string): boolean {
  return name === 'message' || name === 'presence' || name === 'iq'
}

// RFC 6120 §8.1.2.1: the server stamps the full address; a client may repeat its own.
function checkFrom (from: string | undefined, own: Jid): void {
  if (from === undefined || from === own.toString() || from === own.bare.toString()) return
  const claimed = Jid.tryParse(from)
  if (!claimed?.equals(own) && !claimed?.equals(own.bare)) throw new StreamError('invalid-from')
}

/**
 * Answers a stanza that is none from where it was sent to, as that was written (RFC 6120 §8.3.3.8): by that, and by the
 * id, the client knows what failed.
 */
function refuse (frame: Frame, session: Session, error: unknown): void {
  if (!(error instanceof StanzaError)) throw error
  if (frame.type === 'error' || frame.type === 'result') return
  const { jid, account } = session
  const answerer = (frame.to === undefined ? undefined : Jid.asWritten(frame.to)) ?? account.jid
  const sent = frame.name === 'iq'
    ? iq('get', { from: jid, to: answerer, id: frame.id })
    : stanzaOf({ ...frame, type: undefined }, jid, answerer, undefined)
  if (sent) session.deliver(errorReply(sent, error))
}
