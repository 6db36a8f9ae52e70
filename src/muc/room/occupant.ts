/** Who is in a room: a nick, whose it is, and the sessions that share it (XEP-0045 §7.2.8). */
import { ignore } from '../../util/ignore.ts'
import type { Affiliation, OccupantRole } from '../../xmpp/muc.ts'
import type { OccupantSessionView, OccupantView } from '../../extension/views.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { NS_CLIENT } from '../../xmpp/ns.ts'
import type { Presence } from '../../xmpp/stanza.ts'
import { Rate } from './rate.ts'

/** One device in the room. */
export class OccupantSession implements OccupantSessionView {
  /** Its real, full address. */
  readonly jid: Jid
  readonly occupant: Occupant
  /** By which answers to its requests find back to it, without telling its address. */
  readonly token: string
  #presence: Presence
  /** False once it left or was removed: it gets nothing more. */
  isIn = true

  constructor (jid: Jid, occupant: Occupant, presence: Presence, token: string) {
    this.jid = jid
    this.occupant = occupant
    this.#presence = presence
    this.token = token
  }

  /** What it sent last, less what is not for a client to say. */
  get presence (): Presence {
    return this.#presence
  }

  set presence (presence: Presence) {
    this.#presence = presence
    this.occupant.touch()
  }
}

export class Occupant implements OccupantView {
  /** The room's address with the nick; changes with the nick. */
  jid: Jid
  /** Real and bare. */
  readonly account: Jid
  /** What tells the account from others of its name (`RoomAccounts.lifeOf`). */
  readonly life: string
  affiliation: Affiliation
  role: OccupantRole
  /** When it wrote last (milliseconds since 1970), where an extension says so: that outlives the room's home. */
  writtenAt: number | undefined
  /** How many messages it sends. */
  readonly rate = new Rate()
  #sessions: readonly OccupantSession[] = []
  /** Its presence as others get it, without and with the real address; made when it is needed. */
  readonly shown: { anonymous?: Presence | undefined, open?: Presence | undefined } = {}
  /** Called when something of it has changed. */
  changed: (occupant: Occupant) => void = ignore

  constructor (jid: Jid, account: Jid, affiliation: Affiliation, role: OccupantRole, life: string) {
    this.jid = jid
    this.account = account
    this.life = life
    this.affiliation = affiliation
    this.role = role
  }

  get nick (): string {
    return this.jid.resource
  }

  /** In the order in which they came, and once the occupant is gone, the last; a new list after every change. */
  get sessions (): readonly OccupantSession[] {
    return this.#sessions
  }

  /** The one whose presence and address stand for all: of the highest priority, or else the first. */
  get main (): OccupantSession | undefined {
    let main: OccupantSession | undefined
    for (const session of this.#sessions) if (!main || priorityOf(session) > priorityOf(main)) main = session
    return main
  }

  add (session: OccupantSession): void {
    this.#sessions = [...this.#sessions, session]
    this.touch()
  }

  remove (session: OccupantSession): void {
    this.#sessions = this.#sessions.filter(other => other !== session)
    this.touch()
  }

  /** Something that its presence shows has changed. */
  touch (): void {
    this.shown.anonymous = this.shown.open = undefined
    this.changed(this)
  }
}

function priorityOf ({ presence }: OccupantSession): number {
  return Number(presence.payload('priority', NS_CLIENT)?.text() ?? 0) || 0
}
