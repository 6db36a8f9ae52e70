/** XEP-0045 §7.14 and §8.2, §9.1, §9.4, §10.2, §11.1: how an occupant leaves a room, or is made to. */
import { inSlices } from '../../util/slices.ts'
import type { Presence } from '../../xmpp/stanza.ts'
import type { Muc } from '../context.ts'
import type { Occupant, OccupantSession } from '../room/occupant.ts'
import { broadcastPresence, announceEnd, announceSessionEnd, cleaned } from './occupant-presence.ts'
import { persistent } from '../room/options/persistent.ts'
import type { Room } from '../room/room.ts'
import type { PresenceCause } from './user-payload.ts'

/** A session leaves, or is found to be gone. */
export function leave (
  muc: Muc,
  room: Room,
  session: OccupantSession,
  presence?: Presence,
  cause: PresenceCause = {},
): void | Promise<void> {
  const { occupant } = session
  const farewell = presence && cleaned(presence)
  if (occupant.sessions.length === 1) {
    announceEnd(muc, room, occupant, room.leaveWhole(occupant), cause, farewell)
    return endIfEmpty(muc, room)
  }
  const { main } = occupant
  room.leave(session)
  announceSessionEnd(muc, room, session, cause, farewell)
  if (main === session) broadcastPresence(muc, room, occupant)
}

/** An occupant that is made to leave. */
export interface Removal { readonly occupant: Occupant, readonly cause: PresenceCause }

/** Removes occupants with all their sessions, in slices: all are out before anybody is notified. */
export function remove (muc: Muc, room: Room, removals: readonly Removal[]): void | Promise<void> {
  return inSlices(removing(muc, room, removals))
}

function * removing (muc: Muc, room: Room, removals: readonly Removal[]): Generator<void> {
  const left: (Removal & { readonly gone: readonly OccupantSession[] })[] = []
  for (const removal of removals) {
    left.push({ ...removal, gone: room.leaveWhole(removal.occupant) })
    yield
  }
  for (const { occupant, gone, cause } of left) yield announceEnd(muc, room, occupant, gone, cause)
}

/**
 * §7.14: a temporary room ends with its last occupant. If the database is away it remains, and ends with its next last
 * occupant; no request fails because of that.
 */
export function endIfEmpty (muc: Muc, room: Room): void | Promise<void> {
  if (!room.isOpen || room.occupants.size > 0 || (!room.isLocked && room.get(persistent))) return
  return muc.end(room).catch((error: unknown) => {
    muc.log.error(
      { event: 'muc.empty_room_not_removed', err: error, room: room.jid.toString() },
      'muc: empty room not removed',
    )
  })
}
