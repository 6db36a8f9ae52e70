/**
 * Appends to the queues of remote domains, and deletes from them, in groups. While the database is away a group is
 * tried again; what could not be appended in time is refused.
 */
import type { Logger } from '../../log.ts'
import type { Database } from '../../storage/database.ts'
import { GroupWriter } from '../../storage/group-writer.ts'
import { withRetries } from '../../storage/retries.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { append, remove } from './store.ts'
import type { Done, Row } from './store.ts'

const PATIENCE_MS = 30_000

/** A domain that this node owns under a claim. */
export interface Owned {
  readonly name: string
  readonly claim: number
  /** Set when a write has found another claim in the database: what was appended since is not stored. */
  isFenced: boolean
}

const NONE: ReadonlySet<number> = new Set()

interface Appended { readonly domain: Owned, readonly row: Row }

export interface WriterParts {
  readonly db: Database
  readonly log: Logger
  /** The time without a database after which what waits is refused, in milliseconds. */
  readonly patienceMs?: number | undefined
}

export class Writer {
  readonly #parts: WriterParts
  readonly #appends = new GroupWriter<Appended>(rows => this.#append(rows))
  readonly #removals = new GroupWriter<Done>(rows => this.#persist('deletions', () => remove(this.#parts.db, rows)))

  constructor (parts: WriterParts) {
    this.#parts = parts
  }

  /**
   * Resolves when the row and all earlier ones are committed, or `isFenced` is set. Rejects with a StanzaError where
   * that is not so in time; whether the row is there is unknown then.
   */
  append (domain: Owned, row: Row): Promise<void> {
    return this.#appends.add({ domain, row })
  }

  /** Resolves when the rows are deleted. */
  remove (done: Done): Promise<void> {
    return this.#removals.add(done)
  }

  async #append (appended: readonly Appended[]): Promise<void> {
    const rows = appended.filter(({ domain }) => !domain.isFenced)
      .map(({ domain: { name, claim }, row }) => ({ domain: name, claim, row }))
    const valid = rows.length === 0 ? NONE : await this.#persist('messages', () => append(this.#parts.db, rows))
    for (const { domain } of appended) if (!valid.has(domain.claim)) domain.isFenced = true
  }

  async #persist<T> (what: string, write: () => Promise<T>): Promise<T> {
    const { log, patienceMs = PATIENCE_MS } = this.#parts
    try {
      return await withRetries(patienceMs, write, error => {
        log.warn({ event: 'federation.write_delayed', err: error }, `federation: ${what} wait for the database`)
      })
    } catch (error) { // the database's
      log.warn({ event: 'federation.write_failed', err: error }, `federation: ${what} not stored`)
      throw new StanzaError('internal-server-error', 'the message could not be stored: try again', undefined, 'wait')
    }
  }
}
