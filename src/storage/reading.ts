/**
 * Reads that users ask for, such as archive queries. They have their own connections, so that they delay neither
 * archiving nor logins. Since a short request may be expensive, each account has one read at a time, the accounts take
 * turns, and a statement has a timeout (RFC 6120 §13.12).
 */
import { FairQueue, FullError } from '../util/fair-queue.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Database } from './database.ts'

/** Connections, and so concurrent reads. */
export const READING_CONNECTIONS = 3

/** The timeout of one statement. */
export const READING_MS = 5000

/** Waiting requests of one account: those of four sessions with as many as a session may have open. */
const WAITING_EACH = 64

/** SQLSTATE of a statement's timeout, and the class of exceeded limits. */
export const QUERY_CANCELED = '57014'
const LIMIT_EXCEEDED = '54'

export class Reading {
  readonly #db: Database
  readonly #queue = new FairQueue({ atOnce: READING_CONNECTIONS, waitingEach: WAITING_EACH })

  constructor (db: Database) {
    this.#db = db
  }

  /**
   * Runs `work`, which must run one query at a time, in the turn of the asker's account. Rejects with a StanzaError:
   * `resource-constraint` when too many requests of the account wait, `policy-violation` after the timeout of a
   * statement (RFC 6120 §8.3.3.18 and §8.3.3.12).
   */
  async for<T> (asker: Jid, work: (db: Database) => Promise<T>): Promise<T> {
    try {
      return await this.#queue.run(asker.bare.toString(), () => work(this.#db))
    } catch (error) {
      if (error instanceof FullError) {
        throw new StanzaError('resource-constraint', 'too many of your requests are still being answered')
      }
      if (isTooDear(error)) throw new StanzaError('policy-violation', 'the request takes too long: ask for less')
      throw error
    }
  }
}

/** Whether the request was too expensive. */
function isTooDear (error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return code === QUERY_CANCELED || code.startsWith(LIMIT_EXCEEDED)
}
