/**
 * Appends to archives: numbers are assigned at once, rows are committed in groups. When the database is away a group is
 * retried for a while; then its messages are refused, and the archive is lost until its end is read again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { GroupWriter, Shares, StanzaError } from '../../src/extension/api.ts'
import type { Database, Logger, Portion, Stored } from '../../src/extension/api.ts'
import type { Archive } from './archive.ts'
import { append, FencedError } from './store.ts'
import type { Entry, Tail } from './store.ts'

const RETRY_MS = 200

/** The most bytes that wait for the database, of all and per sender; beyond it senders are told to try again. */
const MAX_WAITING_BYTES = 256 * 1024 * 1024
const MAX_WAITING_BYTES_OF_ONE = 16 * 1024 * 1024

interface Row { readonly archive: Archive, readonly entry: Entry }

export interface WriterOptions {
  readonly db: Database
  readonly log: Logger
  /** The time without a database after which waiting messages are refused. */
  readonly patienceMs: number
  /** Undefined while this node owns the archives for sure; otherwise resolves once that is known. */
  readonly certain: () => Promise<void> | undefined
  /** Called with each archive whose end is unknown. */
  readonly lost: (archive: Archive) => void
}

export class Writer {
  readonly #options: WriterOptions
  readonly #group: GroupWriter<Row>
  readonly #active = new Map<string, Archive>()
  #newest: { readonly committed: Promise<void>, readonly waiting: Portion } | undefined
  readonly #shares: Shares

  constructor (options: WriterOptions, most = MAX_WAITING_BYTES, each = MAX_WAITING_BYTES_OF_ONE) {
    this.#options = options
    this.#shares = new Shares(most, each)
    this.#group = new GroupWriter(rows => this.#commit(rows))
  }

  /** The owner's archive while memory is ahead of the database. */
  active (owner: string): Archive | undefined {
    return this.#active.get(owner)
  }

  /** Appends the message, unless it is a duplicate; throws when the archive's end is unknown. */
  keep (archive: Archive, draft: Omit<Entry, 'owner' | 'seq'>): Stored {
    if (archive.state === 'closed') throw new StanzaError('service-unavailable')
    if (archive.state === 'lost' || archive.state === 'left') throw refusal()
    const before = archive.find(draft.fingerprint)
    if (before !== undefined) {
      return { number: String(before), committed: archive.pending ?? Promise.resolve(), isRepeat: true }
    }
    const author = draft.isSent ? archive.owner : draft.peer
    if (!this.#shares.hasRoom(author)) {
      throw new StanzaError('resource-constraint', 'too many of your messages wait to be stored: try again later')
    }
    const seq = archive.next(draft.fingerprint)
    const committed = this.#group.add({ archive, entry: { ...draft, owner: archive.owner, seq } })
    this.#count(committed, author, draft.stanza.length)
    if (archive.pending !== committed) this.#await(archive, committed)
    return { number: String(seq), committed }
  }

  /** Reopens a lost archive at its end; `found` are refused entries that are committed. */
  reopen (archive: Archive, tail: Tail, found: readonly Entry[]): void {
    archive.reopen(tail, found)
    if (archive.doubtful.length === 0) this.#settle(archive)
  }

  /** Stops appending; resolves when its writes are committed or failed. */
  async close (archive: Archive): Promise<void> {
    archive.state = 'closed'
    await archive.settled()
    this.#settle(archive)
  }

  /** It is another node's to number. */
  leave (archive: Archive): void {
    archive.state = 'left'
    this.#settle(archive)
  }

  #settle (archive: Archive): void {
    if (this.#active.get(archive.owner) === archive) this.#active.delete(archive.owner)
  }

  #await (archive: Archive, committed: Promise<void>): void {
    archive.pending = committed
    this.#active.set(archive.owner, archive)
    committed.then(() => {
      archive.doubtful = []
      if (archive.pending !== committed) return
      archive.pending = undefined
      this.#settle(archive)
    }, () => { this.#lose(archive) })
  }

  #lose (archive: Archive): void {
    archive.pending = undefined
    if (archive.state !== 'open') return
    archive.state = 'lost'
    this.#options.lost(archive)
  }

  #count (committed: Promise<void>, author: string, bytes: number): void {
    if (this.#newest?.committed !== committed) {
      const waiting: Portion = { bytes: 0 }
      const gone = (): void => { this.#shares.remove(waiting) }
      committed.then(gone, gone)
      this.#newest = { committed, waiting }
    }
    this.#shares.add(this.#newest.waiting, author, bytes)
  }

  async #commit (rows: readonly Row[]): Promise<void> {
    const { db, log, patienceMs, certain } = this.#options
    await certain()
    if (rows.some(({ archive }) => archive.state === 'left')) throw refusal()
    const entries = rows.map(row => row.entry)
    const until = performance.now() + patienceMs
    let isDoubtful = false
    for (let attempt = 0; ; attempt++) {
      try {
        return await within(until, append(db, entries, attempt > 0))
      } catch (error) { // the database's: away, slow, or another writer
        if (attempt === 0 && codeOf(error) === UNIQUE_VIOLATION) continue // with what this one wrote, perhaps
        isDoubtful ||= !isAnswer(error)
        if (isFinal(error) || performance.now() + RETRY_MS >= until) throw this.#giveUp(rows, isDoubtful, error)
        if (attempt === 0) {
          log.warn({ event: 'archive.write_delayed', err: error, messages: rows.length },
            'archive: messages wait for the database')
        }
      }
      await sleep(RETRY_MS)
    }
  }

  /** The error for the senders. Rows that may have been written all the same are doubtful. */
  #giveUp (rows: readonly Row[], isDoubtful: boolean, error: unknown): StanzaError {
    this.#options.log.warn(
      { event: 'archive.write_failed', err: error, messages: rows.length },
      'archive: messages not stored, their senders are told',
    )
    if (isDoubtful) for (const { archive, entry } of rows) archive.doubtful = [...archive.doubtful, entry]
    return refusal()
  }
}

function refusal (): StanzaError {
  return new StanzaError('internal-server-error', 'the message could not be stored: try again', undefined, 'wait')
}

/** An attempt that times out goes on: whether it commits is unknown. */
async function within (until: number, attempt: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = setTimeout(() => { late.reject(new Error('the database does not answer')) }, until - performance.now())
  try {
    await Promise.race([attempt, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

const UNIQUE_VIOLATION = '23505'
/** Errors of data, constraints, access and limits: a retry would fail the same way. */
const FINAL_CLASSES: ReadonlySet<string> = new Set(['22', '23', '42', '54'])

function isFinal (error: unknown): boolean {
  return error instanceof FencedError || FINAL_CLASSES.has(codeOf(error)?.slice(0, 2) ?? '')
}

/** Whether the database itself says that nothing was written: not after an interruption or a broken connection. */
function isAnswer (error: unknown): boolean {
  const code = codeOf(error)
  return error instanceof FencedError || (code !== undefined && !code.startsWith('57'))
}

/** The SQLSTATE of a database error. */
function codeOf (error: unknown): string | undefined {
  if (!(error instanceof Error) || !('severity' in error)) return
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
