/**
 * Which devices of a room's members are online without being in. It costs what those who are online cost, and where
 * nothing has changed since the last message nothing, however many members there are.
 */
import type { Jid, Room, SessionInfo } from '../../src/extension/api.ts'
import type { Arrivals } from './arrivals.ts'

export interface OnlineMembersParts {
  readonly arrivals: Arrivals
  readonly sessionsOf: (account: Jid) => readonly SessionInfo[]
  readonly isWanted: (room: Room, account: Jid) => boolean
}

export class OnlineMembers {
  readonly #parts: OnlineMembersParts
  readonly #room: Room
  #online = new Map<string, Jid>()
  #seen = -Infinity
  #revision = -1
  #changes = -1
  #recipients: Room['recipients'] = []
  #away: readonly SessionInfo[] = []

  constructor (room: Room, parts: OnlineMembersParts) {
    this.#room = room
    this.#parts = parts
  }

  /** The sessions that are not in the room. */
  away (): readonly SessionInfo[] {
    const { affiliations: { revision }, recipients } = this.#room
    const { changes } = this.#parts.arrivals
    if (changes === this.#changes && revision === this.#revision && recipients === this.#recipients) return this.#away
    this.#catchUp(revision)
    this.#changes = changes
    this.#recipients = recipients
    return this.#away = [...this.#sessions()]
  }

  /** Looks at those who have come since the last time, or at all members. */
  #catchUp (revision: number): void {
    const { arrivals, sessionsOf } = this.#parts
    const arrived = revision === this.#revision ? arrivals.since(this.#seen) : undefined
    if (arrived) {
      for (const account of arrived) this.#add(account)
    } else {
      this.#online = new Map()
      for (const { jid } of this.#room.affiliations) if (sessionsOf(jid).length > 0) this.#add(jid)
    }
    this.#seen = arrivals.count
    this.#revision = revision
  }

  #add (account: Jid): void {
    const affiliation = this.#room.affiliations.get(account)?.affiliation ?? 'outcast'
    if (affiliation !== 'outcast') this.#online.set(account.toString(), account)
  }

  * #sessions (): Iterable<SessionInfo> {
    const { sessionsOf, isWanted } = this.#parts
    for (const [key, account] of this.#online) {
      const sessions = sessionsOf(account)
      if (sessions.length === 0) this.#online.delete(key)
      else if (isWanted(this.#room, account)) yield * sessions.filter(({ jid }) => !this.#room.session(jid))
    }
  }
}
