/**
 * The queue from a local to a remote domain: opens a link when something waits, sends in order, and drops a message
 * when the other server has confirmed it. What was not confirmed when a link is lost is sent again on the next one.
 */
import type { Logger } from '../../log.ts'
import { inBackground, neverRejects } from '../../util/background.ts'
import { inNextSlice, isSliceOver } from '../../util/slices.ts'
import { within } from '../../util/within.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { LinkError } from '../link.ts'
import type { Link, Links } from '../link.ts'
import type { Kept, Line, Passing } from './line.ts'
import { WRITE_AFTER_MS } from './unwritten.ts'

/** Pauses before a link is opened again: twice as long each time, less up to half of it by chance. */
export interface RetryOptions { readonly firstMs: number, readonly longestMs: number }

const RETRY: RetryOptions = { firstMs: 1000, longestMs: 600_000 }
/** The deadlines of a link's opening and of a confirmation, whatever the link does. */
const OPEN_MS = 120_000
const CONFIRM_MS = 60_000
/** A confirmation is asked for after so many messages, or so much later. */
const BATCH = 200
const BATCH_MS = 20
/** Messages that are sent ahead of their confirmation. */
const MAX_UNCONFIRMED = 2000
/** Refusals in a row after which all that waits is given back, and those of one message that is sent alone. */
const MAX_REFUSALS = 3
const MAX_REFUSALS_OF_ONE = 2
/** What is given back to many, one after another, is told of once in this time. */
const TELL_AGAIN_MS = 60_000

export interface PairParts {
  readonly local: string
  readonly remote: string
  readonly line: Line
  readonly links: Links
  readonly log: Logger
  readonly giveUpMs: number
  readonly retry?: RetryOptions | undefined
  /** Undefined while this node owns the domain for sure; otherwise resolves once that is known. */
  readonly certain: () => Promise<void> | undefined
  /** Reads the stanzas of `line.unread` into the line. */
  readonly read: () => Promise<void>
  /** A confirmation of all that was sent is asked for. */
  readonly asking: () => void
  readonly confirmed: (kept: readonly Kept[]) => void
  /** The link is lost. */
  readonly lost: () => void
  readonly giveBack: (kept: readonly Kept[], error: StanzaError) => void
  readonly refuse: (passing: readonly Passing[], error: StanzaError) => void
  /** What waits no longer, whether or not it was sent. */
  readonly passed: (passing: Passing) => void
}

/** A pair of domains for the administrator. */
export interface PairStatus {
  readonly local: string
  readonly remote: string
  /** Messages and subscriptions. */
  readonly waiting: number
  /** When the oldest of them came, in milliseconds since 1970. */
  readonly oldest: number | undefined
  readonly lastError: string | undefined
  /** In milliseconds since 1970. */
  readonly nextAttempt: number | undefined
  /** Of the open link. */
  readonly provenBy: Link['provenBy'] | undefined
  readonly tls: string | undefined
}

type Way =
  /** Nothing waits. */
  | { readonly name: 'rest' }
  | { readonly name: 'opening' }
  | { readonly name: 'open', readonly link: Link }
  | { readonly name: 'waiting', readonly until: number, readonly timer: NodeJS.Timeout }
  | { readonly name: 'closed' }

const REST: Way = { name: 'rest' }

export class PairQueue {
  readonly #parts: PairParts
  #way: Way = REST
  /** What sending waits for: the link's reader, the database, a slice. */
  #heldUpBy: object | undefined
  #confirming: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #failures = 0
  #refusals = 0
  #lastError: string | undefined
  /** The other server has ended a stream on one of the messages up to this number: they are sent one by one. */
  #carefulUpTo = 0
  /** The last confirmation came in time to spare a row. */
  #isQuick = true
  #isSettled = false
  #toldAt = -Infinity

  constructor (parts: PairParts) {
    this.#parts = parts
  }

  /** Whether nothing waits, and there is no link. */
  get isIdle (): boolean {
    return this.#way.name === 'rest' && this.#parts.line.isEmpty
  }

  /** Whether what has just come will probably be confirmed before long. */
  get confirmsSoon (): boolean {
    return this.#way.name === 'open' && this.#isQuick && !this.#isCareful && !this.#isSettled
  }

