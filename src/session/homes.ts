/**
 * Homes: the one node that thinks for an account has it in memory, with all its sessions, and numbers its archive.
 * Alone, a server is everybody's home, and there is none of this.
 */
import type { Account } from './account.ts'
import type { Stanza } from '../xmpp/stanza.ts'

/** Where an account is: in memory here, or at home on another node; nothing where there is no such account. */
export type Located = { readonly account: Account } | { readonly node: string } | undefined

/** What came of a claim. */
export interface Claim {
  /** The other node that is home already. */
  readonly node?: string | undefined
  /** The node that was home before, and has left records of the account's sessions: in good order, or as they were. */
  readonly before?: { readonly node: string, readonly isInOrder: boolean } | undefined
}

/** What is known of an account's home. */
export interface Found {
  /** The other node that is home. */
  readonly node?: string | undefined
  /** None is, and one that was has left sessions, for whoever claims the account. */
  readonly hasOrphanedState?: boolean | undefined
}

export interface Homes {
  /** This run of this node: another one after it was taken for dead, when all is to be claimed again. */
  readonly incarnation: string
  /** The other node that was the account's home when last asked. */
  elsewhere (account: string): string | undefined
  /** Makes this node the account's home unless another is. Rejects with a StanzaError (wait) when nobody can tell. */
  claim (account: string): Promise<Claim>
  /** Where something lives that no node has a reason to have: this node, or another. */
  place (key: string): string
  /** Looks who is the account's home; claims nothing. Rejects as `claim` does. */
  find (account: string): Promise<Found>
  /** That node is not the account's home, or is no more. */
  forget (account: string): void
  /** The account is not in memory here any more: its home is `heir` while that lives, or whoever needs it next. */
  release (account: string, hasRecord: boolean, heir?: string): void
  /** Removes an account at its home: false where that is not its home. */
  removeAt (node: string, account: string): Promise<boolean>
  /** Nothing while this node's homes are its own for sure; or else when that is known. */
  confirmLease (): Promise<void> | undefined
  /**
   * Hands a stanza to the home of whom it is for: false where that is not its home. Rejects when it can't be known, or
   * in time.
   */
  forward (node: string, stanza: Stanza): Promise<boolean>
}

/** The other nodes, for what extensions there and here have to say to each other. */
export interface Others {
  /** All that live. */
  readonly nodes: readonly string[]
  /** In order with all else that is asked of that node. Rejects as a bus does. */
  ask (node: string, extension: string, text: string, body?: Buffer): Promise<string>
  /** Who answers what extensions are asked. */
  answer (handler: (from: string, extension: string, text: string, body: Buffer) => string | Promise<string>): void
}

/** Keeps what other nodes need to go on with a room: a text for each session that is in, by its address. */
export interface RoomRecords {
  /** Kept before clients are sent what is written after this; nothing for a session that is not in any more. */
  put (room: string, session: string, record: string | undefined): void
  /** What the node that was home before has left, which is this node's own from now on. */
  takeOver (before: NonNullable<Claim['before']>, room: string): Promise<ReadonlyMap<string, string>>
  /** Resolves when all that is known of the room is kept. */
  save (room: string): Promise<void>
  /** Nobody is in any more. */
  remove (room: string): Promise<void>
  /** It is not at home here any more: nothing is written of it from now on. */
  forget (room: string): void
}

/** An account's sessions as they are kept outside of its home. */
export interface Snapshot {
  /** As the account's `life` has it. */
  readonly madeAt?: string | undefined
  /** When it was made, in milliseconds since 1970. */
  readonly savedAt?: number | undefined
  readonly sessions: readonly SavedSession[]
  /** What extensions saved, by the extension's name. */
  readonly states: Readonly<Record<string, unknown>>
}

/** The last snapshot, and what was noted since, by the extension's name. */
export interface SavedAccount extends Snapshot {
  readonly notes: Readonly<Record<string, readonly Note[]>>
}

export interface SavedSession {
  readonly resource: string
  readonly flags: readonly string[]
  readonly presence?: string | undefined
  readonly priority: number
  readonly isInterested: boolean
  readonly directed: readonly string[]
  /** How far it has heard rooms. */
  readonly heard?: readonly (readonly [string, number])[] | undefined
}

/** Something that happened to a session since all was saved. */
export interface Note { readonly about: string, readonly body: Buffer }

/** Keeps what other nodes need to go on with an account's sessions. */
export interface Records {
  /** The account's sessions have changed. */
  touch (account: Account): void
  append (account: Account, extension: string, about: string, body: Buffer | undefined): void
  /** What the node that was home before has left. */
  takeOver (before: NonNullable<Claim['before']>, account: string): Promise<SavedAccount | undefined>
  /** Nobody goes on with what that node has left of the account. */
  discard (node: string, account: string): Promise<void>
  /** Resolves when all that is known of the account now is kept. */
  save (account: Account): Promise<void>
  /** It is not at home here any more: nothing is written of it from now on. */
  forget (account: Account): void
}
