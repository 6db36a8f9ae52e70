/**
 * What the extension that archives messages offers to the others: they read and change archived messages through it,
 * and never touch its tables. Messages have numbers; those of one archive have no gaps.
 */
import type { Database } from '../storage/database.ts'
import type { RoomView } from './views.ts'

export interface ArchivedMessage {
  readonly seq: number
  /** The archive's name of the other side: a bare address; in the archive of a room, of the author. */
  readonly peer: string
  /** Whether the archive's owner sent it. */
  readonly isSent: boolean
  /** Milliseconds since 1970. */
  readonly sentAt: number
  /** For `storedStanza`; empty when the content is no longer kept. */
  readonly stanza: string
}

/** The half of a conversation that one side sent. */
export interface ConversationSide extends Pick<ArchivedMessage, 'peer' | 'isSent'> { readonly owner: string }

export interface ConversationSearch {
  /** Only messages between these numbers, both excluded. */
  readonly after?: number
  readonly before: number
  /** Only so many of those are looked at, the newest. */
  readonly among?: number
  /** Whose client gave them this id. */
  readonly id?: string
  /** Which contain these texts somewhere. */
  readonly containing?: readonly [string, string]
  /** The newest of the matches, at most so many. */
  readonly most: number
}

/** A message that an account sent to a peer, by the id that its client gave it. */
export interface SentId { readonly owner: string, readonly peer: string, readonly id: string }

/** A range of numbers, both ends included. */
export interface NumberRange { readonly from: number, readonly to: number }

/** How much of an account's archive was delivered. */
export interface DeliveryPosition {
  /** Everything up to here was delivered, or not meant for delivery. */
  readonly delivered: number
  /** The last number of the archive. */
  readonly last: number
}

/** Functions with a database run their queries there; all reject with the database's error. */
export interface MessageArchive {
  /** The last number of the room's archive, 0 if it has none; from memory. */
  lastInRoom (room: RoomView): number
  /** The messages with these numbers, as far as there are any. */
  read (db: Database, owner: string, seqs: readonly number[]): Promise<readonly ArchivedMessage[]>
  /**
   * The newest matches first, without those whose content is no longer kept, and those that the peer's address sent
   * before its account was made: they are somebody else's. Callers check the id themselves: the search compares text.
   */
  search (db: Database, side: ConversationSide, search: ConversationSearch): Promise<readonly ArchivedMessage[]>
  /** The number of each message, undefined for those not among the `among` last that were sent to the peer. */
  findSent (db: Database, sent: readonly SentId[], among: number): Promise<readonly (number | undefined)[]>
  /** Puts the bytes of another stanza in a message's place. */
  replace (db: Database, owner: string, seq: number, stanza: Buffer): Promise<void>

  /** Undefined for an account that has neither messages nor a position. Concurrent reads share a query. */
  readPosition (account: string): Promise<DeliveryPosition | undefined>
  /** Saves delivery positions by account; they only move forwards. */
  savePositions (positions: ReadonlyMap<string, number>): Promise<void>
  /** The oldest messages for the owner in these ranges, at most so many. */
  readReceived (
    db: Database, owner: string, ranges: readonly NumberRange[], most: number,
  ): Promise<readonly ArchivedMessage[]>
  /** The numbers of the oldest messages for the owner in this range, at most so many. */
  findReceived (db: Database, owner: string, range: NumberRange, most: number): Promise<readonly number[]>
}
