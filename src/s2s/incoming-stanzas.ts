/**
 * Stanzas from another server's stream (RFC 6120 §8.1.1.2, §8.1.2.2, §10.3 ff.): each is checked against the pairs that
 * were proven on it, and routed. Nobody waits for a stanza but who has to for order's sake: a stream carries those of
 * many people.
 */
import { hash } from 'node:crypto'
import type { Logger } from '../log.ts'
import type { Router } from '../routing/router.ts'
import { InFlight } from '../session/in-flight.ts'
import { neverRejects } from '../util/background.ts'
import type { Frame } from '../xml/framer.ts'
import { parseAddress } from '../xmpp/addresses.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import { withoutForgedByServer } from '../xmpp/forged.ts'
import { undelayedContent } from '../xmpp/forward.ts'
import { Jid } from '../xmpp/jid.ts'
import { stanzaOf } from '../xmpp/read-stanza.ts'
import { iq } from '../xmpp/stanza.ts'
import type { Iq, Stanza } from '../xmpp/stanza.ts'
import { hasUniqueId, originId } from '../xmpp/stanza-id.ts'
import type { Acks } from './acks.ts'
import type { ProvenPair } from './streams.ts'

export interface IncomingStanzasParts {
  readonly router: Pick<Router, 'route' | 'bounce' | 'isServed'>
  readonly log: Logger
}

/** What a stream has proven. */
interface Proven { pair (local: string, remote: string): ProvenPair | undefined }

/** Requests of one stream that are answered at a time; beyond, it is read no further. */
const MAX_OPEN_IQS = 64

/** One per stream. */
export class IncomingStanzas {
  readonly #parts: IncomingStanzasParts
  readonly #proven: Proven
  readonly #acks: Acks
  readonly #inFlight: InFlight
  #openIqs = 0
  readonly #failed = (error: unknown, stanza: Stanza): void => { this.#refuse(stanza, error) }

  constructor (parts: IncomingStanzasParts, proven: Proven, acks: Acks) {
    this.#parts = parts
    this.#proven = proven
    this.#acks = acks
    this.#inFlight = new InFlight(() => { acks.handled() })
  }

  /** Resolves when all are handled that were taken; undefined where that is so now. */
  settled (): Promise<void> | undefined {
    return this.#inFlight.settled()
  }

  /** Takes a stanza. A promise means that the next one must wait. Throws the stream's error against the rules. */
  take (frame: Frame): void | Promise<void> {
    this.#checkPair(frame)
    this.#acks.taken()
    const stanza = this.#read(frame)
    if (!stanza) return this.#inFlight.track() // it was refused
    if (stanza.kind === 'iq') return this.#takeIq(stanza)
    this.#inFlight.track(this.#route(stanza), stanza, this.#failed)
    return this.#inFlight.room()
  }

  /** RFC 6120 §4.9.3.6, §4.9.3.7, §4.9.3.9. */
  #checkPair ({ from, to }: Frame): void {
    const [remote, local] = [domainOf(from), domainOf(to)]
    if (remote === undefined || local === undefined) {
      throw new StreamError('improper-addressing', 'a stanza between servers needs two addresses')
    }
    const pair = this.#proven.pair(local, remote)
    if (pair) pair.received++
    else if (this.#parts.router.isServed(local)) throw new StreamError('invalid-from', 'not proven on this stream')
    else throw new StreamError('host-unknown', 'not served here')
  }

  /** The stanza without what is forged; undefined where it is none, which its sender is told. */
  #read (frame: Frame): Stanza | undefined {
    const from = Jid.tryParse(frame.from ?? '')
    if (!from) return // there is nobody to tell
    try {
      const stanza = stanzaOf(frame, from, parseAddress(frame.to ?? ''), frame.lang)
      if (!stanza) throw new StreamError('unsupported-stanza-type', `<${frame.name}/> is not supported`)
      return identified(withoutForgedByServer(stanza, from, this.#parts.router.isServed))
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error
      this.#answerMalformed(frame, from, error)
    }
  }

  /** The answer comes from where the stanza was sent to, as that was written (RFC 6120 §8.3.3.8). */
  #answerMalformed (frame: Frame, from: Jid, error: StanzaError): void {
    if (frame.type === 'error' || frame.type === 'result') return
    const to = Jid.asWritten(frame.to ?? '')
    const sent = frame.name === 'iq' ? iq('get', { from, to, id: frame.id })
      : stanzaOf({ ...frame, type: undefined }, from, to, undefined)
    if (sent) this.#refuse(sent, error)
  }

  /** A request counts as handled when it is on its way; its answer may take long. */
  #takeIq (request: Iq): void | Promise<void> {
    const answered = this.#route(request)
    this.#inFlight.track()
    if (!answered) return
    const counted = answered.catch((error: unknown) => { this.#refuse(request, error) })
      .finally(() => { this.#openIqs-- })
    if (++this.#openIqs >= MAX_OPEN_IQS) return counted
  }

  #route (stanza: Stanza): void | Promise<void> {
    try {
      return this.#parts.router.route(stanza)
    } catch (error) { // a mistake of ours
      this.#refuse(stanza, error)
    }
  }

  /** Whatever breaks on a stanza's way costs that stanza, and its sender hears of it. */
  #refuse (stanza: Stanza, error: unknown): void {
    const { router, log } = this.#parts
    if (!(error instanceof StanzaError)) {
      log.error({ event: 'stream.stanza_failed', err: error, stanza: stanza.summary() }, 'stream: stanza failed')
    }
    const answer = error instanceof StanzaError ? error
      : new StanzaError('internal-server-error', undefined, undefined, 'wait')
    neverRejects(router.bounce(stanza, answer)) // as it says
  }
}

/** The prepared domain of an address, also of one that is otherwise invalid. */
function domainOf (text: string | undefined): string | undefined {
  if (text === undefined) return
  return Jid.tryParse(text)?.domain ?? Jid.tryParse(text.slice(0, slashOf(text)).replace(/^[^@]*@/, ''))?.domain
}

function slashOf (text: string): number {
  const at = text.indexOf('/')
  return at === -1 ? text.length : at
}

/**
 * A message that can be recognised when its server sends it again, since it does not know that it is handled: by its
 * origin-id or, without one, by a unique id and its content. What a room says to an occupant is in no archive here, and
 * is not.
 */
function identified (stanza: Stanza): Stanza {
  if (stanza.kind !== 'message' || !hasUniqueId(stanza) || originId(stanza) !== undefined) return stanza
  const { from, to, id, type } = stanza
  if (type === 'groupchat' && to?.isBare === false) return stanza
  const content = undelayedContent(stanza).toString('latin1')
  return stanza.withDedupKey(hash('sha1', `${from}\0${to?.bare}\0${id}\0${content}`, 'base64'))
}
