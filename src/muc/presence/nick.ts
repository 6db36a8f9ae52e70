/** XEP-0045 §7.6: an occupant changes its nick, with all of its sessions. */
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { STATUS } from '../../xmpp/room-status.ts'
import type { Presence } from '../../xmpp/stanza.ts'
import { checkNick } from './join.ts'
import type { Muc } from '../context.ts'
import type { OccupantSession } from '../room/occupant.ts'
import { broadcastPresence, announceEnd, cleaned } from './occupant-presence.ts'
import { visitorNick } from '../room/options/visitor-nick.ts'
import type { Room } from '../room/room.ts'

/** Throws where the nick is refused. */
export function changeNick (muc: Muc, room: Room, session: OccupantSession, presence: Presence, nick: Jid): void {
  const { occupant } = session
  checkNick(room, occupant.account, nick)
  // Two nicks of one account are not merged: the others see two occupants.
  if (room.occupant(nick.resource)) throw new StanzaError('conflict')
  if (occupant.role === 'visitor' && !room.get(visitorNick)) throw new StanzaError('not-allowed')
  announceEnd(muc, room, occupant, occupant.sessions, { statuses: [STATUS.newNick] }, undefined, nick.resource)
  session.presence = cleaned(presence)
  room.rename(occupant, nick)
  broadcastPresence(muc, room, occupant)
}
