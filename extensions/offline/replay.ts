/**
 * The replay of offline messages to a session: page by page, so that neither its queue nor its socket is flooded, and
 * before newer stanzas, which are held back until the end.
 */
import { setTimeout } from 'node:timers/promises'
import { delay, stamp, storedStanza } from '../../src/extension/api.ts'
import type {
  ArchivedMessage, ExtensionHost, Message, MessageArchive, NumberRange, SessionView, Stanza,
} from '../../src/extension/api.ts'
import { isCopy, isOwn } from './own.ts'
import type { Undelivered } from './undelivered.ts'

const RETRY_MS = 200

/** The messages that are read at a time. */
const PAGE = 50

/** The most numbers that one query may read: all may be messages that the account sent. */
export const MAX_LOOKED_AT = 5000

/**
 * Beyond this number newer stanzas are read from the archive in their turn, or, if not archived, sent at once: they may
 * overtake.
 */
const MAX_KEPT = 1000
const MAX_KEPT_BYTES = 1024 * 1024

/** A range of the archive to replay, first excluded, last included. */
interface Part {
  after: number
  upTo: number
  /** Only messages that were given to no session that still exists. */
  readonly isAbandoned: boolean
}

export class Replay {
  readonly #host: ExtensionHost
  readonly #archive: MessageArchive
  readonly #session: SessionView
  readonly #undelivered: Undelivered
  readonly #parts: Part[] = []
  readonly #kept: Stanza[] = []
  #keptBytes = 0
  /** Held-back stanzas whose turn has come, by number. */
  readonly #due = new Map<number, Stanza>()
  #isPassing = false
  #isOver = false
  /** The last message of the page that the client has to acknowledge. */
  #awaited: number | undefined
  #goOn: (() => void) | undefined

  constructor (host: ExtensionHost, archive: MessageArchive, session: SessionView, undelivered: Undelivered) {
    this.#host = host
    this.#archive = archive
    this.#session = session
    this.#undelivered = undelivered
  }

  /** Another range, up to the archive's present end. */
  add (isAbandoned: boolean): void {
    this.#parts.push({ after: 0, upTo: this.#undelivered.last, isAbandoned })
    // Stanzas held back until now are part of it, and not repeated at the end.
    for (const stanza of this.#kept.splice(0)) {
      const seq = this.#numberOf(stanza)
      if (seq === undefined) this.#kept.push(stanza)
      else {
        this.#due.set(seq, stanza)
        this.#keptBytes -= stanza.inner.length
      }
    }
  }

