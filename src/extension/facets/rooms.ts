/** Rooms (XEP-0045): what they keep, what their owners can set, and what they send. */
import type { Database } from '../../storage/database.ts'
import type { ArchiveIds } from '../../xmpp/archive-ids.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Field } from '../../xmpp/forms.ts'
import type { Message, Presence } from '../../xmpp/stanza.ts'
import type { WriteWithAffiliations } from '../points.ts'
import type { RoomCommand } from '../requests.ts'
import type { Described, DescribedNumber, RoomOption } from '../room-option.ts'
import type { OccupantView, RoomView, SessionView } from '../views.ts'

/** A value of an extension's own that is loaded with the room and then read from memory. */
export interface RoomData<T> {
  of (room: RoomView): T
  set (room: RoomView, value: T): void
}

/** What `muc#roominfo` says of a room beside what it is set to. */
export type RoomFacts = (room: RoomView) => readonly Field[]

/** A message as it was sent to all, with the time, as the history shows it. */
export interface Said { readonly message: Message, readonly at: number }

export interface RoomsFacet {
  /** The domains of the rooms, in the order of the hosts. */
  readonly domains: readonly string[]
  /**
   * The room, loaded when it was not in memory; nothing when there is no such room, or its home is elsewhere. Waits for
   * the room's turn: not to be waited for in it.
   */
  load (jid: Jid): Promise<RoomView | undefined>
  /** A new room has what `load` gives for it. */
  data<T> (load: (db: Database, room: Jid) => Promise<T>): RoomData<T>
  /** What is to be written with changes of who is what in a room. */
  writeWithAffiliations (write: WriteWithAffiliations): void
  /** How the numbers of a room's archive are told to others, also where the room is not in memory here. */
  archiveIds (room: Jid): Promise<ArchiveIds>

  /** Adds to what the owner of a room can set. */
  option<T> (option: RoomOption<T>): void
  /** The same for something that is on or off. */
  flag (flag: Described<boolean>): RoomOption<boolean>
  /** The same for a whole number. */
  number (number: DescribedNumber): RoomOption<number>
  /** Adds to what service discovery tells of a room in `muc#roominfo`. */
  info (facts: RoomFacts): void
  /** The same at every room, for whoever may see the room. */
  command (command: RoomCommand): void

  /** What newcomers are shown of the past (§7.2.13): these messages in place of what there is. */
  setHistory (room: RoomView, said: readonly Said[]): void
  /** Newcomers are not shown the messages that the room's archive keeps under these ids. */
  forgetHistory (room: RoomView, ids: readonly string[]): void
  /**
   * While the room is opened: `last` is the position of the last message in its archive. Where the home before has left
   * up to where it had sent messages to all, `readBehind` is asked for those behind that, and they are sent again.
   */
  recoverBroadcasts (
    room: RoomView, last: number, readBehind: (position: number) => Promise<readonly Message[]>,
  ): Promise<void>
  /**
   * Calls `deliver` with each recipient, behind what the room is sending and so much in one turn of the event loop; it
   * returns how many bytes it has sent. A promise where that takes more than now.
   */
  sendInOrder<T> (room: RoomView, recipients: readonly T[], deliver: (recipient: T) => number): void | Promise<void>
  /** Sends a message to all occupants of a room as it is, and in order: no stage sees it. */
  broadcast (room: RoomView, message: Message): void
  /** Sends all what was said in a room, and turned out to be kept since `at` (milliseconds since 1970). */
  broadcastRecovered (room: RoomView, message: Message, id: string, at: number): void
  /** The room itself says something to all: it is kept, and seen by what stages there are from there on. */
  say (room: RoomView, message: Message): void | Promise<void>
  /** The session is known to have been sent the room's message, by the node that was its home. */
  noteHeard (session: SessionView, message: Message): void

  /** When an occupant wrote last (milliseconds since 1970): kept for the room's next home. */
  setWrittenAt (occupant: OccupantView, at: number): void
  /** What an occupant's presence says of him besides what the room itself does: by its stage `present`. */
  buildPresence (room: RoomView, occupant: OccupantView): Presence
  /** Sends an occupant's presence to all again: that has changed. */
  rebroadcastPresence (room: RoomView, occupant: OccupantView): void
  /** A member has asked for what others have made of him: from now on the room may send him what he did not come for. */
  acceptMembership (room: RoomView, account: Jid): Promise<void>
}
