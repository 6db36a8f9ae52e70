/**
 * XEP-0198 §4: a session whose stream is managed: it counts what it handled of the client's stanzas and keeps what the
 * client has not acknowledged. What it asks and answers leaves once a turn, behind the stanzas of the turn.
 */
import { el, StreamError } from '../../src/extension/api.ts'
import type { Session, Stanza } from '../../src/extension/api.ts'
import { AckQueue } from './ack-queue.ts'
import type { Sent } from './ack-queue.ts'

export const NS = 'urn:xmpp:sm:3'

/** As many stanzas without a message among them are worth a question. */
const ASK_AT = 20
/** As many may point into what came from the network, and hold all that came with them. */
const MAX_BORROWED = 50
const MAX_BYTES = 16 * 1024 * 1024

const REQUEST = el('r', NS)

let due: ManagedSession[] = []

/** Calls `flush` once, when all is dealt with that has come or was committed by now. */
function flushSoon (session: ManagedSession): void {
  if (due.push(session) === 1) process.nextTick(flushAll)
}

function flushAll (): void {
  const sessions = due
  due = []
  for (const session of sessions) session.flush()
}

export interface ManagedOptions {
  /** Under which it may be resumed; nothing where it may not. */
  readonly id: string | undefined
  /** How long it waits for that. */
  readonly patienceMs: number
  /** As many stanzas may be unacknowledged. */
  readonly limit: number
  /** Told when there are more. */
  readonly overflowed: (session: Session) => void
}

export class ManagedSession {
  readonly session: Session
  readonly id: string | undefined
  readonly patienceMs: number
  readonly queue = new AckQueue()
  readonly #limit: number
  readonly #overflowed: (session: Session) => void
  isEnded = false
  #handled = 0
  /** What to have handled before the client's first and last question are answered. */
  #firstAnswer: number | undefined
  #lastAnswer = 0
  /** Whether the client has yet to answer. */
  #isAsked = false
  /** Whether a message was sent since it was asked. */
  #hasNews = false
  #isDue = false

  constructor (session: Session, { id, patienceMs, limit, overflowed }: ManagedOptions) {
    this.session = session
    this.id = id
    this.patienceMs = patienceMs
    this.#limit = limit
    this.#overflowed = overflowed
  }

  /** The `h` of what the client sent. */
  get handled (): number {
    return this.#handled
  }

  /** A stanza is about to be written, or to wait for the next stream. */
  track (stanza: Stanza): void {
    const { queue, session } = this
    const isBorrowed = session.stream !== undefined && queue.length < MAX_BORROWED
    queue.push({ stanza: isBorrowed ? stanza : stanza.copy(), at: Date.now(), beside: session.account.sessions })
    if (stanza.kind === 'message') this.#hasNews = true
    if (this.#shouldAsk || this.#isOverfull) this.#flushSoon()
  }

  countHandled (): void {
    this.#handled = (this.#handled + 1) >>> 0
    if (this.#handled === this.#firstAnswer) this.#flushSoon()
  }

  /** Answers the client's `<r/>` when what it sent before is handled. */
  answer (): void {
    const { size } = this.session.inFlight
    if (size === 0) return this.#sendAnswer()
    this.#lastAnswer = (this.#handled + size) >>> 0
    this.#firstAnswer ??= this.#lastAnswer
  }

  /** Takes the client's `h`: what it has now. Throws the end of the stream when that was never sent (§6). */
  acknowledge (h: number): readonly Sent[] {
    const acknowledged = this.queue.acknowledge(h)
    if (!acknowledged) throw tooHigh(h, this.queue.sent)
    this.#isAsked = false
    if (this.#hasNews || (acknowledged.length > 0 && this.queue.length >= ASK_AT)) this.#flushSoon()
    return acknowledged
  }

  /** Writes to a new stream what the client does not have. */
  sendAgain (): void {
    this.#firstAnswer = undefined
    this.#isAsked = false
    for (const sent of this.queue.waiting) this.session.stream?.write(delayed(sent))
    if (this.queue.length > 0) this.#ask()
  }

  /** For this module: sends what is due. */
  flush (): void {
    this.#isDue = false
    if (this.isEnded) return
    if (this.#isOverfull) return this.#overflowed(this.session)
    if (this.#firstAnswer !== undefined && this.#hasHandled(this.#firstAnswer)) this.#sendAnswer()
    if (this.#shouldAsk && this.session.stream) this.#ask()
  }

  get #isOverfull (): boolean {
    return this.queue.length > this.#limit || this.queue.bytes > MAX_BYTES
  }

  get #shouldAsk (): boolean {
    return !this.#isAsked && (this.#hasNews || this.queue.length >= ASK_AT)
  }

  #hasHandled (count: number): boolean {
    return ((this.#handled - count) | 0) >= 0
  }

  #flushSoon (): void {
    if (this.#isDue) return
    this.#isDue = true
    flushSoon(this)
  }

  #ask (): void {
    this.#isAsked = true
    this.#hasNews = false
    this.session.send(REQUEST)
  }

  #sendAnswer (): void {
    this.#firstAnswer = this.#hasHandled(this.#lastAnswer) ? undefined : this.#lastAnswer
    this.session.send(el('a', NS, { h: String(this.#handled) }))
  }
}
