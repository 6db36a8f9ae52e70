/**
 * Which accounts that are online here belong to which rooms. Each account is looked up when it comes online, many of them
 * together, and again when it becomes something else in a room: a message looks nothing up and asks nobody.
 */
import { batchedRead } from '../../src/extension/api.ts'
import type { Database, Jid, Logger } from '../../src/extension/api.ts'

interface Row { readonly jid: string, readonly room: string }

export interface MembersHereParts {
  readonly db: Database
  readonly log: Logger
  /** Whether the account is at home here and has a session. */
  readonly isOnline: (account: Jid) => boolean
  /** Told of each room of which the first member is here now. */
  readonly first: (room: string) => void
}

const NOBODY: readonly Jid[] = []

export class MembersHere {
  readonly #parts: MembersHereParts
  readonly #byRoom = new Map<string, Map<string, Jid>>()
  readonly #rooms = new Map<string, readonly string[]>()
  readonly #read: (account: string) => Promise<readonly string[] | undefined>
  #underWay = 0
  #settled: PromiseWithResolvers<void> | undefined

  constructor (parts: MembersHereParts) {
    this.#parts = parts
    this.#read = batchedRead(accounts => readRooms(parts.db, accounts))
  }

  /** An account has come online, or is something else in a room than before. */
  async look (account: Jid): Promise<void> {
    this.#underWay++
    try {
      const rooms = await this.#read(account.toString()) ?? []
      this.remove(account)
      if (this.#parts.isOnline(account)) this.#add(account, rooms)
    } catch (error) { // the database's: at the next login, then
      this.#parts.log.debug({ event: 'members_away.lookup_failed', err: error }, 'members-away: lookup of an account\'s rooms failed')
    }
    if (--this.#underWay > 0) return
    this.#settled?.resolve()
    this.#settled = undefined
  }

  /** When all who have come by now are looked up; nothing when they are. */
  settled (): Promise<void> | undefined {
    if (this.#underWay > 0) return (this.#settled ??= Promise.withResolvers()).promise
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

  /** Who of a room's members is online here, and wants to be told. */
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

async function readRooms (db: Database, accounts: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await db.query<Row>(`
    select member.jid, member.room from room_affiliation as member
    where member.jid = any($1) and member.affiliation <> 'outcast' and not member.is_unasked and not member.is_own
      and not exists (select from room_away_off as off where off.room = member.room and off.account = member.jid)`, [accounts])
  const rooms = new Map<string, string[]>()
  for (const { jid, room } of rows) {
    const list = rooms.get(jid)
    if (list) list.push(room)
    else rooms.set(jid, [room])
  }
  return rooms
}
