/** Changes of roles (XEP-0045 §8.2 to §8.5, §9.6 and §9.7): notifies all occupants, or removes one. */
import type { Role } from '../../xmpp/muc.ts'
import type { Muc } from '../context.ts'
import type { Occupant } from '../room/occupant.ts'
import { broadcastPresence, announceEnd, sendOccupants } from '../presence/occupant-presence.ts'
import type { Room } from '../room/room.ts'
import { STATUS } from '../../xmpp/room-status.ts'

export interface NewRole {
  readonly occupant: Occupant
  readonly role: Role
  readonly reason?: string | undefined
}

/** The roles are in force; the function that is returned notifies the occupants. */
export function changeRoles (muc: Muc, room: Room, changes: readonly NewRole[], actor: string | undefined): () => void {
  const notifications = changes.map(({ occupant, role, reason }) => {
    const before = occupant.role
    if (role === 'none') {
      const gone = room.leaveWhole(occupant)
      return () => { announceEnd(muc, room, occupant, gone, { actor, reason, statuses: [STATUS.kicked] }) }
    }
    occupant.role = role
    return () => {
      if (before === role) return
      broadcastPresence(muc, room, occupant, { actor, reason }, before)
      if (role === 'moderator') showAddresses(muc, room, occupant)
    }
  })
  return () => { for (const notify of notifications) notify() }
}

/** §7.2.4: a new moderator learns the real addresses of the occupants who are there. */
export function showAddresses (muc: Muc, room: Room, occupant: Occupant): void {
  if (room.isNonAnonymous) return
  for (const session of occupant.sessions) sendOccupants(muc, room, session)
}
