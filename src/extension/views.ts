/**
 * What extensions see of sessions, accounts, rooms and occupants. The core's classes implement these; what an extension
 * knows of them besides it keeps in `sessionState`, `accounts.data` and `rooms.data`.
 */
import type { Element } from '../xml/element.ts'
import type { ArchiveIds } from '../xmpp/archive-ids.ts'
import type { StreamError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Affiliation, OccupantRole, Role } from '../xmpp/muc.ts'
import type { Presence, Stanza } from '../xmpp/stanza.ts'
import type { RoomOption } from './room-option.ts'

/** The public view of a session, on whichever node. */
export interface SessionInfo {
  readonly jid: Jid
  /** Marks of extensions, by namespace. */
  readonly flags: ReadonlySet<string>
  /** Whether it sent initial presence and no unavailable after it. */
  readonly available: boolean
  /** RFC 6121 §4.7.2.3: −128 to 127. */
  readonly priority: number
  /** Whether it gets what is for the account: available, and not of negative priority (RFC 6121 §8.5.2.1.1). */
  readonly isReachable: boolean
}

/** A bound resource (RFC 6120 §7). */
export interface SessionView extends SessionInfo {
  readonly account: AccountView
  /** The last presence sent to all, while available. */
  readonly presence: Presence | undefined
  /** Its client has closed the stream in good order, and takes what was written before (RFC 6120 §4.4). */
  readonly isClosed: boolean
  /** Whom it sent presence directly (RFC 6121 §4.6), by full or bare address. */
  readonly directed: ReadonlyMap<string, Jid> | undefined
  /** The stanzas that were taken from it and are not dealt with yet; `settled` gives nothing where there are none. */
  readonly inFlight: { readonly size: number, settled (): Promise<void> | undefined }
  /** Nothing while the session waits for a resumption. */
  readonly stream: { close (error?: StreamError): void } | undefined
  setFlag (name: string, isOn: boolean): void
  /** Writes a stanza to the client, unless a `hold` handler keeps it back. */
  deliver (stanza: Stanza): void
  /**
   * Writes what was delivered before, as fast as the client reads; what is delivered meanwhile comes behind it. Where the
   * stream goes, the rest is not written: whoever gave it has it still. Nothing returned where all is written by now.
   */
  writeAgain (stanzas: Iterable<Stanza>): void | Promise<void>
  /** Writes an element that is no stanza. */
  send (nonza: Element): void
  /** When the client may be sent more of what can wait. Nothing returned: now. */
  drained (): Promise<void> | undefined
  /** Goes on without its stream, which is yet to be closed. */
  detach (): void
  /** Ends the session's stream with the error; what ends with the stream follows from its closing. */
  close (error: StreamError): void
}

/** A local account in memory. */
export interface AccountView {
  /** Bare. */
  readonly jid: Jid
  /** An anonymous account is gone with its last session and keeps nothing. */
  readonly isAnonymous: boolean
  /** How the numbers of its archive are told to others. */
  readonly archiveIds: ArchiveIds
  /** In the order in which they were bound; a new list after every change. */
  readonly sessions: readonly SessionView[]
  session (resource: string): SessionView | undefined
}

/** One entry of a room's lists: whoever is not in them has no affiliation. */
export interface AffiliateView {
  readonly jid: Jid
  readonly affiliation: Exclude<Affiliation, 'none'>
  /** Others have made him that, and he has neither come in since nor asked for it. */
  readonly isUnasked?: true | undefined
}

/** Who is what in a room, by bare address or domain. */
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
  /** It is new, and its owner has not said yet what it is to be (§10.1): to all others it is not there. */
  readonly isLocked: boolean
  readonly isMembersOnly: boolean
  /** Whether it stays when nobody is in. */
  readonly isPersistent: boolean
  /** Whether all occupants learn the others' real addresses (§3). */
  readonly isNonAnonymous: boolean
  readonly affiliations: AffiliationsView
  /** How the numbers of its archive are told to others. */
  readonly archiveIds: ArchiveIds
  /** By nick. */
  readonly occupants: ReadonlyMap<string, OccupantView>
  /** By full address. */
  readonly sessions: ReadonlyMap<string, OccupantSessionView>
  /** What an option is set to. */
  get<T> (option: RoomOption<T>): T
  /** What somebody is; where a domain is banned, so is who comes from it. */
  affiliationOf (jid: Jid): Affiliation
  /** What somebody may do: as an occupant, or as an admin from outside. */
  roleOf (jid: Jid): Role
  /** Whether somebody is in or has the right to be: of who was given an affiliation, the room asks no password. */
  mayEnter (jid: Jid): boolean
  /** Whether somebody is a member, or more, and may come in. */
  isMemberWithin (jid: Jid): boolean
  /** Whether somebody is in, or a member, or more, who may come in. */
  isInsider (jid: Jid): boolean
  /** Whether somebody may have a list (§5.2.1). */
  mayList (jid: Jid, list: Affiliation): boolean
}

/** Who is in a room: a nick, and whose it is. */
export interface OccupantView {
  /** The room's address with the nick; changes with the nick. */
  readonly jid: Jid
  readonly nick: string
  /** Real and bare. */
  readonly account: Jid
  /** What tells the account from others of its name. */
  readonly life: string
  readonly affiliation: Affiliation
  readonly role: OccupantRole
  /** When it wrote last (milliseconds since 1970), where an extension says so: that outlives the room's home. */
  readonly writtenAt: number | undefined
}

/** One device in a room. */
export interface OccupantSessionView {
  /** Its real, full address. */
  readonly jid: Jid
  readonly occupant: OccupantView
  /** What it sent last, less what is not for a client to say. */
  readonly presence: Presence
}
