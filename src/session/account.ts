/** An account in memory: a local user with the sessions that are bound here and the data that was loaded with it. */
import type { AccountView } from '../extension/views.ts'
import { CommitQueue } from '../util/commit-queue.ts'
import { ignore } from '../util/ignore.ts'
import { NO_ARCHIVE } from '../xmpp/archive-ids.ts'
import type { Life } from '../xmpp/archive-ids.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Session } from './session.ts'

export class Account implements AccountView {
  /** Bare. */
  readonly jid: Jid
  /** An anonymous account is gone with its last session and keeps nothing. */
  readonly isAnonymous: boolean
  /**
   * The account's generation, which tells it from others of its name, before or later; undefined for an anonymous one.
   */
  life: Life | undefined
  /** Encodes archive numbers as the ids that clients see. */
  archiveIds = NO_ARCHIVE
  /** Deliveries in the order of the account's archive. */
  readonly commits = new CommitQueue()
  #sessions: readonly Session[] = []
  readonly #data = new Map<symbol, unknown>()
  /** Called when replicated state of its sessions has changed. */
  touch: () => void = ignore

  constructor (jid: Jid, isAnonymous = false) {
    this.jid = jid
    this.isAnonymous = isAnonymous
  }

  /** In binding order; a new list after every change. */
  get sessions (): readonly Session[] {
    return this.#sessions
  }

  session (resource: string): Session | undefined {
    for (const session of this.#sessions) if (session.jid.resource === resource) return session
  }

  add (session: Session): void {
    this.#sessions = [...this.#sessions, session]
  }

  /** Whether it was there. */
  remove (session: Session): boolean {
    const others = this.#sessions.filter(s => s !== session)
    const wasThere = others.length < this.#sessions.length
    this.#sessions = others
    return wasThere
  }

  /** Removes all sessions, which continue elsewhere. */
  clear (): readonly Session[] {
    const sessions = this.#sessions
    this.#sessions = []
    return sessions
  }

  data (key: symbol): unknown {
    return this.#data.get(key)
  }

  setData (key: symbol, value: unknown): void {
    this.#data.set(key, value)
  }
}

/** A loader that runs when an account is loaded, and typed access to its result. */
export interface DataSlot<T> {
  readonly key: symbol
  load (account: Jid): Promise<T>
}

/** Reads and replaces one slot's value; an account without it is a bug. */
export function dataOf<T> (slot: DataSlot<T>): { of (account: Account): T, set (account: Account, value: T): void } {
  return {
    of: account => account.data(slot.key) as T,
    set: (account, value) => { account.setData(slot.key, value) },
  }
}
