/**
 * The rooms of accounts that are online at this node. Looked up in batches when accounts come online or their
 * affiliations change, so that a message needs no look-up.
 */
import { batchedRead } from '../../src/extension/api.ts'
import type { Database, Jid, Logger } from '../../src/extension/api.ts'
import { readRooms } from './store.ts'

export interface MembersHereParts {
  readonly db: Database
  readonly log: Logger
  /** Whether this node owns the account and it has a session. */
  readonly isOnline: (account: Jid) => boolean
  /** Called with each room whose first member is here now. */
  readonly first: (room: string) => void
}

const NOBODY: readonly Jid[] = []

export class MembersHere {
  readonly #parts: MembersHereParts
  readonly #byRoom = new Map<string, Map<string, Jid>>()
  readonly #rooms = new Map<string, readonly string[]>()
  readonly #read: (account: string) => Promise<readonly string[] | undefined>
  /** The look-ups that have begun, until they are done. */
  #settled: Promise<void> | undefined

  constructor (parts: MembersHereParts) {
    this.#parts = parts
    this.#read = batchedRead(accounts => readRooms(parts.db, accounts))
  }

  /** An account has come online, or its affiliations have changed. */
  look (account: Jid): Promise<void> {
    const looking = this.#look(account)
    const settled: Promise<void> = Promise.all([this.#settled, looking]).then(() => {
      if (this.#settled === settled) this.#settled = undefined
    })
    this.#settled = settled
    return looking
  }

  async #look (account: Jid): Promise<void> {
    try {
      const rooms = await this.#read(account.toString()) ?? []
      this.remove(account)
      if (this.#parts.isOnline(account)) this.#add(account, rooms)
    } catch (error) { // the database's: retried at the next login
      this.#parts.log.debug(
        { event: 'members_away.lookup_failed', err: error },
        "members-away: lookup of an account's rooms failed",
      )
    }
  }

  /** Resolves when all look-ups that have begun by now are done; undefined when there are none. */
  settled (): Promise<void> | undefined {
    return this.#settled
  }

  /** It is not online here any more. */
  remove (account: Jid): void {
    const key = account.toString()
    for (const room of this.#rooms.get(key) ?? []) {
      const members = this.#byRoom.get(room)
      members?.delete(key)
      if (members?.size === 0) this.#byRoom.delete(room)
    }
    this.#rooms.delete(key)
  }

  /** Members of a room who are online here and want its messages. */
  of (room: string): readonly Jid[] {
    const members = this.#byRoom.get(room)
    return members ? [...members.values()] : NOBODY
  }

  #add (account: Jid, rooms: readonly string[]): void {
    const key = account.toString()
    this.#rooms.set(key, rooms)
    for (const room of rooms) {
      const members = this.#byRoom.get(room)
      if (members) members.set(key, account)
      else {
        this.#byRoom.set(room, new Map([[key, account]]))
        this.#parts.first(room)
      }
    }
  }
}
