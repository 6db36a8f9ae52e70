/** A room: occupants, affiliations and configuration. Stanzas are built elsewhere. */
import type { RoomOption } from '../../extension/room-option.ts'
import type { Affiliation, OccupantRole, Role } from '../../xmpp/muc.ts'
import type { RoomView } from '../../extension/views.ts'
import type { DataSlot } from '../../session/account.ts'
import { CommitQueue } from '../../util/commit-queue.ts'
import { ignore } from '../../util/ignore.ts'
import { NO_ARCHIVE } from '../../xmpp/archive-ids.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { comparedAsNickname } from '../../xmpp/precis.ts'
import type { Message, Presence } from '../../xmpp/stanza.ts'
import { isAtLeast } from './affiliation.ts'
import type { Affiliations } from './affiliations.ts'
import { refuseVisitor } from './entry.ts'
import { History } from './history.ts'
import { OccupantSession } from './occupant.ts'
import type { Occupant } from './occupant.ts'
import { memberList } from './options/member-list.ts'
import { membersOnly } from './options/members-only.ts'
import { moderated } from './options/moderated.ts'
import { password } from './options/password.ts'
import { persistent } from './options/persistent.ts'
import { presenceBroadcast } from './options/presence-broadcast.ts'
import { whois } from './options/whois.ts'
import { SendQueue } from './send-queue.ts'
import { Rate } from './rate.ts'
import { valueIn } from './room-options.ts'
import type { Config } from './room-options.ts'
import type { PresenceCause } from '../presence/user-payload.ts'

/** The last subject change, as the message that made it (XEP-0045 §8.1). */
export interface Subject { readonly message: Message, readonly at: number }

/** What is kept of a room. */
export interface SavedRoom {
  readonly config: Config
  readonly subject?: Subject | undefined
  readonly affiliations: Affiliations
  /** Milliseconds since 1970; now where it is new. */
  readonly createdAt?: number
  /** The account that made it, bare, where that is known. */
  readonly creator?: string | undefined
}

/** A change of an occupant. */
export interface Change {
  /** The role that it had. */
  readonly before: OccupantRole
  /** The sessions that no longer have its nick. */
  readonly gone?: readonly OccupantSession[]
  /** What has happened to these. */
  readonly cause?: PresenceCause | undefined
  /** The others saw the occupant and no longer do, though it is in the room. */
  readonly isHidden?: boolean
  /** The session that knows. */
  readonly told?: OccupantSession | undefined
}

const NOBODY: readonly Occupant[] = []

export class Room implements RoomView {
  /** Bare. */
  readonly jid: Jid
  readonly createdAt: number
  readonly creator: string | undefined
  readonly affiliations: Affiliations
  config: Config
  subject: Subject | undefined
  /** New and not configured by its owner (§10.1): hidden from all others. */
  isLocked: boolean
  /** False once the room has ended, or another node owns it. */
  isOpen = true
  readonly history = new History()
  /** Encodes archive numbers as the ids that clients see. */
  archiveIds = NO_ARCHIVE
  /** Deliveries in the order of the room's archive. */
  readonly commits = new CommitQueue()
  readonly sendQueue = new SendQueue()
  /** How many messages it takes. */
  readonly rate = new Rate()
  readonly #occupants = new Map<string, Occupant>()
  /** By nick in the form that is compared. */
  readonly #byLook = new Map<string, Occupant>()
  readonly #byAccount = new Map<string, readonly Occupant[]>()
  readonly #sessions = new Map<string, OccupantSession>()
  /** Made when it is asked for: many may come or go at once. */
  #recipients: readonly OccupantSession[] | undefined
  readonly #data = new Map<symbol, unknown>()
  #nextToken = 0
  /**
   * Called when the archived message with that number is sent to all occupants, in order. `arrived` resolves once their
   * owner nodes have it, and never rejects.
   */
  noteBroadcast: (number: string, arrived: Promise<unknown> | undefined) => void = ignore
  /** The archive number up to which all had received messages when the room was loaded. */
  broadcastUpTo: number | undefined
  /** Archived messages after that, which may not have reached all. */
  missedBroadcasts: readonly Message[] = []
  /** Called when all occupants are sent a change of an occupant; `arrived` as in `noteBroadcast`. */
  changed: (occupant: Occupant, change: Change, arrived: Promise<unknown> | undefined) => void = ignore
  /** Called when the records of these sessions have changed. */
  touch: (sessions: readonly OccupantSession[]) => void = ignore

  constructor (
    jid: Jid,
    { config, subject, affiliations, createdAt = Date.now(), creator }: SavedRoom,
    isLocked = false,
  ) {
    this.jid = jid
    this.createdAt = createdAt
    this.creator = creator
    this.config = config
    this.subject = subject
    this.affiliations = affiliations
    this.isLocked = isLocked
  }

  /** What an option is set to. */
  get<T> (option: RoomOption<T>): T {
    return valueIn(this.config, option)
  }

  get isModerated (): boolean {
    return this.get(moderated)
  }

  get isMembersOnly (): boolean {
    return this.get(membersOnly)
  }

  /** Whether it stays without occupants. */
  get isPersistent (): boolean {
    return this.get(persistent)
  }

  get hasPassword (): boolean {
    return this.get(password) !== ''
  }

  /** Whether all occupants learn the others' real addresses (§3). */
  get isNonAnonymous (): boolean {
    return this.get(whois) === 'anyone'
  }

  /** By nick. */
  get occupants (): ReadonlyMap<string, Occupant> {
    return this.#occupants
  }

  /** By full address. */
  get sessions (): ReadonlyMap<string, OccupantSession> {
    return this.#sessions
  }

  /** The sessions of all occupants; a new list after every change. */
  get recipients (): readonly OccupantSession[] {
    return this.#recipients ??= [...this.#sessions.values()]
  }

