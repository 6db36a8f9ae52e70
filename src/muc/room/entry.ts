/**
 * XEP-0045 §7.2.5 to §7.2.10: the right to enter, for who enters and for who reads the archive from outside (XEP-0313
 * §6.1.2).
 */
import type { StanzaErrorCondition } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Room } from './room.ts'

/** Why a user may not enter; undefined where allowed. `knowsPassword` matters where the room has one. */
export function refuseVisitor (room: Room, visitor: Jid, knowsPassword: boolean): StanzaErrorCondition | undefined {
  const affiliation = room.affiliationOf(visitor)
  if (room.isLocked && affiliation !== 'owner') return 'item-not-found'
  if (affiliation === 'outcast') return 'forbidden'
  if (room.isMembersOnly && affiliation === 'none') return 'registration-required'
  if (room.hasPassword && !knowsPassword) return 'not-authorized'
}