  /** Gives the session all that was added. */
  async run (): Promise<void> {
    for (let part = this.#parts[0]; part && !this.#isOver; part = this.#parts[0]) {
      const stretches = within(
        this.#undelivered.stretchesFor(this.#session, part.after, part.upTo, part.isAbandoned, PAGE),
      )
      const last = stretches.at(-1)
      if (!last) {
        this.#parts.shift()
        continue
      }
      const messages = await this.#read(stretches)
      if (this.#isOver) return
      part.after = messages.length < PAGE ? last.to : messages.at(-1)?.seq ?? last.to
      this.#give(stretches, part.after, messages)
      await this.#taken(messages)
    }
  }

  /** A session that can wait is worth retrying for: nothing else would bring it the messages. */
  async #read (stretches: readonly NumberRange[]): Promise<readonly ArchivedMessage[]> {
    for (;;) {
      try {
        return await this.#archive.readReceived(this.#host.db, this.#undelivered.owner, stretches, PAGE)
      } catch (error) { // the database's: it is away
        if (this.#isOver) throw error
        this.#host.log.debug({ event: 'offline.replay_delayed', err: error }, 'offline: replay waits for the database')
      }
      await setTimeout(RETRY_MS)
    }
  }

  #give (stretches: readonly NumberRange[], upTo: number, messages: readonly ArchivedMessage[]): void {
    const { account, jid } = this.#session
    // A message that came late may be missing among the page's.
    const seqs = [...messages.map(({ seq }) => seq), ...this.#due.keys()].sort((a, b) => a - b)
    for (const { from, to } of stretches) if (from <= upTo) this.#undelivered.found(from, Math.min(to, upTo), seqs)
    this.#isPassing = true
    for (const { seq, sentAt, stanza } of messages) {
      this.#due.delete(seq)
      if (!this.#undelivered.isFor(seq, this.#session)) continue
      const message = storedStanza(stanza) as Message
      this.#session.deliver(stamp(message.withPayload(delay(sentAt, jid.domain)), account, String(seq)))
    }
    this.#isPassing = false
  }

  /** Resolves when the client may be sent more. */
  async #taken (messages: readonly ArchivedMessage[]): Promise<void> {
    const last = messages.findLast(({ seq }) => this.#undelivered.isWith(seq, this.#session))?.seq
    if (last !== undefined && !this.#isOver) {
      await new Promise<void>(resolve => {
        this.#awaited = last
        this.#goOn = resolve
      })
    }
    const drained = this.#isOver ? undefined : this.#session.drained()
    if (drained) await Promise.race([drained, new Promise<void>(resolve => { this.#goOn = resolve })])
  }

  /** Whether ranges were added that are not replayed yet. */
  get hasMore (): boolean {
    return this.#parts.length > 0 && !this.#isOver
  }

  get #isFull (): boolean {
    return this.#kept.length >= MAX_KEPT || this.#keptBytes >= MAX_KEPT_BYTES
  }

  /** The client says that it has one. */
  confirmed (seq: number): void {
    if (this.#awaited !== undefined && seq >= this.#awaited) this.#release()
  }

  #release (): void {
    this.#awaited = undefined
    this.#goOn?.()
  }

  /**
   * Whether the stanza has to wait. Messages of rooms to all don't; nor do stanzas of the account itself other than
   * copies, such as results of a query.
   */
  keeps (stanza: Stanza): boolean {
    const { account } = this.#session
    if (this.#isPassing || stanza.kind !== 'message' || stanza.type === 'groupchat' || !stanza.from) return false
    if (!isCopy(stanza, account) && isOwn(stanza, account)) return false
    const seq = this.#numberOf(stanza)
    if (seq !== undefined && this.#parts.some(({ after, upTo }) => after < seq && seq <= upTo))
      this.#due.set(seq, stanza.copy())
    else if (!this.#isFull) this.#keep(stanza)
    else if (seq !== undefined && this.#undelivered.isFor(seq, this.#session)) this.#leaveToArchive(seq)
    else return false
    return true
  }

  /** The archive number of a stanza that waits; a copy is delivered as a copy. */
  #numberOf (stanza: Stanza): number | undefined {
    return stanza.archiveNumber === undefined || isCopy(stanza, this.#session.account)
      ? undefined
      : Number(stanza.archiveNumber)
  }

  #keep (stanza: Stanza): void {
    this.#kept.push(stanza.copy())
    this.#keptBytes += stanza.inner.length
  }

  /** Replays this stanza and everything held back before it from the archive, as far as it is archived. */
  #leaveToArchive (upTo: number): void {
    let first = upTo
    for (const stanza of this.#kept.splice(0)) {
      const seq = this.#numberOf(stanza)
      if (seq === undefined || !this.#undelivered.isFor(seq, this.#session)) {
        this.#kept.push(stanza)
        continue
      }
      first = Math.min(first, seq)
      this.#keptBytes -= stanza.inner.length
    }
    const last = this.#parts.at(-1)
    if (last?.isAbandoned === false) last.upTo = upTo
    else this.#parts.push({ after: first - 1, upTo, isAbandoned: false })
  }

  /** The replay ends: held-back stanzas come next. */
  end (): readonly Stanza[] {
    this.#isOver = true
    this.#release()
    const due = [...this.#due].sort(([a], [b]) => a - b).map(([, stanza]) => stanza)
    this.#due.clear()
    return [...due, ...this.#kept.splice(0)]
  }
}

/** As much of the ranges as one query may read. */
function within (stretches: readonly NumberRange[]): readonly NumberRange[] {
  let left = MAX_LOOKED_AT
  return stretches.flatMap(({ from, to }) => {
    const end = Math.min(to, from + left - 1)
    left -= end - from + 1
    return end < from ? [] : { from, to: end }
  })
}