  /** The session of a full address in the room. */
  session (jid: Jid | undefined): OccupantSession | undefined {
    return jid && this.#sessions.get(jid.toString())
  }

  occupant (nick: string): Occupant | undefined {
    return this.#occupants.get(nick)
  }

  /** The occupant whose nick looks like this one. */
  lookalike (nick: string): Occupant | undefined {
    return this.#byLook.get(comparedAsNickname(nick))
  }

  /** The occupants of an account, with one nick or several. */
  occupantsOf ({ bare }: Jid): readonly Occupant[] {
    return this.#byAccount.get(bare.toString()) ?? NOBODY
  }

  /** The affiliation of an address; a ban of its domain counts. */
  affiliationOf (jid: Jid): Affiliation {
    return this.affiliations.of(jid)
  }

  /** The affiliation that others gave: not a membership by registration (§7.10). */
  givenTo (jid: Jid): Affiliation {
    return this.affiliations.get(jid)?.isOwn ? 'none' : this.affiliationOf(jid)
  }

  /**
   * Whether an address is in the room or has the right to enter; a user whom others gave an affiliation counts as
   * knowing the password.
   */
  mayEnter (jid: Jid): boolean {
    return this.occupantsOf(jid).length > 0 || !refuseVisitor(this, jid, this.givenTo(jid) !== 'none')
  }

  /** Whether an address is a member, or more, who may enter. */
  isMemberWithin (jid: Jid): boolean {
    return isAtLeast(this.affiliationOf(jid), 'member') && this.mayEnter(jid)
  }

  /** Whether an address is in the room, or is a member, or more, who may enter. */
  isInsider (jid: Jid): boolean {
    return this.occupantsOf(jid).length > 0 || this.isMemberWithin(jid)
  }

  /** The role of an address: as an occupant, or as an admin from outside. */
  roleOf (jid: Jid): Role {
    const session = this.session(jid)
    if (session) return session.occupant.role
    return isAtLeast(this.affiliationOf(jid), 'admin') ? 'moderator' : 'none'
  }

  /** Whether an address may get a list: §5.2.1, and §9.2, §9.5, §10.5 and §10.8 where real addresses are public. */
  mayList (jid: Jid, list: Affiliation): boolean {
    const affiliation = this.affiliationOf(jid)
    if (affiliation === 'owner') return true
    if (list === 'outcast') return affiliation === 'admin'
    if (list === 'member' && affiliation === 'admin') return true
    if (!this.isNonAnonymous) return false
    const role = this.roleOf(jid)
    return this.isMemberWithin(jid) || (role !== 'none' && this.get(memberList).includes(role))
  }

  /** Whether an occupant learns the others' real addresses. */
  seesAddresses ({ role }: Occupant): boolean {
    return role === 'moderator' || this.isNonAnonymous
  }

  /** Whether the others see occupants of that role (§7.2.2). */
  shows (role: Role): boolean {
    return role !== 'none' && this.get(presenceBroadcast).includes(role)
  }

  /** A session enters, for an occupant in the room or for a new one. */
  enter (occupant: Occupant, jid: Jid, presence: Presence, token = this.#nextToken.toString(36)): OccupantSession {
    const session = new OccupantSession(jid, occupant, presence, token)
    this.#nextToken = Math.max(this.#nextToken, parseInt(token, 36) + 1)
    occupant.add(session)
    occupant.changed = () => { this.touch(occupant.sessions) }
    if (!this.#occupants.has(occupant.nick)) {
      const account = occupant.account.toString()
      this.#byAccount.set(account, [...this.#byAccount.get(account) ?? NOBODY, occupant])
    }
    this.#name(occupant)
    this.#sessions.set(jid.toString(), session)
    this.#recipients = undefined
    this.touch([session])
    return session
  }

  /** One session of several goes. */
  leave (session: OccupantSession): void {
    session.occupant.remove(session)
    this.#forget([session])
  }

  /** Removes an occupant with all sessions, which are returned. */
  leaveWhole (occupant: Occupant): readonly OccupantSession[] {
    this.#unname(occupant)
    const account = occupant.account.toString()
    const others = this.occupantsOf(occupant.account).filter(other => other !== occupant)
    if (others.length > 0) this.#byAccount.set(account, others)
    else this.#byAccount.delete(account)
    this.#forget(occupant.sessions)
    return occupant.sessions
  }

  #forget (sessions: readonly OccupantSession[]): void {
    for (const session of sessions) {
      session.isIn = false
      this.#sessions.delete(session.jid.toString())
    }
    this.#recipients = undefined
    this.touch(sessions)
  }

  rename (occupant: Occupant, nick: Jid): void {
    this.#unname(occupant)
    occupant.jid = nick
    occupant.touch()
    this.#name(occupant)
  }

  #name (occupant: Occupant): void {
    this.#occupants.set(occupant.nick, occupant)
    this.#byLook.set(comparedAsNickname(occupant.nick), occupant)
  }

  #unname (occupant: Occupant): void {
    this.#occupants.delete(occupant.nick)
    const look = comparedAsNickname(occupant.nick)
    if (this.#byLook.get(look) !== occupant) return
    // Somebody may be in under several nicks that look alike.
    const other = this.occupantsOf(occupant.account).find(one =>
      one !== occupant && comparedAsNickname(one.nick) === look
    )
    if (other) this.#byLook.set(look, other)
    else this.#byLook.delete(look)
  }

  /** State of an extension for this room. */
  data<T> (slot: DataSlot<T>): T {
    return this.#data.get(slot.key) as T // put in under the same slot
  }

  setData<T> (slot: DataSlot<T>, value: T): void {
    this.#data.set(slot.key, value)
  }
}
