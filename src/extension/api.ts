/**
 * The public surface: what an extension is and what it is given; points.ts says where it may stand in a stanza's way,
 * requests.ts what it answers. An extension imports this file and nothing else of ours.
 */
import type { z } from 'zod'
import type { Logger } from '../log.ts'
import type { Occupant } from '../muc/room/occupant.ts'
import type { Described, DescribedNumber, RoomOption } from '../muc/room/options/option.ts'
import type { RoomFacts } from '../muc/room/room-options.ts'
import type { Room } from '../muc/room/room.ts'
import type { Account } from '../session/account.ts'
import type { Session, SessionInfo } from '../session/session.ts'
import type { Database } from '../storage/database.ts'
import type { Element } from '../xml/element.ts'
import type { ArchiveIds } from '../xmpp/archive-ids.ts'
import type { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Message, Presence, Stanza } from '../xmpp/stanza.ts'
import type { MessagePolicy } from '../xmpp/message-policy.ts'
import type { ReplicatedState, Events, WriteWithArchive, WriteWithAffiliations, Point, Stages } from './points.ts'
import type { Command, IqHandler, IqRoute, IqTarget, NonzaHandler, OfferedStream, Resumption, RoomCommand } from './requests.ts'

export { batchedRead } from '../storage/batches.ts'
export { int8Array, textArray } from '../storage/binary-array.ts'
export { GroupWriter } from '../storage/group-writer.ts'
export { inBackground, neverRejects } from '../util/background.ts'
export { FairQueue, FullError } from '../util/fair-queue.ts'
export { randomId } from '../util/ids.ts'
export { networkOf } from '../util/network-of.ts'
export { Shares } from '../util/shares.ts'
export type { Portion } from '../util/shares.ts'
export { Turns } from '../util/turns.ts'
export { RateLimit } from '../util/rate-limit.ts'
export { VERSION } from '../util/version.ts'
export { el } from '../xml/element.ts'
export { escapeAttribute } from '../xml/write.ts'
export { Written } from '../xml/written.ts'
export { checkAddressList } from '../xmpp/address-list.ts'
export { SaslError, StanzaError, StreamError } from '../xmpp/errors.ts'
export { form, formValues, table } from '../xmpp/forms.ts'
export { delay, forwarded } from '../xmpp/forward.ts'
export { Jid, JidError } from '../xmpp/jid.ts'
export { storedStanza } from '../xmpp/read-stanza.ts'
export { briefTextIn } from '../xmpp/reason.ts'
export { iq, message, messageWith, presence } from '../xmpp/stanza.ts'
export { originId, stamp } from '../xmpp/stanza-id.ts'
export { sessionState } from './session-state.ts'
export type { Logger } from '../log.ts'
export type { Affiliation } from '../muc/room/affiliation.ts'
export type { Occupant, OccupantSession } from '../muc/room/occupant.ts'
export type { RoomOption, Values } from '../muc/room/options/option.ts'
export type { Role } from '../muc/room/role.ts'
export type { Room } from '../muc/room/room.ts'
export type { Account } from '../session/account.ts'
export type { Note } from '../session/homes.ts'
export type { Session, SessionInfo } from '../session/session.ts'
export type { Database } from '../storage/database.ts'
export type { ArchiveIds } from '../xmpp/archive-ids.ts'
export type { Keeper } from '../xmpp/stanza-id.ts'
export type { Element } from '../xml/element.ts'
export type { Child } from '../xml/framer.ts'
export type { Content, Iq, Message, Presence, Stanza } from '../xmpp/stanza.ts'
export type { AffiliationChange, ReplicatedState, Events, WriteWithArchive, WriteWithAffiliations, Point, Stages, Stored, Verdict } from './points.ts'
export type {
  Command, IqHandler, IqRequest, IqRoute, IqSender, IqTarget, NonzaHandler, OfferedStream, Resumption, RoomCommand,
  RoomVisitor, StreamPeer,
} from './requests.ts'

export interface Extension<Config = unknown> {
  /** Its folder, its key in the config file, and the name on its log lines. */
  readonly name: string
  /** What it implements: 'number@version'; the table in the README says so, too. */
  readonly xeps: readonly string[]
  /** What its key in the config file may hold, with the defaults in it. */
  readonly config?: z.ZodType<Config>
  /** Extensions that come before this one in every stage, where both are on. */
  readonly after?: readonly string[]
  // A method, not a property: so that an Extension<X> may stand in a list of Extension.
  setup (host: ExtensionHost, config: Config): void | Promise<void>
}

