/**
 * Ownership: an account's home is the single node that keeps it in memory with its sessions, and assigns its archive
 * ids. A server without a cluster owns all accounts, and has none of this.
 */
import type { Account } from './account.ts'
import type { Ranges } from './heard-numbers.ts'
import type { Stanza } from '../xmpp/stanza.ts'

/** An account in memory here, or its owner node; undefined where there is no such account. */
export type Located = { readonly account: Account } | { readonly node: string } | undefined

/** What came of a claim. */
export interface Claim {
  /** Another node that owns it already. */
  readonly node?: string | undefined
  /** The previous owner, which left records of the account's sessions: complete, or as of its death. */
  readonly before?: { readonly node: string, readonly isInOrder: boolean } | undefined
}

/** An account's ownership. */
export interface Found {
  /** The other node that is home. */
  readonly node?: string | undefined
  /** No node owns it, and a dead one left sessions for the next owner. */
  readonly hasOrphanedState?: boolean | undefined
}

export interface Homes {
  /**
   * The id of this incarnation of the node: after a lost lease there is a new one, under which all is claimed again.
   */
  readonly incarnation: string
  /** The account's owner at the last look-up, if it is another node. */
  elsewhere (account: string): string | undefined
  /**
   * Makes this node the account's owner unless another is. Rejects with a StanzaError (wait) when ownership can't be
   * determined.
   */
  claim (account: string): Promise<Claim>
  /** The node that should own a key without an owner: this one, or another. */
  place (key: string): string
  /** Looks up the account's owner without a claim. Rejects as `claim` does. */
  find (account: string): Promise<Found>
  /** That node does not own the account, or is gone. */
  forget (account: string): void
  /** The account is out of memory here: its owner is `heir` while that is alive, or the next node that needs it. */
  release (account: string, hasRecord: boolean, heir?: string): void
  /** Removes an account at its owner: false where that node does not own it. */
  removeAt (node: string, account: string): Promise<boolean>
  /** Undefined while this node's ownership is valid for sure; otherwise resolves once that is known. */
  confirmLease (): Promise<void> | undefined
  /**
   * Forwards a stanza to its recipient's owner: false where that node is not. Rejects when the result is unknown, or
   * after the timeout.
   */
  forward (node: string, stanza: Stanza): Promise<boolean>
  /** Resolves when what was forwarded so far arrives whatever becomes of this node; or Redis can't be reached. */
  forwarded (): Promise<void>
  /** Tells `node` that its refusal was heard: what it is forwarded from now on comes behind what it has refused. */
  confirmRefusal (node: string, key: string): void
  /** `heard` is called where `node` says that of a refusal by this one, in the order of what it forwards. */
  whenRefusalHeard (heard: (node: string, key: string) => void): void
}

/** The other nodes, for extensions. */
export interface Others {
  /** All that live. */
  readonly nodes: readonly string[]
  /** In the order of all requests to that node. Rejects as a bus does. */
  ask (node: string, extension: string, text: string, body?: Buffer): Promise<string>
  /** The handler of other nodes' requests to extensions. */
  answer (handler: (from: string, extension: string, text: string, body: Buffer) => string | Promise<string>): void
}

/** Replicated state of rooms: a text for each session in the room, by its address. */
export interface RoomRecords {
  /** Written before clients are sent bytes that follow; undefined for a session that has left. */
  put (room: string, session: string, record: string | undefined): void
  /** The previous owner's record, which is this node's own from now on. */
  takeOver (before: NonNullable<Claim['before']>, room: string): Promise<ReadonlyMap<string, string>>
  /** Resolves when the room's state is written; rejects where it can't be now. */
  save (room: string): Promise<void>
  /** Nobody is in any more. */
  remove (room: string): Promise<void>
  /** Another node owns it now: nothing more is written. */
  forget (room: string): void
}

/** An account's sessions, as replicated. */
export interface Snapshot {
  /** As the account's `life` has it. */
  readonly madeAt?: string | undefined
  /** The time of the snapshot, in milliseconds since 1970. */
  readonly savedAt?: number | undefined
  readonly sessions: readonly SavedSession[]
  /** State of extensions, by the extension's name. */
  readonly states: Readonly<Record<string, unknown>>
}

/** A note (points.ts) with its fields in one text, a line each. */
export interface SavedNote { readonly about: string, readonly body: Buffer }

/** The last snapshot, and the notes since, by the extension's name. */
export interface SavedAccount extends Snapshot {
  readonly notes: Readonly<Record<string, readonly SavedNote[]>>
}

export interface SavedSession {
  readonly resource: string
  readonly flags: readonly string[]
  readonly presence?: string | undefined
  readonly priority: number
  readonly isInterested: boolean
  readonly directed: readonly string[]
  /** What it was sent of rooms. */
  readonly heardNumbers?: readonly (readonly [string, Ranges])[] | undefined
}

/** Replicated state of accounts. */
export interface Records {
  /** The account's sessions have changed. */
  touch (account: Account): void
  append (account: Account, extension: string, about: string, body: Buffer | undefined): void
  /** The previous owner's record. */
  takeOver (before: NonNullable<Claim['before']>, account: string): Promise<SavedAccount | undefined>
  /** Deletes that node's record of the account. */
  discard (node: string, account: string): Promise<void>
  /** Resolves when the account's state is written. */
  save (account: Account): Promise<void>
  /** Another node owns it now: nothing more is written. */
  forget (account: Account): void
}
