/** XEP-0045 §8.1 and §7.2.15: the subject: who may change it, and how new occupants learn it. */
import type { Role } from '../../xmpp/muc.ts'
import { el } from '../../xml/element.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { delay } from '../../xmpp/forward.ts'
import { NS_CLIENT } from '../../xmpp/ns.ts'
import { message as makeMessage } from '../../xmpp/stanza.ts'
import type { Message } from '../../xmpp/stanza.ts'
import type { Muc } from '../context.ts'
import { changeSubject } from '../room/options/change-subject.ts'
import { hasVoice } from '../room/role.ts'
import type { Room } from '../room/room.ts'

/** §8.1: only a message with a subject and neither a body nor a thread changes the subject. */
export function isSubject (message: Message): boolean {
  return message.has('subject', NS_CLIENT) && !message.has('body', NS_CLIENT) && !message.has('thread', NS_CLIENT)
}

/** Throws forbidden unless that role may change the subject. */
export function checkSubject (room: Room, role: Role): void {
  const mayChange = role === 'moderator' || (room.get(changeSubject) && hasVoice(role, room.isModerated))
  if (!mayChange) throw new StanzaError('forbidden')
}

/** The new subject is stored, and then in force. */
export async function keepSubject (muc: Muc, room: Room, message: Message): Promise<void> {
  const subject = { message: message.copy(), at: Date.now() }
  if (!room.isLocked) await muc.store.storeSubject(room.jid, subject)
  room.subject = subject
}

/** §7.2.15: the last change with its time, or an empty subject. */
export function subjectFor ({ jid, subject }: Room): Message {
  if (!subject) return makeMessage('groupchat', { from: jid }, el('subject', NS_CLIENT))
  return subject.message.withPayload(delay(subject.at, jid.toString()))
}

/** What `muc#roominfo` shows. */
export function subjectText ({ subject }: Room): string {
  return subject?.message.payload('subject', NS_CLIENT)?.text() ?? ''
}
