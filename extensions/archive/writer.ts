/**
 * Appends to archives: numbers are assigned at once, rows are committed in groups. When the database is away a group is
 * retried for a while; then its messages are refused, and the archive is lost until its end is read again.
 */
import { GroupWriter, Shares, sqlState, StanzaError, withRetries } from '../../src/extension/api.ts'
import type { Database, Logger, Portion, Stored } from '../../src/extension/api.ts'
import type { Archive } from './archive.ts'
import { append, FencedError } from './store.ts'
import type { Entry, Tail } from './store.ts'

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
    let isDoubtful = false
    const write = async (isRetry: boolean): Promise<void> => {
      try {
        await append(db, entries, isRetry)
      } catch (error) { // the database's, or another writer was there
        if (!isRetry && sqlState(error) === UNIQUE_VIOLATION) return write(true) // with what this one wrote, perhaps
        isDoubtful ||= !isAnswer(error)
        throw error
      }
    }
    try {
      await withRetries(patienceMs, attempt => write(attempt > 0), error => {
        log.warn({ event: 'archive.write_delayed', err: error, messages: rows.length },
          'archive: messages wait for the database')
      })
    } catch (error) { // the last attempt's, or it took too long
      throw this.#giveUp(rows, isDoubtful || !isAnswer(error), error)
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

const UNIQUE_VIOLATION = '23505'

/** Whether the database itself says that nothing was written: not after an interruption or a broken connection. */
function isAnswer (error: unknown): boolean {
  const code = sqlState(error)
  return error instanceof FencedError || (code !== undefined && !code.startsWith('57'))
}
