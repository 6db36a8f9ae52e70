/** XEP-0045 §7.8.2: an invitation as the room sends it. */
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_MUC_USER } from './ns.ts'
import { password } from './options/password.ts'
import type { Room } from './room.ts'

/** Of what the inviter wrote, the reason, and whether a chat goes on here, is passed on. */
export function invitationTo (room: Room, inviter: Jid, written: readonly Element[]): Element {
  const secret = room.get(password)
  const passed = written.filter(child => ['reason', 'continue'].includes(child.getName()) && child.getNS() === NS_MUC_USER)
  return el('x', NS_MUC_USER, {},
    el('invite', NS_MUC_USER, { from: inviter.toString() }, passed),
    secret === '' ? undefined : el('password', NS_MUC_USER, {}, secret))
}
