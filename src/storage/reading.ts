/**
 * The database for what somebody asks of what is kept. It has connections of its own, so that no request holds up the
 * keeping of messages or a login; and since a short request may cost the database much, one of each account is answered
 * at a time, the accounts take turns, and none takes longer than a statement may (RFC 6120 §13.12).
 */
import { FairQueue, FullError } from '../util/fair-queue.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Database } from './database.ts'

/** Connections, and so requests that are answered at the same time. */
export const READING_CONNECTIONS = 3

/** For how many milliseconds the database may work on one statement of a request. */
export const READING_MS = 5000

/** Requests of one account that may wait: four sessions', with as many as a session may have open. */
const WAITING_EACH = 64

/** SQLSTATE: a statement took too long; the class of those that are too complex. */
export const QUERY_CANCELED = '57014'
const LIMIT_EXCEEDED = '54'

export class Reading {
  readonly #db: Database
  readonly #queue = new FairQueue({ atOnce: READING_CONNECTIONS, waitingEach: WAITING_EACH })

  constructor (db: Database) {
    this.#db = db
  }

  /**
   * Runs `work` when it is the turn of the asker's account, which is not to ask for several things at once in it. Rejects
   * with a StanzaError: `resource-constraint` when too many requests of the account wait, `policy-violation` when the
   * database gave up what took it too long (RFC 6120 §8.3.3.18 and §8.3.3.12).
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

/** Whether it is the request that is at fault, and not the database. */
function isTooDear (error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return code === QUERY_CANCELED || code.startsWith(LIMIT_EXCEEDED)
}
