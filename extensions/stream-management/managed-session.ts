/**
 * XEP-0198 §4: a session with stream management: counts the client's handled stanzas, and queues unacknowledged ones.
 * Its requests and answers are sent once per turn of the event loop, after the turn's stanzas.
 */
import { el, inBackground, randomId, StreamError } from '../../src/extension/api.ts'
import type { AccountView, Element, ExtensionHost, SessionView, Stanza } from '../../src/extension/api.ts'
import { AckQueue, delayed, parseCount } from './ack-queue.ts'
import type { Sent } from './ack-queue.ts'
import type { Keeper, Kept, Share } from './kept.ts'

export const NS = 'urn:xmpp:sm:3'

/** The number of stanzas without a message after which an acknowledgement is requested. */
const ASK_AT = 20
/** The number of queued stanzas that may reference received buffers, and so keep them in memory. */
const MAX_BORROWED = 50
const MAX_BYTES = 16 * 1024 * 1024

const REQUEST = el('r', NS)

let due: ManagedSession[] = []

/** Calls `flush` once, when all that has come or was committed by now is handled. */
function flushSoon (session: ManagedSession): void {
  if (due.push(session) === 1) process.nextTick(flushAll)
}

function flushAll (): void {
  const sessions = due
  due = []
  for (const session of sessions) session.flush()
}

/** How the extension is configured. */
export interface Options { readonly 'resume-seconds': number, readonly 'queue': number, readonly 'total-bytes': number }

/** What managed sessions have in common. */
export interface Surroundings {
  readonly host: ExtensionHost
  /** The most unacknowledged stanzas. */
  readonly limit: number
  readonly kept: Kept
  /** Where there are other nodes. */
  readonly note: Noter | undefined
}

/** What was agreed on with the client. */
export interface Terms {
  /** The id for resumption; undefined where it is not allowed. */
  readonly id: string | undefined
  /** How long it waits for that. */
  readonly seconds: number
}

/** Where both sides' counts stand. */
export interface Counts {
  /** Of the client's stanzas. */
  readonly handled: number
  /** Of those that the client was sent. */
  readonly acknowledged: number
}

/** A change of a session: a stanza written (the note's body), and the `h` of either side. */
export type Change =
  | readonly ['w', resource: string, at: string, archiveNumber: string]
  | readonly ['a' | 'h', resource: string, h: string]

/** Replicates a change. */
export type Noter = (account: AccountView, change: Change, body?: Buffer) => void

export class ManagedSession implements Keeper {
  readonly session: SessionView
  readonly id: string | undefined
  readonly seconds: number
  readonly queue: AckQueue
  readonly #host: ExtensionHost
  readonly #note: Noter | undefined
  readonly #limit: number
  readonly #kept: Kept
  readonly #share: Share
  #hasLeft = false
  asleepSince: number | undefined
  /** It can't be resumed any more. */
  isEnded = false
  #handled: number
  /** The handled count at which the next request of the client is answered, and its last one. */
  #nextAnswer: number | undefined
  #lastAnswer = 0
  /** Whether the client has yet to answer. */
  #isAsked = false
  /** Whether a message was sent since the last request. */
  #hasNews = false
  #isDue = false

  constructor (
    { host, limit, kept, note }: Surroundings, session: SessionView, { id, seconds }: Terms,
    { handled, acknowledged }: Counts = { handled: 0, acknowledged: 0 },
  ) {
    this.#host = host
    this.session = session
    this.id = id
    this.seconds = seconds
    this.#limit = limit
    this.#kept = kept
    this.#share = kept.join(session.account, this)
    this.#note = id === undefined ? undefined : note
    this.#handled = handled
    this.queue = new AckQueue(acknowledged)
    if (note && id !== undefined) host.stream.countInbound(session, id, handled)
  }

  enabled (): Element {
    const { id, seconds } = this
    this.#noteCount('h', this.#handled) // other nodes know of the session before its client does
    return id === undefined ? el('enabled', NS) : el('enabled', NS, { id, resume: 'true', max: String(seconds) })
  }

