/**
 * The stages and events that an extension may register handlers for. The type of a stage says what its handlers may do:
 * refuse a stanza, rewrite it, make it wait for a commit, or only look on.
 */
import type { Database } from '../storage/database.ts'
import type { Element } from '../xml/element.ts'
import type { Written } from '../xml/written.ts'
import type { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Affiliation } from '../xmpp/muc.ts'
import type { Iq, Message, Presence, Stanza } from '../xmpp/stanza.ts'
import type {
  AccountInfo, AccountView, OccupantSessionView, OccupantView, RoomView, SessionInfo, SessionView,
} from './views.ts'

/**
 * Undefined lets the stanza pass, an error bounces it, 'drop' discards it without an error. A guard has no effects: it
 * may be called several times, and for a stanza that nobody sends. Effects have stages of their own.
 */
export type Verdict = StanzaError | 'drop' | undefined

/**
 * The place of a message in an archive: its number, assigned at once, and its commit. The commit rejects with the
 * StanzaError that the sender is sent.
 */
export interface Stored {
  readonly number: string
  readonly committed: Promise<void>
  /** The message is a duplicate of the one archived under this number, and is not delivered again. */
  readonly isRepeat?: boolean
}

/** Writes an extension's rows in the transaction that archives messages; `kept` are their archives and numbers. */
export type WriteWithArchive =
  (db: Database, kept: readonly { readonly owner: string, readonly seq: number }[]) => Promise<void>

/** A change of an affiliation in a room. */
export interface AffiliationChange {
  /** Bare, or a domain. */
  readonly jid: Jid
  readonly affiliation: Affiliation
  readonly before: Affiliation
}

/**
 * Writes an extension's rows in the transaction that stores changes of affiliations. The returned function is called
 * after the commit.
 */
export type WriteWithAffiliations =
  (db: Database, room: RoomView, changes: readonly AffiliationChange[]) => Promise<() => void>

export interface Stages {
  /** A session reads an element of its client. Once per element. */
  read: {
    arrived: (session: SessionView) => void
    /** The stanza has been routed, and its message stored and delivered, or refused: it may be acknowledged. */
    handled: (session: SessionView) => void
  }
  /** A local account sends a stanza. Once per stanza. */
  send: {
    guard: (stanza: Stanza, account: AccountInfo) => Verdict
    rewrite: (stanza: Stanza, sender: SessionView) => Stanza
    /** After all guards have let it pass, before it is routed. */
    seen: (stanza: Stanza, sender: SessionView) => void
    store: (message: Message, sender: SessionView) => Stored | undefined
    /** With the archive number, if it is archived; and its id, where the account has other sessions. */
    fanout: (message: Message, sender: SessionView) => void
  }
  /** A local account receives a stanza. Once per account, however many of its sessions will get it. */
  receive: {
    guard: (stanza: Stanza, account: AccountInfo) => Verdict
    rewrite: (stanza: Stanza, account: AccountView) => Stanza
    /** The sessions that get a copy, addressed to each; undefined where RFC 6121 §8.5 chooses. */
    redirect: (message: Message, account: AccountView) => readonly SessionView[] | undefined
    store: (message: Message, account: AccountView) => Stored | undefined
    fanout: (message: Message, account: AccountView, recipients: readonly SessionInfo[]) => void
  }
  /** An occupant sends to a room or to another occupant. Once per stanza, from the occupant's address in the room. */
  room: {
    guard: (message: Message, room: RoomView, sender: OccupantView) => Verdict
    rewrite: (message: Message, room: RoomView, sender: OccupantView) => Message
    /**
     * Whether the rewritten message is in the room's archive already; it is not guarded a second time then. This stage
     * and those up to `fanout` are for messages to all occupants only.
     */
    isDuplicate: (message: Message, room: RoomView, sender: OccupantView) => boolean
    /** After the guards: true takes the message for the room itself. It is neither archived nor sent to occupants. */
    consume: (message: Message, room: RoomView, sender: OccupantView) => boolean
    /** Without a sender where the message is the room's own. */
    store: (message: Message, room: RoomView, sender: OccupantView | undefined) => Stored | undefined
    /**
     * An occupant's message has its place in the room's order; called before the next message is guarded. `committed`,
     * where the message is archived, rejects when the commit fails: then nobody gets the message.
     */
    accepted: (message: Message, room: RoomView, sender: OccupantView, committed: Promise<void> | undefined) => void
    /** With the archive's id and number, if it is archived. */
    fanout: (message: Message, room: RoomView, sender: OccupantView | undefined) => void
    /**
     * Extra XML for `<x/>` of muc#user when occupants are notified of a stored change of affiliation. Once per change,
     * in the order of the commits.
     */
    changed: (change: AffiliationChange, room: RoomView) => string | undefined
    /** A session has joined, and was sent no presence yet. `request` is the `<x/>` of its join. */
    entered: (request: Element | undefined, room: RoomView, session: OccupantSessionView) => void
    /** Extra XML for `<x/>` of the self-presence of a session that has joined. */
    welcome: (room: RoomView, session: OccupantSessionView) => string | undefined
    /** Rewrites an occupant's presence before the room adds its own payload. Once for all recipients. */
    present: (presence: Presence, room: RoomView, occupant: OccupantView) => Presence
  }
  /** A session writes a stanza to its client. Once per session. */
  write: {
    /** Whether the stanza is held back. */
    hold: (stanza: Stanza, session: SessionView) => boolean
    track: (stanza: Stanza, session: SessionView) => void
  }
}

