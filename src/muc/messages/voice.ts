/** XEP-0045 §7.13 and §8.6: visitors ask for voice, and moderators are asked to grant it. */
import type { Element } from '../../xml/element.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { form, formValues } from '../../xmpp/forms.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { message as makeMessage } from '../../xmpp/stanza.ts'
import { changeRoles } from '../admin/change-roles.ts'
import { postEach } from '../context.ts'
import type { Muc } from '../context.ts'
import { VOICE_REQUEST } from '../ns.ts'
import type { Occupant } from '../room/occupant.ts'
import { voiceInterval, voiceRequests } from '../room/options/voice-requests.ts'
import { refuseRole } from '../room/role.ts'
import type { Room } from '../room/room.ts'

/** The most accounts of a room whose last request is remembered. */
const MAX_ASKED = 1000

/** When accounts asked last, by room and account, also of those who have left since. */
const askedAt = new WeakMap<Room, Map<string, number>>()

/** A form of that type from an occupant: a request, or a moderator's answer to one. */
export function receiveVoiceForm (muc: Muc, room: Room, x: Element, from: Jid): void {
  const session = room.session(from)
  if (!session) throw new StanzaError('not-acceptable', 'you are not in this room')
  const values = formValues(x)
  if (values.has('muc#request_allow')) grant(muc, room, session.occupant, values)
  else if (values.get('muc#role')?.[0] === 'participant') ask(muc, room, session.occupant)
  else throw new StanzaError('bad-request', 'you can ask only for the role of a participant')
}

function ask (muc: Muc, room: Room, occupant: Occupant): void {
  if (!room.get(voiceRequests)) throw new StanzaError('forbidden')
  if (occupant.role !== 'visitor') return
  checkInterval(room, occupant)
  const request = form('form', VOICE_REQUEST, [
    {
      name: 'muc#role',
      values: ['participant'],
      type: 'list-single',
      label: 'Requested role',
      choices: [{ value: 'participant', label: 'Participant' }],
    },
    {
      name: 'muc#jid',
      values: occupant.main ? [occupant.main.jid.toString()] : [],
      type: 'jid-single',
      label: 'User ID',
    },
    { name: 'muc#roomnick', values: [occupant.nick], type: 'text-single', label: 'Room nick' },
    { name: 'muc#request_allow', values: ['0'], type: 'boolean', label: 'Grant voice to this person?' },
  ], 'Voice request')
  const message = makeMessage('normal', { from: room.jid }, request)
  const moderators = room.recipients.filter(session => session.occupant.role === 'moderator')
  postEach(muc, room, moderators, session => message.withAddress(room.jid, session.jid))
}

/** §7.13: throws where the account has asked within the interval that the room is configured with. */
function checkInterval (room: Room, { account }: Occupant): void {
  const key = account.toString()
  const asked = askedAt.get(room) ?? new Map<string, number>()
  askedAt.set(room, asked)
  const now = performance.now()
  if (now - (asked.get(key) ?? -Infinity) < room.get(voiceInterval) * 1000) {
    throw new StanzaError('resource-constraint', 'you have asked too often: try again later')
  }
  asked.delete(key) // to the end, as the latest
  asked.set(key, now)
  const [oldest] = asked.keys()
  if (asked.size > MAX_ASKED && oldest !== undefined) asked.delete(oldest)
}

function grant (muc: Muc, room: Room, moderator: Occupant, values: ReadonlyMap<string, readonly string[]>): void {
  if (!['1', 'true'].includes(values.get('muc#request_allow')?.[0] ?? '')) return
  const occupant = askerIn(room, values)
  if (occupant.role !== 'visitor') return
  const refusal = refuseRole(moderator, occupant, 'participant')
  if (refusal) throw new StanzaError(refusal)
  changeRoles(muc, room, [{ occupant, role: 'participant' }], moderator.nick)()
}

/** The occupant whose request is granted; the nick may be somebody else's by now. */
function askerIn (room: Room, values: ReadonlyMap<string, readonly string[]>): Occupant {
  const occupant = room.occupant(values.get('muc#roomnick')?.[0] ?? '')
  const asker = values.get('muc#jid')?.[0]
  const isOther = asker !== undefined && !occupant?.sessions.some(({ jid }) => jid.toString() === asker)
  if (!occupant || isOther) throw new StanzaError('item-not-found')
  return occupant
}
