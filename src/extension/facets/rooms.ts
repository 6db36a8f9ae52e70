/** Rooms (XEP-0045): an extension's data in them, their options and commands, and what they send. */
import type { Database } from '../../storage/database.ts'
import type { ArchiveIds } from '../../xmpp/archive-ids.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Field } from '../../xmpp/forms.ts'
import type { Message, Presence } from '../../xmpp/stanza.ts'
import type { WriteWithAffiliations } from '../points.ts'
import type { RoomCommand } from '../requests.ts'
import type { Described, DescribedNumber, RoomOption } from '../room-option.ts'
import type { OccupantView, RoomView } from '../views.ts'

/** A value of an extension for each room, loaded together with the room and then read from memory. */
export interface RoomData<T> {
  of (room: RoomView): T
  set (room: RoomView, value: T): void
}

/** Fields for `muc#roominfo` that no option has. */
export type RoomFacts = (room: RoomView) => readonly Field[]

/** A message of the room's history, with its time in milliseconds since 1970. */
export interface Said { readonly message: Message, readonly at: number }

export interface RoomsFacet {
  /** The domains of the rooms, in the order of the hosts. */
  readonly domains: readonly string[]
  /**
   * The room, loaded if it is not in memory; undefined when there is no such room, or another node owns it. Takes a
   * turn of the room: awaiting it within one would wait for ever.
   */
  load (jid: Jid): Promise<RoomView | undefined>
  /** Adds a value to each room. `load` is called for new rooms, too. */
  data<T>(load: (db: Database, room: Jid) => Promise<T>): RoomData<T>
  /** Runs `write` in each transaction that stores changes of affiliations. */
  writeWithAffiliations (write: WriteWithAffiliations): void
  /** The public ids of a room's archive, also where the room is not in memory here. */
  archiveIds (room: Jid): Promise<ArchiveIds>

  /** Adds a boolean option to every room's configuration. */
  flag (flag: Described<boolean>): RoomOption<boolean>
  /** Adds an integer option. */
  number (number: DescribedNumber): RoomOption<number>
  /** Adds fields to `muc#roominfo` in service discovery. */
  info (facts: RoomFacts): void
  /** Offers an ad-hoc command at every room, to everyone who may see the room. */
  command (command: RoomCommand): void

  /** Replaces the history that is sent to newcomers (§7.2.13). */
  setHistory (room: RoomView, said: readonly Said[]): void
  /** Removes the messages with these archive numbers from the history. */
  forgetHistory (room: RoomView, numbers: readonly string[]): void
  /**
   * Called while a room is opened; `last` is the position of its last archived message. If the previous owner recorded
   * up to which position it had sent messages to all occupants, the messages that `readBehind` finds behind it are sent
   * again.
   */
  recoverBroadcasts (
    room: RoomView, last: number, readBehind: (position: number) => Promise<readonly Message[]>,
  ): Promise<void>
  /**
   * Calls `deliver` with each recipient, behind what the room is sending already, a slice per turn of the event loop.
   * `deliver` returns the bytes it has sent. Returns a promise unless all is done at once.
   */
  sendInOrder<T>(room: RoomView, recipients: readonly T[], deliver: (recipient: T) => number): void | Promise<void>
  /** Sends a message to all occupants as it is, in order; no stage sees it. */
  broadcast (room: RoomView, message: Message): void
  /** Sends all occupants a message that proved to be archived, under that number, since `at` (ms since 1970). */
  broadcastRecovered (room: RoomView, message: Message, number: string, at: number): void
  /** Sends all occupants a message of the room itself, through the stages from `store` on. */
  say (room: RoomView, message: Message): void | Promise<void>

  /** Records when an occupant last sent a message (milliseconds since 1970); replicated for the room's next owner. */
  setWrittenAt (occupant: OccupantView, at: number): void
  /** The part of an occupant's presence that stage `present` makes. */
  buildPresence (room: RoomView, occupant: OccupantView): Presence
  /** Sends an occupant's presence to all again, after that part of it has changed. */
  rebroadcastPresence (room: RoomView, occupant: OccupantView): void
  /** Confirms an affiliation that others gave to an account: the room may send it unsolicited messages from now on. */
  acceptMembership (room: RoomView, account: Jid): Promise<void>
}