export type Point = keyof Stages

/** A client on another server, and the nodes of which it wants notifications, now and before. */
export interface InterestedClient {
  readonly jid: Jid
  readonly notify: ReadonlySet<string>
  readonly before: ReadonlySet<string>
}

/** A contact whose subscription, groups or name have changed. */
export interface ContactChange {
  readonly jid: Jid
  /** Whether it may see the account's presence: now, and before. */
  readonly isSubscriber: boolean
  readonly wasSubscriber: boolean
}

/** Events, with the types of their handlers. */
export interface Events {
  'session.bound': (session: SessionView) => void
  /** The session has become reachable: available with a non-negative priority. It gets the account's messages now. */
  'session.reachable': (session: SessionView) => void
  /** The session tells its presence to all who may see it (RFC 6121 §4.2, §4.4): `isInitial` where it was not there. */
  'presence.announced': (session: SessionView, isInitial: boolean) => void
  /** The session was available, and is no longer (§4.5). */
  'presence.withdrawn': (session: SessionView, presence: Presence) => void
  /**
   * The session's client is known to want notifications of other nodes (XEP-0163 §4.2) than `before`: since its
   * presence is there, has changed, or was understood.
   */
  'session.interested': (session: SessionView, before: ReadonlySet<string>) => void
  /** The same of a contact's client on another server. */
  'contact.interested': (account: AccountView, client: InterestedClient) => void
  /** Somebody's presence, or the end of it, has reached the account. */
  'presence.received': (presence: Presence, account: AccountView) => void
  /** A contact has changed as clients see it; the push is without addresses (RFC 6121 §2.1.6). */
  'roster.changed': (account: AccountView, push: Iq) => void
  'contact.changed': (account: AccountView, change: ContactChange) => void
  /** The client has acknowledged the stanza, or it was written to a client that acknowledges nothing. */
  'stanza.delivered': (stanza: Stanza, session: SessionView) => void
  /** The session's stream is gone. 'keep': the session stays, without a stream, until it is resumed or expires. */
  'session.ending': (session: SessionView) => 'keep' | void
  'session.ended': (session: SessionView) => void
  /** The session is about to go on with a new stream. What it is delivered now comes behind what is written again. */
  'session.resuming': (session: SessionView) => void
  /** An archived message was not acknowledged by a session that ended. 'taken': the handler redelivers it itself. */
  'message.unacked': (message: Message, account: AccountView) => 'taken' | void
  /** The account is about to be answered from the database. Resolves when its earlier changes are visible there. */
  'account.reads': (asker: Jid) => Promise<void>
  /** The same, the first time since the account was loaded; before that event. Not for anonymous accounts. */
  'account.firstRead': (account: Jid) => Promise<void>
  /** A document of the account was replaced. Resolves when what follows from it is done. */
  'document.saved': (account: Jid, document: Written) => Promise<void>
  'account.removed': (account: Jid) => Promise<void>
  /** The room was loaded into memory, with its data; it has no occupants yet. */
  'room.opened': (room: RoomView) => Promise<void>
  /** These accounts' affiliations were changed, and stored. */
  'room.affiliated': (room: RoomView, accounts: readonly Jid[]) => void
  /**
   * The account was removed, and with it the room's rows of it, except in the archive: the handler removes its state in
   * memory. Called again later when it rejects.
   */
  'room.forgotten': (room: RoomView, account: Jid) => void | Promise<void>
  /** The room was destroyed, or ended with its last occupant: its rows are to be removed. */
  'room.ended': (room: Jid) => Promise<void>
  /** The room is about to leave this node's memory, maybe for another node. Resolves when its state is saved. */
  'room.beforeMove': (room: RoomView) => Promise<void>
  /** Another node may own the room from now on. Its state here is discarded; its occupants are sent nothing. */
  'room.movedAway': (room: RoomView) => void
  /** The account is about to leave this node's memory, maybe for another node. Resolves when its state is saved. */
  'account.beforeMove': (account: AccountView) => Promise<void>
  /** Another node owns the account and its sessions. Their state here is discarded; nobody is sent anything. */
  'account.movedAway': (account: AccountView, sessions: readonly SessionView[]) => void
}

/**
 * The fields of a note or a request between nodes: a name first, where there are several. None contains a line break.
 */
export type Fields = readonly string[]

/** A change of a session's state since the last snapshot. The body is empty where none was given. */
export interface Note<F extends Fields = Fields> { readonly fields: F, readonly body: Buffer }

/** An extension's state of an account's sessions, replicated for the account's next owner. */
export interface ReplicatedState<State = unknown, F extends Fields = Fields> {
  /** A snapshot that JSON can hold; undefined where there is no state. */
  save (account: AccountView): State | undefined
  /**
   * Restores the snapshot, and the notes since then, in order. The account's sessions exist again, without streams. A
   * node of another version may have written notes with names that are unknown here; they are skipped.
   */
  restore (account: AccountView, saved: State | undefined, notes: readonly Note<F>[]): void | Promise<void>
  /** All extensions have restored theirs, and the account is in memory. Called in reverse order of the extensions. */
  onRestored? (account: AccountView): void
}
