/** XEP-0045 §11.1: an error that says that an occupant is unreachable removes it from the room. */
import type { Message } from '../../xmpp/stanza.ts'
import { NS_CLIENT, NS_STANZA_ERRORS } from '../../xmpp/ns.ts'
import { STATUS } from '../../xmpp/room-status.ts'
import { leave } from './leave.ts'
import type { Muc } from '../context.ts'
import type { Room } from '../room/room.ts'

/** Conditions that mean an unreachable occupant; clients may send the others about any message. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  'gone', 'item-not-found', 'jid-malformed', 'recipient-unavailable', 'redirect', 'remote-server-not-found',
  'remote-server-timeout', 'service-unavailable',
])
/** Of these the ones that are final although their type is `wait`: of a session that is gone, of a server given up. */
const FINAL: ReadonlySet<string> = new Set(['recipient-unavailable', 'remote-server-timeout'])

/** Removes the sender of such an error from the room. */
export function removeUnreachable (muc: Muc, room: Room, error: Message): void | Promise<void> {
  const session = room.session(error.from)
  const said = error.payload('error', NS_CLIENT)
  const condition = said?.getChildElements()
    .find(child => child.getNS() === NS_STANZA_ERRORS && UNREACHABLE.has(child.getName()))?.getName()
  if (!session || condition === undefined) return
  if (said?.attrs['type'] === 'wait' && !FINAL.has(condition)) return // RFC 6120 §8.3.2: it can be reached again
  return leave(muc, room, session, undefined, { statuses: [STATUS.technical] })
}
