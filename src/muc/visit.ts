/**
 * Presence that is sent to a room or an occupant of it (XEP-0045 §7.2, §7.6, §7.7 and §7.14): somebody comes in, is
 * called otherwise, is away, or leaves.
 */
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Presence } from '../xmpp/stanza.ts'
import { readLimits } from './history.ts'
import { join, welcome } from './join.ts'
import { leave } from './leave.ts'
import type { Muc } from './muc.ts'
import { changeNick } from './nick.ts'
import { NS_MUC } from './ns.ts'
import type { OccupantSession } from './occupant.ts'
import { announce, cleaned, disown } from './occupant-presence.ts'
import { visitorStatus } from './options/visitor-status.ts'
import type { Room } from './room.ts'
import { STATUS } from './user-payload.ts'

/** Throws what the sender is told when that can't be. */
export function receivePresence (muc: Muc, room: Room, presence: Presence, from: Jid, to: Jid): void | Promise<void> {
  const session = room.session(from)
  switch (presence.type) {
    case 'available': return session ? change(muc, room, session, presence, to) : enter(muc, room, presence, from, to)
    case 'unavailable': return session && leave(muc, room, session, presence)
    // §11.1: the others are told that nobody meant it.
    case 'error': return session && leave(muc, room, session, undefined, { statuses: [STATUS.technical] })
  }
}

function enter (muc: Muc, room: Room, presence: Presence, from: Jid, to: Jid): void {
  if (to.isBare) throw new StanzaError('jid-malformed', 'a nick is needed') // §7.2.1
  if (presence.has('x', NS_MUC)) join(muc, room, presence, from, to)
  else disown(muc, presence)
}

function change (muc: Muc, room: Room, session: OccupantSession, presence: Presence, to: Jid): void {
  if (to.isBare) throw new StanzaError('jid-malformed', 'a nick is needed')
  const { occupant } = session
  if (!to.equals(occupant.jid)) return changeNick(muc, room, session, presence, to)
  // §7.2.1 and §17.3: it has lost track, and is told everything again.
  const request = presence.payload('x', NS_MUC)
  if (request) welcome(muc, room, session, request, readLimits(request.getChild('history', NS_MUC), Date.now()), [])
  if (occupant.role === 'visitor' && !room.get(visitorStatus)) return
  const before = occupant.main
  session.presence = cleaned(presence)
  if (occupant.main === session || before === session) announce(muc, room, occupant)
}
