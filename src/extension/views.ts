/**
 * Readonly views of sessions, accounts, rooms and occupants for extensions; the core's classes implement them. An
 * extension keeps its own state of them in `accounts.data` and `rooms.data`.
 */
import type { Element } from '../xml/element.ts'
import type { ArchiveIds } from '../xmpp/archive-ids.ts'
import type { StreamError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Affiliation, OccupantRole, Role } from '../xmpp/muc.ts'
import type { Presence, Stanza } from '../xmpp/stanza.ts'
import type { RoomOption } from './room-option.ts'

/** The public properties of a session. */
export interface SessionInfo {
  readonly jid: Jid
  /** Flags of extensions, named by namespace. */
  readonly flags: ReadonlySet<string>
  /** Whether it sent initial presence and no unavailable after it. */
  readonly available: boolean
  /** RFC 6121 §4.7.2.3: −128 to 127. */
  readonly priority: number
  /** Whether it gets messages to the bare JID: available, with a non-negative priority (RFC 6121 §8.5.2.1.1). */
  readonly isReachable: boolean
}

/** A bound resource (RFC 6120 §7). */
export interface SessionView extends SessionInfo {
  readonly account: AccountView
  /** The last broadcast presence (RFC 6121 §4.4), while available. */
  readonly presence: Presence | undefined
  /** Whether its client has closed the stream (RFC 6120 §4.4), and still reads what was written before. */
  readonly isClosed: boolean
  /** Recipients of directed presence (RFC 6121 §4.6), by full or bare address. */
  readonly directed: ReadonlyMap<string, Jid> | undefined
  /** Stanzas taken from the client and not yet stored or refused; `settled` returns undefined where there are none. */
  readonly inFlight: { readonly size: number, settled (): Promise<void> | undefined }
  /** Undefined while the session waits for a resumption. */
  readonly stream: { close (error?: StreamError): void } | undefined
  setFlag (name: string, isOn: boolean): void
  /** Writes a stanza to the client, unless a `hold` handler holds it back. */
  deliver (stanza: Stanza): void
  /**
   * Writes stanzas that were delivered before, as fast as the client reads; later deliveries come behind them. When the
   * stream ends, the rest is not written and stays the caller's. Returns undefined where all is written at once.
   */
  writeAgain (stanzas: Iterable<Stanza>): void | Promise<void>
  /** Writes an element that is no stanza. */
  send (nonza: Element): void
  /** Resolves when little is left for the client to read; undefined where that is so already. */
  drained (): Promise<void> | undefined
  /** Separates the session from its stream; the caller closes the stream. */
  detach (): void
  /** Closes the session's stream with the error; the session ends, or is kept for a resumption, as that follows. */
  close (error: StreamError): void
}

/** An account, as a guard sees it. */
export interface AccountInfo {
  /** Bare. */
  readonly jid: Jid
  /** An anonymous account ends with its last session, and nothing of it is stored. */
  readonly isAnonymous: boolean
  /** The public ids of its archive. */
  readonly archiveIds: ArchiveIds
}

/** A local account in memory. */
export interface AccountView extends AccountInfo {
  /** In the order in which they were bound; a new list after every change. */
  readonly sessions: readonly SessionView[]
  session (resource: string): SessionView | undefined
}

/** One entry of a room's affiliation lists. */
export interface AffiliateView {
  readonly jid: Jid
  readonly affiliation: Exclude<Affiliation, 'none'>
  /** Whether others gave the affiliation, and the user has neither joined since nor asked for it. */
  readonly isUnasked?: true | undefined
}

/** The affiliations of a room, by bare address or domain. */
export interface AffiliationsView extends Iterable<AffiliateView> {
  readonly size: number
  /** The entry of exactly that address. */
  get (jid: Jid): AffiliateView | undefined
}

/** A room (XEP-0045) in memory. */
export interface RoomView {
  /** Bare. */
  readonly jid: Jid
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Whether it is new, and its owner has not accepted a configuration yet (§10.1): it does not exist to others. */
  readonly isLocked: boolean
  readonly isMembersOnly: boolean
  /** Whether it stays without occupants. */
  readonly isPersistent: boolean
  /** Whether all occupants see the others' real addresses (§3). */
  readonly isNonAnonymous: boolean
  readonly affiliations: AffiliationsView
  /** The public ids of its archive. */
  readonly archiveIds: ArchiveIds
  /** By nick. */
  readonly occupants: ReadonlyMap<string, OccupantView>
  /** By full address. */
  readonly sessions: ReadonlyMap<string, OccupantSessionView>
  /** The value of an option. */
  get<T>(option: RoomOption<T>): T
  /** The affiliation of an address; a ban of its domain counts. */
  affiliationOf (jid: Jid): Affiliation
  /** The role of an address as an occupant, or an admin's rights from outside. */
  roleOf (jid: Jid): Role
  /** Whether the user is an occupant or may join; users with an affiliation that was given need no password. */
  mayEnter (jid: Jid): boolean
  /** Whether the user is a member, or more, and may join. */
  isMemberWithin (jid: Jid): boolean
  /** Whether the user is an occupant, or a member, or more, who may join. */
  isInsider (jid: Jid): boolean
  /** Whether the user may retrieve an affiliation list (§5.2.1). */
  mayList (jid: Jid, list: Affiliation): boolean
}

/** An occupant of a room. */
export interface OccupantView {
  /** The room's address with the nick; changes with the nick. */
  readonly jid: Jid
  readonly nick: string
  /** The real address, bare. */
  readonly account: Jid
  /** Distinguishes the account from former and later accounts of its name. */
  readonly life: string
  readonly affiliation: Affiliation
  readonly role: OccupantRole
  /** The time of its last message (milliseconds since 1970), where an extension has set it; replicated. */
  readonly writtenAt: number | undefined
}

/** One session of an occupant. */
export interface OccupantSessionView {
  /** Its real, full address. */
  readonly jid: Jid
  readonly occupant: OccupantView
  /** Its last presence to the room, without the payloads that only a server may add. */
  readonly presence: Presence
}
