/**
 * Where an extension may stand in a stanza's way, and what it may hear of besides. The types say what a stage may do:
 * what waits, what changes a stanza and what only looks on.
 */
import type { Database } from '../storage/database.ts'
import type { Element } from '../xml/element.ts'
import type { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Affiliation } from '../xmpp/muc.ts'
import type { Message, Presence, Stanza } from '../xmpp/stanza.ts'
import type { AccountView, OccupantSessionView, OccupantView, RoomView, SessionInfo, SessionView } from './views.ts'

/** Nothing lets the stanza pass, an error bounces it, 'drop' loses it in silence. */
export type Verdict = StanzaError | 'drop' | undefined

/**
 * Where a message is kept: its number, known at once, and the commit, which rejects with a StanzaError that its sender
 * hears.
 */
export interface Stored {
  readonly id: string
  readonly committed: Promise<void>
  /** The same message was kept before, under this number: it goes no further. */
  readonly isRepeat?: boolean
}

/** Writes what goes with messages, in the transaction that keeps them under these numbers. */
export type WriteWithArchive = (db: Database, kept: readonly { readonly owner: string, readonly seq: number }[]) => Promise<void>

/**
 * Reads the message that the owner's archive has under that number and that somebody else sent; nothing where there is
 * none, or not any more.
 */
export type ReadArchived = (db: Database, owner: Jid, seq: number) => Promise<Stanza | undefined>

/** Somebody has another place in a room's lists than before. */
export interface AffiliationChange {
  /** Bare, or a domain. */
  readonly jid: Jid
  readonly affiliation: Affiliation
  readonly before: Affiliation
}

/**
 * Writes what goes with a room's changes, in the transaction that keeps them. What it returns is called when they are
 * kept.
 */
export type WriteWithAffiliations = (db: Database, room: RoomView, changes: readonly AffiliationChange[]) => Promise<() => void>

export interface Stages {
  /** A client's element came in. Once per element. */
  read: {
    arrived: (session: SessionView) => void
    /** The stanza has been routed, stored and handed over: the client may be told so. */
    handled: (session: SessionView) => void
  }
  /** A local account sends. Once per stanza. */
  send: {
    guard: (stanza: Stanza, sender: SessionView) => Verdict
    rewrite: (stanza: Stanza, sender: SessionView) => Stanza
    store: (message: Message, sender: SessionView) => Stored | undefined
    /** With the number under which it is kept, if it is; where the account has other sessions, with the id, too. */
    fanout: (message: Message, sender: SessionView) => void
  }
  /** A local account is sent to. Once per account, however many of its sessions will get it. */
  receive: {
    guard: (stanza: Stanza, account: AccountView) => Verdict
    rewrite: (stanza: Stanza, account: AccountView) => Stanza
    store: (message: Message, account: AccountView) => Stored | undefined
    fanout: (message: Message, account: AccountView, recipients: readonly SessionInfo[]) => void
  }
  /**
   * An occupant sends to a room: for all, or for one other occupant. Once per stanza, from the occupant's own address.
   */
  room: {
    guard: (message: Message, room: RoomView, sender: OccupantView) => Verdict
    rewrite: (message: Message, room: RoomView, sender: OccupantView) => Message
    /**
     * For all only, as what follows: it was kept before, and comes again, as all would get it. Then it is not guarded:
     * it was allowed the first time.
     */
    isDuplicate: (message: Message, room: RoomView, sender: OccupantView) => boolean
    /** Without a sender where the room itself says something. */
    store: (message: Message, room: RoomView, sender: OccupantView | undefined) => Stored | undefined
    /** With the id under which it is kept, if it is. */
    fanout: (message: Message, room: RoomView, sender: OccupantView | undefined) => void
    /**
     * Somebody is something else from now on, and those who are in are about to be told so: what stands in `<x/>` of
     * muc#user besides, as XML. Once per change, in the order in which they were kept.
     */
    changed: (change: AffiliationChange, room: RoomView) => string | undefined
    /**
     * A session comes in, and has not been told of anybody yet: what stands in `<x/>` of its own presence, as XML.
     * `request` is the `<x/>` by which it asked.
     */
    welcome: (request: Element | undefined, room: RoomView, session: OccupantSessionView) => string | undefined
    /** An occupant's presence, before the room says in it what the occupant is. Once for all who get it. */
    present: (presence: Presence, room: RoomView, occupant: OccupantView) => Presence
  }
  /** A session is about to be written to. Once per session. */
  write: {
    hold: (stanza: Stanza, session: SessionView) => boolean
    track: (stanza: Stanza, session: SessionView) => void
  }
}

export type Point = keyof Stages

/** What has happened, for whom it may concern. 'keep' leaves a session for a resumption. */
export interface Events {
  'session.bound': (session: SessionView) => void
  /**
   * It is available with a priority that is not negative, and was not before: from now on it gets what is for the
   * account.
   */
  'session.reachable': (session: SessionView) => void
  /** The client says that it has the stanza, or there is no way to know and it was written. */
  'stanza.delivered': (stanza: Stanza, session: SessionView) => void
  'session.ending': (session: SessionView) => 'keep' | void
  'session.ended': (session: SessionView) => void
  /** A kept message was left unread by a session that ended: 'taken' keeps it from being handed over again. */
  'message.unacked': (message: Message, account: AccountView) => 'taken' | void
  /** Somebody is about to be told what is kept: what he has had done to it before is done when the promise resolves. */
  'account.reads': (asker: Jid) => Promise<void>
  'account.removed': (account: Jid) => Promise<void>
  /** It has come into memory, with its data, and nobody is in yet. */
  'room.opened': (room: RoomView) => Promise<void>
  /** Somebody is something else in it than before, by what is kept of it. */
  'room.affiliated': (room: RoomView, accounts: readonly Jid[]) => void
  /**
   * An account is no more, and what the database has of it in the room is gone, but for the archive: what is in memory
   * goes, too. Rejects where that can't be now; it is called again then.
   */
  'room.forgotten': (room: RoomView, account: Jid) => void | Promise<void>
  /** It was destroyed, or ended with its last occupant: what is kept of it goes. */
  'room.ended': (room: Jid) => Promise<void>
  /** It goes out of memory here, and maybe on elsewhere: what is to be kept of it is kept when the promise resolves. */
  'room.beforeMove': (room: RoomView) => Promise<void>
  /** Another node may be its home from now on; here it is over, without a word to anybody. */
  'room.movedAway': (room: RoomView) => void
  /** It goes out of memory here, and maybe on elsewhere: what is to be kept of it is kept when the promise resolves. */
  'account.beforeMove': (account: AccountView) => Promise<void>
  /** Its home is another node. Its sessions go on there; here they are over, without a word to anybody. */
  'account.movedAway': (account: AccountView, sessions: readonly SessionView[]) => void
}

/** Something that happened to a session since all was saved. */
export interface Note { readonly about: string, readonly body: Buffer }

/** What an extension knows of an account's sessions, kept where the account's next home finds it. */
export interface ReplicatedState {
  /** All of it, as JSON; nothing when there is nothing. */
  save (account: AccountView): unknown
  /** The account's sessions are there again, without streams: takes up what was saved, and noted since, in order. */
  restore (account: AccountView, saved: unknown, notes: readonly Note[]): void | Promise<void>
  /** All extensions have taken up theirs, and the account is in memory: the last extension is told first. */
  onRestored? (account: AccountView): void
}
