/**
 * Messages to a room or an occupant other than groupchat: subjects, voice requests, invitations, private messages,
 * errors.
 */
import { StanzaError } from '../../xmpp/errors.ts'
import { formValues, NS_FORMS } from '../../xmpp/forms.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Message } from '../../xmpp/stanza.ts'
import { decline, invite } from './invitation.ts'
import { sendToAll } from './message.ts'
import type { Muc } from '../context.ts'
import { NS_MUC_USER, REGISTRATION, VOICE_REQUEST } from '../ns.ts'
import { returnError, sendPrivately } from './private-message.ts'
import { applyConfig } from '../admin/change-config.ts'
import { receiveRegistrationForm } from '../admin/registration.ts'
import { removeUnreachable } from '../presence/removed-by-error.ts'
import type { Room } from '../room/room.ts'
import { receiveVoiceForm } from './voice.ts'

/** Throws where the message is refused. */
export function receiveForRoom (muc: Muc, room: Room, message: Message, from: Jid, to: Jid): void | Promise<void> {
  if (message.type === 'error') return receiveError(muc, room, message, from, to)
  if (!to.isBare) return sendPrivately(muc, room, message, to)
  if (message.type === 'groupchat')
    return room.isLocked ? sendFirst(muc, room, message, from) : sendToAll(muc, room, message)
  return receiveRequest(muc, room, message, from)
}

/**
 * The owner's first message accepts the default configuration, as a request for an instant room does (§10.1.2): some
 * clients never ask for one. §17.2 would refuse the message.
 */
async function sendFirst (muc: Muc, room: Room, message: Message, from: Jid): Promise<void> {
  if (!room.session(from)) throw new StanzaError('not-acceptable', 'you are not in this room')
  const tell = await applyConfig(muc, room, { config: room.config, affiliations: [] }, from)
  await tell()
  await sendToAll(muc, room, message)
}

/**
 * An answer to what the room has sent. Another server answers in the name of a session that is gone, and to the sender:
 * an occupant.
 */
function receiveError (muc: Muc, room: Room, error: Message, from: Jid, to: Jid): void | Promise<void> {
  if (!to.isBare && !wasForAll(room, error, to)) returnError(muc, room, error, to)
  if (to.isBare || !muc.hosts.includes(from.domain)) return removeUnreachable(muc, room, error)
}

/** Whether the occupant has lately sent a message to all under the error's id. */
function wasForAll (room: Room, { id }: Message, to: Jid): boolean {
  return id !== undefined && room.history.said.some(({ message }) => message.id === id && message.from?.equals(to))
}

/** Invitations and forms, by the namespace and the form's type. */
function receiveRequest (muc: Muc, room: Room, message: Message, from: Jid): void | Promise<void> {
  const x = message.payload('x', NS_MUC_USER)
  if (x?.getChild('invite', NS_MUC_USER)) return invite(muc, room, message, x, from)
  if (x?.getChild('decline', NS_MUC_USER)) return decline(muc, room, message, x, from)
  const form = message.payload('x', NS_FORMS)
  switch (form && formValues(form).get('FORM_TYPE')?.[0]) {
    case VOICE_REQUEST: return form && receiveVoiceForm(muc, room, form, from)
    case REGISTRATION: return form && receiveRegistrationForm(muc, room, form, from)
  }
  throw new StanzaError('bad-request', 'a message to a room must be of type groupchat') // §17.2
}