  #noteCount (whose: 'a' | 'h', count: number): void {
    this.#note?.(this.session.account, [whose, this.session.jid.resource, String(count)])
  }

  get bytes (): number {
    return this.queue.bytes
  }

  /** It has ended, or continues at another node: its queue is rerouted elsewhere. */
  leave (): void {
    this.#hasLeft = true
    this.#kept.leave(this.session.account, this)
  }

  /** Its stream broke: it waits for the next one, from `now` on. */
  sleep (now: number): void {
    this.queue.settle()
    this.asleepSince = now
  }

  /** Ends the account's longest waiting sessions where too many wait. */
  limitAsleep (): void {
    this.#share.limitAsleep()
  }

  /** The `h` of what the client sent. */
  get handled (): number {
    return this.#handled
  }

  /** A stanza is about to be written, or to wait for the next stream. */
  track (stanza: Stanza): void {
    const { queue, session } = this
    const isBorrowed = session.stream !== undefined && queue.length < MAX_BORROWED
    const at = Date.now()
    const bytes = queue.push({
      stanza: isBorrowed ? stanza : stanza.copy(),
      at,
      siblingSessions: session.account.sessions,
    })
    if (!this.#hasLeft) this.#share.add(bytes)
    this.#note?.(session.account, ['w', session.jid.resource, String(at), stanza.archiveNumber ?? ''], stanza.toBytes())
    if (stanza.kind === 'message') this.#hasNews = true
    if (this.#shouldAsk || this.#isOverfull || this.#share.isTooMuch) this.#flushSoon()
  }

  countHandled (): void {
    this.#handled = (this.#handled + 1) >>> 0
    if (this.#handled === this.#nextAnswer) this.#flushSoon()
  }

  /** Answers the client's `<r/>` when its earlier stanzas are handled. */
  answer (): void {
    const { size } = this.session.inFlight
    this.#lastAnswer = (this.#handled + size) >>> 0
    if (size === 0) this.#sendAnswer()
    else this.#nextAnswer ??= this.#lastAnswer
  }

  /** Processes the client's `h`; returns what it acknowledges. Throws a stream error when that was never sent (§6). */
  acknowledge (h: number): readonly Sent[] {
    const before = this.queue.bytes
    const acknowledged = this.queue.acknowledge(h)
    if (!this.#hasLeft) this.#share.add(this.queue.bytes - before)
    if (!acknowledged) throw countTooHigh(h, this.queue.sent)
    if (acknowledged.length > 0) this.#noteCount('a', h)
    this.#isAsked = false
    if (this.#hasNews || (acknowledged.length > 0 && this.queue.length >= ASK_AT)) this.#flushSoon()
    return acknowledged
  }

  /** Writes unacknowledged stanzas to a new stream. */
  sendAgain (): void {
    this.#isAsked = false
    this.asleepSince = undefined
    const sent = this.session.writeAgain(again([...this.queue.waiting]))
    if (sent)
      inBackground(
        this.#host.log,
        'retransmission of unacknowledged stanzas',
        sent.then(() => {
          this.#askForAll()
        }),
      )
    else this.#askForAll()
  }

  #askForAll (): void {
    if (this.queue.length > 0) this.#ask()
  }

  /** For this module: sends what is due. */
  flush (): void {
    this.#isDue = false
    if (this.#isOverfull) return this.giveUp()
    if (this.#share.isTooMuch) this.#share.makeRoom()
    if (this.#hasLeft) return
    if (this.#nextAnswer !== undefined && this.#hasHandled(this.#nextAnswer)) this.#sendAnswer()
    if (this.#shouldAsk && this.session.stream) this.#ask()
  }

  giveUp (): void {
    if (!this.session.stream) return this.#host.accounts.endSession(this.session)
    this.session.close(new StreamError('resource-constraint', 'your client left too many stanzas unacknowledged'))
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
    this.#nextAnswer = this.#hasHandled(this.#lastAnswer) ? undefined : (this.#handled + 1) >>> 0
    this.session.send(el('a', NS, { h: String(this.tellHandled()) }))
  }

  /** The `h` for the client, which is final once it is sent. */
  tellHandled (): number {
    this.#noteCount('h', this.#handled)
    return this.#handled
  }
}

function * again (waiting: readonly Sent[]): Generator<Stanza> {
  for (const { stanza, at } of waiting) yield delayed(stanza, at)
}

/**
 * Grants what `<enable/>` requests within the server's limits (§3). Anonymous accounts can't log in again, and so can't
 * resume.
 */
export function agree ({ attrs: { max, resume } }: Element, { account }: SessionView, options: Options): Terms {
  const seconds = Math.min(parseCount(max) || Infinity, options['resume-seconds'])
  const isResumable = (resume === 'true' || resume === '1') && seconds > 0 && !account.isAnonymous
  return { id: isResumable ? randomId() : undefined, seconds }
}

// §6.
function countTooHigh (h: number, sent: number): StreamError {
  return new StreamError('undefined-condition', `your client acknowledged ${h} stanzas, but was sent ${sent}`, {
    name: 'handled-count-too-high', ns: NS, attrs: { 'h': String(h), 'send-count': String(sent) },
  })
}
