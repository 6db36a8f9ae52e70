/** Rooms (XEP-0045): what they keep, what their owners can set, and what they send. */
import type { Occupant } from '../../muc/room/occupant.ts'
import type { Described, DescribedNumber, RoomOption } from '../../muc/room/options/option.ts'
import type { RoomFacts } from '../../muc/room/room-options.ts'
import type { Room } from '../../muc/room/room.ts'
import type { Session } from '../../session/session.ts'
import type { Database } from '../../storage/database.ts'
import type { ArchiveIds } from '../../xmpp/archive-ids.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Message, Presence } from '../../xmpp/stanza.ts'
import type { WriteWithAffiliations } from '../points.ts'
import type { RoomCommand } from '../requests.ts'

/** A value of an extension's own that is loaded with the room and then read from memory. */
export interface RoomData<T> {
  of (room: Room): T
  set (room: Room, value: T): void
}

export interface RoomsFacet {
  /** The domains of the rooms, in the order of the hosts. */
  readonly domains: readonly string[]
  /**
   * The room, loaded when it was not in memory; nothing when there is no such room, or its home is elsewhere. Waits for
   * the room's turn: not to be waited for in it.
   */
  load (jid: Jid): Promise<Room | undefined>
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

  /** Sends a message to all occupants of a room as it is, and in order: no stage sees it. */
  broadcast (room: Room, message: Message): void
  /** Sends all what was said in a room, and turned out to be kept since `at` (milliseconds since 1970). */
  broadcastRecovered (room: Room, message: Message, id: string, at: number): void
  /** The room itself says something to all: it is kept, and seen by what stages there are from there on. */
  say (room: Room, message: Message): void | Promise<void>
  /** The session is known to have been sent the room's message, by the node that was its home. */
  noteHeard (session: Session, message: Message): void

  /** What an occupant's presence says of him besides what the room itself does: by its stage `present`. */
  buildPresence (room: Room, occupant: Occupant): Presence
  /** Sends an occupant's presence to all again: that has changed. */
  rebroadcastPresence (room: Room, occupant: Occupant): void
  /** A member has asked for what others have made of him: from now on the room may send him what he did not come for. */
  acceptMembership (room: Room, account: Jid): Promise<void>
}
