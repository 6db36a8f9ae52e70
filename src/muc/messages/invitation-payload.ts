/** XEP-0045 §7.8.2: invitations in the form in which the room forwards them. */
import { el } from '../../xml/element.ts'
import type { Element } from '../../xml/element.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { brief } from '../../xmpp/reason.ts'
import { NS_MUC_USER } from '../ns.ts'
import { password } from '../room/options/password.ts'
import type { Room } from '../room/room.ts'

/**
 * The parts of an invitation, or of the answer to one, that are forwarded: the first of each kind. Throws
 * policy-violation where one is too long.
 */
export function passedOn (
  written: Element | undefined,
  ...names: readonly ('reason' | 'continue')[]
): readonly Element[] {
  const passed = names.flatMap(name => written?.getChild(name, NS_MUC_USER) ?? [])
  for (const child of passed) brief(child.toString())
  return passed
}

/** Contains the forwarded parts of the inviter's request. */
export function invitationTo (room: Room, inviter: Jid, passed: readonly Element[]): Element {
  const secret = room.get(password)
  return el('x', NS_MUC_USER, {},
    el('invite', NS_MUC_USER, { from: inviter.toString() }, passed),
    secret === '' ? undefined : el('password', NS_MUC_USER, {}, secret))
}