/** Gives `setup` the type that the config schema says. */
export function extension<Config = undefined> (definition: Extension<Config>): Extension<Config> {
  return definition
}

/** A value of an extension's own that is loaded with the account and then read from memory. */
export interface AccountData<T> {
  of (account: Account): T
  set (account: Account, value: T): void
}

/** A value of an extension's own that is loaded with the room and then read from memory. */
export interface RoomData<T> {
  of (room: Room): T
  set (room: Room, value: T): void
}

/** What service discovery tells of. */
export type DiscoTarget = 'server' | 'account' | 'rooms' | 'room'

/** The same extension on the other nodes. */
export interface OtherNodes {
  /** All that live. */
  readonly nodes: readonly string[]
  /** What is asked of one node arrives in order. Rejects when nobody can know whether it did. */
  ask (node: string, text: string, body?: Buffer): Promise<string>
  /** Answers what the others ask. */
  answer (handler: (from: string, text: string, body: Buffer) => string | Promise<string>): void
  /** The other node that is home to an account or a room; nothing where none is, or this one. */
  homeOf (jid: Jid): Promise<string | undefined>
}

export interface ExtensionHost {
  /** The hosts served, the first of them first. */
  readonly hosts: readonly string[]
  /** The domains of their rooms, in the same order. */
  readonly roomDomains: readonly string[]
  /** For what is loaded with accounts and rooms, for small changes, and for work of the extension's own. */
  readonly db: Database
  /** The same database, for messages that are kept: nothing else has to be waited for there. */
  readonly messageDb: Database
  readonly log: Logger

  /**
   * Reads what somebody asks for, when it is the turn of the asker's account, with a bound on what that may take. Rejects
   * with the StanzaError that answers the request: when too many of the account's wait, or it takes too long.
   */
  readFor<T> (asker: Jid, work: (db: Database) => Promise<T>): Promise<T>

  // What the server says it can do.
  feature (ns: string, of?: DiscoTarget | { readonly accountsOf: readonly string[] }): void
  /** Extended information (XEP-0128): a form in the answers to disco#info. */
  info (form: Element, of?: DiscoTarget): void
  /** There is a session where the login has bound one. */
  streamFeature (
    when: 'before-auth' | 'after-auth',
    element: (stream: OfferedStream, session: Session | undefined) => Element | undefined,
  ): void

  /** What a message is worth when this payload is all it holds; `inRoom` is what a room's is, where that differs. */
  declarePolicy (ns: string, policies: MessagePolicy, inRoom?: MessagePolicy): void

  /** What is to be written with a message that has this payload, in each archive that keeps it. */
  writeWithArchive (ns: string, write: WriteWithArchive): void

  /** What is to be written with changes of who is what in a room. */
  writeWithAffiliations (write: WriteWithAffiliations): void

  // What it answers.
  iq<const Target extends IqTarget> (route: IqRoute<Target>, handler: IqHandler<Target>): void
  command (command: Command): void
  /** The same at every room, for whoever may see the room. */
  roomCommand (command: RoomCommand): void
  nonza (name: string, ns: string, handler: NonzaHandler): void
  /** XEP-0386: what a client may switch on while it binds; what is returned stands in `<bound/>`. */
  bindSwitch (ns: string, switchOn: (element: Element, session: Session) => Element | undefined): void
  /** XEP-0388: a feature that can be used within a login. */
  loginFeature (element: Element): void
  /** Resumes sessions in place of binding (XEP-0198 §5); without an account it was asked for before the login. */
  resumption (
    name: string, ns: string,
    resume: (element: Element, account: Jid | undefined) => Resumption | Promise<Resumption>,
  ): void

  // Where it stands in a stanza's way.
  on<P extends Point, S extends keyof Stages[P]> (point: P, stage: S, handler: Stages[P][S]): void
  when<E extends keyof Events> (event: E, handler: Events[E]): void

