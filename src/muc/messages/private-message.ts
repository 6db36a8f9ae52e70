/** XEP-0045 §7.5: a private message from one occupant to all sessions of another. */
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Message } from '../../xmpp/stanza.ts'
import { checkRate } from './message.ts'
import { postEach } from '../context.ts'
import type { Muc } from '../context.ts'
import { NS_MUC_USER } from '../ns.ts'
import type { Occupant } from '../room/occupant.ts'
import { allowPrivateMessages } from '../room/options/allow-private-messages.ts'
import type { Room } from '../room/room.ts'

/** Throws where the message is refused. */
export function sendPrivately (muc: Muc, room: Room, message: Message, to: Jid): void {
  if (room.isLocked) throw new StanzaError('item-not-found')
  const sender = room.session(message.from)?.occupant
  if (!sender) throw new StanzaError('not-acceptable', 'you are not in this room')
  if (message.type === 'groupchat') throw new StanzaError('bad-request', 'a private message cannot be of this type')
  const recipient = room.occupant(to.resource)
  if (!recipient) throw new StanzaError('item-not-found')
  if (!mayWrite(room, sender, recipient)) throw new StanzaError('forbidden')
  checkRate(muc, sender)
  const clean = message.withoutPayload(({ ns }) => ns === NS_MUC_USER)
    .withWritten('x', NS_MUC_USER, `<x xmlns='${NS_MUC_USER}'/>`).withAddress(sender.jid, recipient.jid)
  const verdict = muc.stages.room.guard(clean, room, sender)
  if (verdict === 'drop') return
  if (verdict) throw verdict
  deliver(muc, room, muc.stages.room.rewrite(clean, room, sender).authoredBy(message.from ?? sender.account), recipient)
}

/** An occupant without voice may still write to moderators, unless private messages are off. */
function mayWrite (room: Room, { role }: Occupant, recipient: Occupant): boolean {
  switch (room.get(allowPrivateMessages)) {
    case 'anyone': return true
    case 'participants': return role !== 'visitor' || recipient.role === 'moderator'
    case 'moderators': return role === 'moderator'
    case 'none': return false
  }
}

/** An error from a recipient of a private message goes to its sender, under the recipient's nick. */
export function returnError (muc: Muc, room: Room, error: Message, to: Jid): void {
  const from = room.session(error.from)?.occupant
  const sender = room.occupant(to.resource)
  if (from && sender) deliver(muc, room, error.withAddress(from.jid, sender.jid), sender)
}

function deliver (muc: Muc, room: Room, message: Message, { sessions }: Occupant): void {
  postEach(muc, room, sessions, session => session.isIn ? message.copyFor(session.jid) : undefined)
}
