/**
 * XEP-0045 §7.10 and §9.9: registration with a room. It reserves a nick; in an open room the user becomes a member at
 * once, elsewhere when an admin approves, which counts as given by others.
 */
import type { Values } from '../../extension/room-option.ts'
import type { ExtensionHost } from '../../extension/host.ts'
import type { IqRequest } from '../../extension/requests.ts'
import { visitorHandler } from '../visitor.ts'
import type { Visitor } from '../visitor.ts'
import { el } from '../../xml/element.ts'
import type { Element } from '../../xml/element.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { form, formValues, NS_FORMS } from '../../xmpp/forms.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { message as makeMessage } from '../../xmpp/stanza.ts'
import { nickOf } from './admin-changes.ts'
import { isAtLeast } from '../room/affiliation.ts'
import { applyChanges, announceChanges } from './change-affiliations.ts'
import type { NewAffiliation } from './change-affiliations.ts'
import { flagIn } from '../room/options/option.ts'
import { storeAffiliations } from './persist.ts'
import { postEach } from '../context.ts'
import type { Muc } from '../context.ts'
import { REGISTRATION } from '../ns.ts'
import type { Room } from '../room/room.ts'

const NS = 'jabber:iq:register'
const NICK = 'muc#register_roomnick'
const ALLOW = 'muc#register_allow'
/** Pending requests of one room; older ones are dropped. */
const MAX_REQUESTS = 100

/** A pending request's account; a later owner of the name has not asked. */
interface Asker { readonly jid: Jid, readonly life: string }

/** Pending requests by nick. */
const requests = new WeakMap<Room, Map<string, Asker>>()

/** Answers registration requests. */
export function registerRegistration (host: ExtensionHost, muc: Muc): void {
  host.disco.feature(NS, 'room')
  const route = { to: ['room'], name: 'query', ns: NS, isInTurn: true } as const
  host.iq({ ...route, type: 'get' }, visitorHandler((request, { room }) => describe(room, request)))
  host.iq({ ...route, type: 'set' }, visitorHandler((request, visitor) => register(muc, request, visitor)))
}

function checkAllowed (room: Room, from: Jid): void {
  if (room.isLocked) throw new StanzaError('item-not-found')
  if (room.affiliationOf(from) === 'outcast') throw new StanzaError('not-allowed')
}

function describe (room: Room, { from }: IqRequest): Element {
  checkAllowed(room, from)
  const nick = room.affiliations.get(from)?.nick
  if (nick !== undefined) return el('query', NS, {}, el('registered', NS), el('username', NS, {}, nick))
  const wanted = room.session(from)?.occupant.nick
  return el('query', NS, {}, el('instructions', NS, {}, 'Choose the nick that is to be yours alone.'),
    form('form', REGISTRATION, [
      { name: NICK, values: wanted === undefined ? [] : [wanted], type: 'text-single', label: 'Nick' },
    ], `Registration with ${room.jid}`))
}

async function register (muc: Muc, { from, payload }: IqRequest, { room, afterwards }: Visitor): Promise<void> {
  checkAllowed(room, from)
  const before = room.affiliations.get(from)
  if (payload.getChild('remove', NS)) {
    const affiliation = before && isAtLeast(before.affiliation, 'admin') ? before.affiliation : 'none'
    return afterwards(await change(muc, room, { jid: from.bare, affiliation, nick: '' }))
  }
  const x = payload.getChild('x', NS_FORMS)
  const values = x && formValues(x)
  if (!values || values.get('FORM_TYPE')?.[0] !== REGISTRATION) {
    throw new StanzaError('bad-request', 'the request must contain a form')
  }
  const nick = nickIn(room, values)
  await checkPersistent(muc, from)
  if (!before && isClosed(room)) return ask(muc, room, { jid: from.bare, life: await muc.accounts.lifeOf(from) }, nick)
  const { affiliation, isOwn } = before ?? { affiliation: 'member', isOwn: true }
  return afterwards(await change(muc, room, { jid: from.bare, affiliation, nick, by: isOwn ? 'self' : 'request' }))
}

/** Whether members have a privilege: to enter, or to speak. */
function isClosed (room: Room): boolean {
  return room.isMembersOnly || room.hasPassword || room.isModerated
}

/** An anonymous account ends with its stream: its affiliation would be nobody's. */
async function checkPersistent ({ hosts, accounts }: Muc, { bare }: Jid): Promise<void> {
  if (hosts.includes(bare.domain) && !await accounts.isPersistent(bare)) {
    throw new StanzaError('not-allowed', 'anonymous accounts cannot register with a room')
  }
}

function nickIn (room: Room, values: Values): string {
  const nick = nickOf(room, values.get(NICK)?.[0]?.trim())
  if (nick === undefined || nick === '') throw new StanzaError('bad-request', 'a nickname is needed')
  return nick
}

/** The change is in force; the function that is returned notifies the occupants. */
async function change (muc: Muc, room: Room, to: NewAffiliation): Promise<() => Promise<void>> {
  await storeAffiliations(muc, room, [to])
  const told = applyChanges(room, [to])
  return () => announceChanges(muc, room, told)
}

// §9.9.
function ask (muc: Muc, room: Room, asker: Asker, nick: string): void {
  const who = asker.jid
  const waiting = requests.get(room) ?? new Map<string, Asker>()
  requests.set(room, waiting)
  if (![who.toString(), undefined].includes(waiting.get(nick)?.jid.toString())) throw new StanzaError('conflict')
  if (!muc.invitationRate.take(who.toString())) {
    throw new StanzaError('resource-constraint', 'too many registration requests: try again later')
  }
  for (const [other, { jid }] of waiting) if (jid.equals(who)) waiting.delete(other)
  waiting.set(nick, asker)
  const [oldest] = waiting.keys()
  if (waiting.size > MAX_REQUESTS && oldest !== undefined) waiting.delete(oldest)
  const request = makeMessage('normal', { from: room.jid }, form('form', REGISTRATION, [
    { name: 'muc#register_jid', values: [who.toString()], type: 'jid-single', label: 'User ID' },
    { name: NICK, values: [nick], type: 'text-single', label: 'Nick' },
    { name: ALLOW, values: ['0'], type: 'boolean', label: 'Allow this person to register with the room?' },
  ], 'Registration request'))
  const admins = room.recipients.filter(({ occupant }) => isAtLeast(occupant.affiliation, 'admin'))
  postEach(muc, room, admins, session => request.withAddress(room.jid, session.jid))
}

/** An admin's answer to a request. */
export async function receiveRegistrationForm (muc: Muc, room: Room, x: Element, from: Jid): Promise<void> {
  if (!isAtLeast(room.affiliationOf(from), 'admin')) throw new StanzaError('forbidden')
  const values = formValues(x)
  const nick = nickIn(room, values)
  const asker = requests.get(room)?.get(nick)
  if (!asker) throw new StanzaError('item-not-found')
  requests.get(room)?.delete(nick)
  const { jid: who, life } = asker
  const hasAccount = !muc.hosts.includes(who.domain) || await muc.accounts.isPersistent(who)
  if (!hasAccount || await muc.accounts.lifeOf(who) !== life) {
    throw new StanzaError('item-not-found', 'the account that asked no longer exists')
  }
  if (flagIn(values, ALLOW) !== true || room.affiliationOf(who) !== 'none') return
  const changed = { jid: who, affiliation: 'member', nick, by: 'request' } as const
  await storeAffiliations(muc, room, [changed])
  await announceChanges(muc, room, applyChanges(room, [changed]), room.session(from)?.occupant.nick, from)
}
