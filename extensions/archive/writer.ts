/**
 * Appends to archives: numbers are given at once, rows are committed in groups. When the database is away a group is
 * tried again for a while; what could not be written is refused, and its archive's end is looked up before the next.
 */
import { setTimeout } from 'node:timers/promises'
import { GroupWriter, StanzaError } from '../../src/extension/api.ts'
import type { Database, Logger } from '../../src/extension/api.ts'
import { append, FencedError, RECENT_MESSAGES } from './store.ts'
import type { Entry, Tail } from './store.ts'

const RETRY_MS = 200

/** An archive in memory: the last number, and what came lately. */
export class Archive {
  last: number
  readonly recent: Map<string, number>
  /** The commit that the last number waits for. */
  pending: Promise<void> | undefined
  /** Whether something could not be written, so that nobody knows where the archive ends. */
  isLost = false

  constructor ({ last, recent }: Tail) {
    this.last = last
    this.recent = new Map(recent)
  }

  remember (fingerprint: string, seq: number): void {
    this.recent.set(fingerprint, seq)
    const [oldest] = this.recent.keys()
    if (this.recent.size > RECENT_MESSAGES && oldest !== undefined) this.recent.delete(oldest)
  }
}

export class Writer {
  readonly #db: Database
  readonly #log: Logger
  readonly #patienceMs: number
  readonly #group: GroupWriter<Entry>

  /** After `patienceMs` without a database what waits is refused. */
  constructor (db: Database, log: Logger, patienceMs: number) {
    this.#db = db
    this.#log = log
    this.#patienceMs = patienceMs
    this.#group = new GroupWriter(entries => this.#commit(entries))
  }

  /** The entry's number, and its commit; throws when the archive's end is not known. */
  append (archive: Archive, entry: Omit<Entry, 'seq'>): { readonly seq: number, readonly committed: Promise<void> } {
    if (archive.isLost) throw refusal()
    const seq = ++archive.last
    if (entry.fingerprint !== undefined) archive.remember(entry.fingerprint, seq)
    const committed = this.#group.add({ ...entry, seq })
    if (archive.pending !== committed) {
      archive.pending = committed
      committed.then(() => {
        if (archive.pending === committed) archive.pending = undefined
      }, () => { archive.isLost = true })
    }
    return { seq, committed }
  }

  async #commit (entries: readonly Entry[]): Promise<void> {
    const until = Date.now() + this.#patienceMs
    for (let isRetry = false; ; isRetry = true) {
      try {
        return await append(this.#db, entries, isRetry)
      } catch (error) { // the database's: it is away, or somebody else wrote
        const isHopeless = error instanceof FencedError || isConflict(error) || Date.now() > until
        this.#log.warn({ err: error, messages: entries.length }, isHopeless ? 'messages could not be kept' : 'messages wait for the database')
        if (isHopeless) throw refusal()
      }
      await setTimeout(RETRY_MS)
    }
  }
}

function refusal (): StanzaError {
  return new StanzaError('internal-server-error', 'the message could not be kept: try again', undefined, 'wait')
}

function isConflict (error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '23505'
}