  // What it may do.
  /** Ends a session that was kept. */
  endSession (session: Session): void
  /** The client has the stanza: tells whoever wants to know. */
  delivered (stanza: Stanza, session: Session): void
  /** Sends a stanza on its way, through the stages of whoever receives it. */
  route (stanza: Stanza): void
  /** Tells the sender why a stanza did not get where it should, unless it is one that must not be answered. */
  bounce (stanza: Stanza, error: StanzaError): void
  /** Hands a stanza to one session, on whichever node. No account stage sees it, so it cannot loop. */
  deliver (to: SessionInfo, stanza: Stanza): void
  policy (message: Message): MessagePolicy
  /** Whether nobody loses anything when nobody gets it: a chat state that comes too late. */
  isWorthless (message: Message): boolean
  /** What a message that is for all in a room is worth to the room, and to its members. */
  roomPolicy (message: Message): MessagePolicy
  /** What is to be written with the message where it is kept. */
  archiveWriterFor (message: Message): WriteWithArchive | undefined
  /** Hands a message that is kept, and that a session left unread, to the account's others. */
  redeliver (account: Account, message: Message): void
  /** Hands over a message that turned out to be kept under that id, although its `committed` was rejected. */
  deliverRecovered (account: Account, id: string, message: Message): void
  /** The sessions of a local account, from memory. */
  sessionsOf (account: Jid): readonly SessionInfo[]
  /** The account in memory, loaded when it was not; nothing when there is no such account. */
  account (jid: Jid): Promise<Account | undefined>
  /** How the numbers of a room's archive are told to others, also where the room is not in memory here. */
  roomArchiveIds (room: Jid): Promise<ArchiveIds>
  /** The session is known to have been written that, by the node that was its home. */
  hear (session: Session, message: Message): void
  /** Who may see the account's presence: its roster's subscribers. */
  subscribersOf (account: Account): readonly Jid[]
  /** Whether the address is in the account's roster. */
  isContact (account: Account, jid: Jid): boolean
  /**
   * Lets what an extension knows of sessions outlive its node. What it returns notes what happened since all was saved;
   * nothing where no other node could go on with a session.
   */
  replicate (state: ReplicatedState): ((account: Account, about: string, body?: Buffer) => void) | undefined
  /** Nothing where there are none. */
  readonly others: OtherNodes | undefined
  /** Nothing while no other node can think that it is home to the accounts of this one; or else when that is known. */
  confirmLease (): Promise<void> | undefined
  /**
   * Whether the account is at home here, after something was seen that only its home may do; if not it is gone from
   * here.
   */
  verifyHome (account: Jid): Promise<boolean>
  accountData<T> (load: (db: Database, account: Jid) => Promise<T>): AccountData<T>
  /** The same for rooms; a new room has what `load` gives for it. */
  roomData<T> (load: (db: Database, room: Jid) => Promise<T>): RoomData<T>
  /** Adds to what the owner of a room can set. */
  roomOption<T> (option: RoomOption<T>): void
  /** The same for something that is on or off. */
  roomFlag (flag: Described<boolean>): RoomOption<boolean>
  /** The same for a whole number. */
  roomNumber (number: DescribedNumber): RoomOption<number>
  /** Adds to what service discovery tells of a room in `muc#roominfo`. */
  roomInfo (facts: RoomFacts): void
  /** What an occupant's presence says of him besides what the room itself does: by its stage `present`. */
  buildPresence (room: Room, occupant: Occupant): Presence
  /** A member has asked for what others have made of him: from now on the room may send him what he did not come for. */
  acceptMembership (room: Room, account: Jid): Promise<void>
  /** Whether an account takes what comes from an address, by the guards of `receive`, as far as it is in memory here. */
  willingToHear (from: Jid): (account: Jid) => boolean
  /** Sends an occupant's presence to all again: that has changed. */
  rebroadcastPresence (room: Room, occupant: Occupant): void
  /**
   * The room, loaded when it was not in memory; nothing when there is no such room, or its home is elsewhere. Waits for
   * the room's turn: not to be waited for in it.
   */
  room (jid: Jid): Promise<Room | undefined>
  /** Sends a message to all occupants of a room as it is, and in order: no stage sees it. */
  broadcast (room: Room, message: Message): void
  /** As `handOverLate`: what was said in a room, and is kept since `at` (milliseconds since 1970). */
  broadcastRecovered (room: Room, message: Message, id: string, at: number): void
  /** The room itself says something to all: it is kept, and seen by what stages there are from there on. */
  sayAsRoom (room: Room, message: Message): void | Promise<void>
  accounts: AccountCommands
  /** 32 bytes that only the servers of this installation know, made when they are first asked for. */
  secret (name: string): Promise<Buffer>

  // Its own time.
  every (milliseconds: number, task: () => void | Promise<void>): void
  atShutdown (task: () => void | Promise<void>): void
}

/** What may be done with accounts, by an administrator or by who owns one. Passwords are never kept. */
export interface AccountCommands {
  /** Throws StanzaError conflict when there is one already, not-acceptable when the password may not be used. */
  add (jid: Jid, password: string): Promise<void>
  /** Ends its streams, tells its contacts, leaves no row behind; item-not-found when there is none. */
  remove (jid: Jid): Promise<void>
  setPassword (jid: Jid, password: string): Promise<void>
  list (): Promise<readonly Jid[]>
}