  /**
   * Sends what waits, where there is a link; otherwise opens one, unless that has just failed. Called when something
   * has come, and when it is committed.
   */
  wake (): void {
    if (this.#isSettled) return
    if (this.#way.name === 'open') this.#send(this.#way.link)
    else if (this.#way.name === 'rest' && this.#parts.line.next()) neverRejects(this.#open()) // errors are told
  }

  /** Tries again now. */
  retry (): void {
    if (this.#way.name !== 'waiting') return
    clearTimeout(this.#way.timer)
    this.#way = REST
    this.wake()
  }

  /** Gives back all that waits. */
  drop (error: StanzaError): void {
    if (this.#way.name === 'waiting') this.#forget()
    this.#giveBackAll(error)
  }

  /** Refuses what has waited for too long; `now` is of the monotonic clock. */
  check (now: number): void {
    const { line, refuse, remote } = this.#parts
    const late = line.takePassing(passing => passing.until <= now)
    if (late.length > 0) refuse(late, new StanzaError('remote-server-timeout', `${remote} was not reached in time`))
  }

  get status (): PairStatus {
    const { local, remote, line } = this.#parts
    const link = this.#way.name === 'open' ? this.#way.link : undefined
    return {
      local, remote, waiting: line.waiting, oldest: line.oldest?.queuedAt, lastError: this.#lastError,
      nextAttempt: this.#way.name === 'waiting' ? this.#way.until : undefined,
      provenBy: link?.provenBy, tls: link?.tls,
    }
  }

  /** Sends nothing more; resolves when the confirmation of what was sent has come, or after this time. */
  async settle (ms: number): Promise<void> {
    const way = this.#way
    this.#isSettled = true
    if (way.name !== 'open' || this.#parts.line.unconfirmed === 0) return
    await within(ms, (this.#confirming ?? Promise.resolve()).then(() => this.#confirm(way.link))).catch(() => {})
  }

  /** Ends without notice. */
  close (): void {
    const way = this.#way
    this.#forget()
    this.#way = { name: 'closed' }
    if (way.name === 'open') way.link.close()
  }

  #forget (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#heldUpBy = undefined
    this.#confirming = undefined
    if (this.#way.name === 'waiting') clearTimeout(this.#way.timer)
    if (this.#way.name === 'waiting') this.#way = REST
  }

  async #open (): Promise<void> {
    const { links, local, remote } = this.#parts
    this.#way = { name: 'opening' }
    try {
      const link = await within(OPEN_MS, links.open(local, remote))
      if (this.#way.name !== 'opening') return
      this.#forget()
      this.#parts.line.rewind()
      this.#way = { name: 'open', link }
      this.#refusals = 0
      link.whenLost(reason => { this.#lost(link, reason) })
      this.wake()
    } catch (error) { // the link's, or a timeout
      if (this.#way.name === 'opening') this.#failed(asLinkError(error))
    }
  }

  #send (link: Link): void {
    const { line, certain, read } = this.#parts
    if (this.#heldUpBy || this.#isSettled) return
    let wait = certain()
    while (!wait && this.#isOpen(link)) {
      const next = line.unconfirmed < this.#mostUnconfirmed ? line.next() : undefined
      if (!next) break
      if (next === 'unread') wait = read()
      else if (isSliceOver()) wait = new Promise(inNextSlice)
      else wait = this.#write(next, link)
    }
    this.#confirmSoon(link)
    if (!wait) return
    const holder = this.#heldUpBy = {}
    const goOn = (): void => {
      if (this.#heldUpBy !== holder) return
      this.#heldUpBy = undefined
      if (this.#isOpen(link)) this.#send(link)
    }
    neverRejects(wait.then(goOn, goOn)) // on a link that is lost nothing is sent
  }

  #write (next: Kept | Passing, link: Link): Promise<void> | undefined {
    const { line, passed } = this.#parts
    const { stanza } = next
    line.sent(next)
    if (!('seq' in next)) passed(next)
    if (stanza) link.send(stanza)
    return link.drained()
  }

  #isOpen (link: Link): boolean {
    return this.#way.name === 'open' && this.#way.link === link
  }

  get #isCareful (): boolean {
    return (this.#parts.line.oldest?.seq ?? Infinity) <= this.#carefulUpTo
  }

  get #mostUnconfirmed (): number {
    return this.#isCareful ? 1 : MAX_UNCONFIRMED
  }

  #confirmSoon (link: Link): void {
    const { unconfirmed } = this.#parts.line
    if (unconfirmed === 0 || this.#confirming || !this.#isOpen(link)) return
    if (unconfirmed >= BATCH || this.#isCareful) this.#startConfirm(link)
    else this.#timer ??= setTimeout(() => { this.#startConfirm(link) }, BATCH_MS)
  }

  #startConfirm (link: Link): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const confirming = this.#confirm(link).finally(() => {
      if (this.#confirming !== confirming) return
      this.#confirming = undefined
      if (this.#isOpen(link)) this.#send(link)
    })
    this.#confirming = confirming
    inBackground(this.#parts.log, 'confirmation of messages to other servers', confirming)
  }

  async #confirm (link: Link): Promise<void> {
    const { line, asking, confirmed } = this.#parts
    const upTo = line.lastSent
    if (upTo === undefined || !this.#isOpen(link)) return
    asking()
    const askedAt = performance.now()
    try {
      await within(CONFIRM_MS, link.confirm())
    } catch (error) { // the link's, or a timeout
      if (!this.#isOpen(link)) return
      this.#lost(link, asLinkError(error))
      return link.close()
    }
    if (!this.#isOpen(link)) return
    this.#isQuick = performance.now() - askedAt < WRITE_AFTER_MS
    this.#failures = 0
    this.#lastError = undefined
    confirmed(line.confirm(upTo))
  }

  #lost (link: Link, reason: LinkError): void {
    if (!this.#isOpen(link)) return
    const { line, lost } = this.#parts
    this.#forget()
    this.#way = REST
    lost()
    if (reason.kind === 'refused') this.#blame(reason)
    line.rewind()
    if (!line.isEmpty) this.#retryLater(reason)
  }

  /** The other server has ended the stream, perhaps on one of the messages: only that one is given back. */
  #blame (reason: LinkError): void {
    const { line, giveBack, remote } = this.#parts
    const { unconfirmed, oldest } = line
    const wasAlone = this.#isCareful && unconfirmed === 1
    this.#carefulUpTo = Math.max(this.#carefulUpTo, line.lastSent ?? 0)
    if (!oldest || !wasAlone || ++oldest.refusals < MAX_REFUSALS_OF_ONE) return
    line.rewind()
    giveBack(line.takeKept(kept => kept === oldest),
      new StanzaError('policy-violation', `${remote} does not take the message: ${reason.message}`))
  }

  #failed (reason: LinkError): void {
    const { remote } = this.#parts
    this.#way = REST
    this.#refusals = reason.kind === 'refused' ? this.#refusals + 1 : 0
    if (reason.kind === 'not-found') {
      this.#lastError = reason.message
      return this.#giveBackAll(new StanzaError('remote-server-not-found', reason.message))
    }
    if (this.#refusals < MAX_REFUSALS) return this.#retryLater(reason)
    this.#refusals = 0
    this.#lastError = reason.message
    this.#giveBackAll(timeout(`${remote} could not be reached: ${reason.message}`))
  }

  #retryLater (reason: LinkError): void {
    const { line, giveBack, giveUpMs, remote, local, log, retry = RETRY } = this.#parts
    if (this.#failures === 0) {
      log.info({ event: 'federation.unreachable', local, remote, reason: reason.message, waiting: line.waiting },
        'federation: messages wait for another server')
    }
    this.#lastError = reason.message
    const since = Date.now() - giveUpMs
    const expired = line.takeKept(kept => kept.queuedAt <= since)
    if (expired.length > 0) giveBack(expired, timeout(`${remote} could not be reached for too long: ${reason.message}`))
    if (line.isEmpty) return
    const delay = Math.min(retry.longestMs, retry.firstMs * 2 ** this.#failures++) * (1 - Math.random() / 2)
    const ms = Math.min(delay, Math.max(1, (line.oldest?.queuedAt ?? Infinity) - since))
    this.#way = { name: 'waiting', until: Date.now() + ms, timer: setTimeout(() => { this.retry() }, ms).unref() }
  }

  #giveBackAll (error: StanzaError): void {
    const { line, giveBack, refuse, log, remote, local } = this.#parts
    line.rewind()
    const kept = line.takeKept(() => true)
    const reason = error.message
    const now = performance.now()
    const level = now - this.#toldAt < TELL_AGAIN_MS ? 'debug' : 'warn'
    if (level === 'warn') this.#toldAt = now
    log[level]({ event: 'federation.given_up', local, remote, messages: kept.length, reason },
      'federation: what waited for another server is given back')
    giveBack(kept, error)
    refuse(line.takePassing(), error)
    this.#failures = 0
  }
}

/** The sender is not to try again by itself, and a room is to let go of an occupant. */
function timeout (text: string): StanzaError {
  return new StanzaError('remote-server-timeout', text, undefined, 'cancel')
}

function asLinkError (error: unknown): LinkError {
  if (error instanceof LinkError) return error
  return new LinkError('unreachable', error instanceof Error ? error.message : String(error), { cause: error })
}
