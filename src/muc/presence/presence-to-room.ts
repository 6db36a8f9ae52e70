/** Presence to a room or occupant (XEP-0045 §7.2, §7.6, §7.7 and §7.14): entering, changing nick or status, leaving. */
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { STATUS } from '../../xmpp/room-status.ts'
import type { Presence } from '../../xmpp/stanza.ts'
import { readLimits } from '../room/history.ts'
import { join, welcome } from './join.ts'
import { acceptFirst } from '../admin/persist.ts'
import { leave } from './leave.ts'
import type { Muc, Received } from '../context.ts'
import { changeNick } from './nick.ts'
import { NS_MUC } from '../ns.ts'
import type { OccupantSession } from '../room/occupant.ts'
import { broadcastPresence, cleaned, disown } from './occupant-presence.ts'
import { visitorStatus } from '../room/options/visitor-status.ts'
import type { Room } from '../room/room.ts'

/** Throws the refusal for the sender. */
export function receivePresence (
  muc: Muc, room: Room, presence: Presence, from: Jid, to: Jid,
): void | Promise<void | Received> | Received {
  const session = room.session(from)
  switch (presence.type) {
    case 'available': {
      if (session) return acceptFirst(muc, room, from, () => ({ handedOver: change(muc, room, session, presence, to) }))
      if (to.isBare) throw new StanzaError('jid-malformed', 'a nickname is needed') // §7.2.1
      if (!presence.has('x', NS_MUC)) return disown(muc, presence)
      const life = muc.accounts.lifeOf(from)
      if (typeof life === 'string') return join(muc, room, presence, from, to, life)
      return life.then(known => join(muc, room, presence, from, to, known))
    }
    case 'unavailable': return session && leave(muc, room, session, presence)
    // §11.1: the others get the code for a technical reason.
    case 'error': return session && leave(muc, room, session, undefined, { statuses: [STATUS.technical] })
  }
}

function change (
  muc: Muc, room: Room, session: OccupantSession, presence: Presence, to: Jid,
): Promise<unknown> | undefined {
  if (to.isBare) throw new StanzaError('jid-malformed', 'a nickname is needed')
  const { occupant } = session
  if (!to.equals(occupant.jid)) {
    changeNick(muc, room, session, presence, to)
    return
  }
  // §7.2.1 and §17.3: the client lost its state, and is sent everything again.
  const request = presence.payload('x', NS_MUC)
  const heard = request &&
    welcome(muc, room, session, request, readLimits(request.getChild('history', NS_MUC), Date.now()))
  if (occupant.role === 'visitor' && !room.get(visitorStatus)) return heard
  const before = occupant.main
  session.presence = cleaned(presence)
  if (occupant.main === session || before === session) broadcastPresence(muc, room, occupant)
  return heard
}
