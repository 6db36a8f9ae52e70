/**
 * XEP-0045 §7.8: mediated invitations, and answers to them; an invitation to a members-only room makes its recipient a
 * member. A direct one (XEP-0249) is an ordinary message: its sender adds the member first.
 */
import { el } from '../../xml/element.ts'
import type { Element } from '../../xml/element.ts'
import { checkAddressList, parseAddress } from '../../xmpp/addresses.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { message as makeMessage } from '../../xmpp/stanza.ts'
import type { Message } from '../../xmpp/stanza.ts'
import { isAtLeast } from '../room/affiliation.ts'
import { applyChanges, announceChanges } from '../admin/change-affiliations.ts'
import { invitationTo, passedOn } from './invitation-payload.ts'
import { post } from '../context.ts'
import type { Muc } from '../context.ts'
import { NS_MUC_USER } from '../ns.ts'
import { storeAffiliations } from '../admin/persist.ts'
import { allowInvites } from '../room/options/allow-invites.ts'
import type { Room } from '../room/room.ts'

/** The most invitations in one message. */
const MAX_INVITES = 50

/** §7.8.2: forwards each `<invite/>`, or throws where one is refused. */
export async function invite (muc: Muc, room: Room, message: Message, x: Element, from: Jid): Promise<void> {
  checkInviter(room, from)
  const invites = x.getChildren('invite', NS_MUC_USER)
  if (invites.length > MAX_INVITES) throw new StanzaError('policy-violation', 'too many invitations in one message')
  checkAddressList(invites.flatMap(child => child.attrs['to'] ?? []))
  const invitees = invites.map(child => ({ passed: passedOn(child, 'reason', 'continue'), to: addresseeOf(child) }))
  for (const { to } of invitees) {
    if (!muc.invitationRate.take(from.bare.toString())) {
      throw new StanzaError('resource-constraint', 'too many invitations: try again later')
    }
    await checkInvitee(muc, to)
  }
  for (const { to } of invitees) await admit(muc, room, to, from)
  await muc.invitations.keep(room.jid, from.bare, invitees.map(({ to }) => to))
  for (const { passed, to } of invitees) {
    post(muc, makeMessage('normal', { from: room.jid, to, id: message.id, lang: message.lang },
      invitationTo(room, from.bare, passed)))
  }
}

/** Throws unless the sender may invite: an occupant, who in a members-only room may also add members (§9.5). */
function checkInviter (room: Room, from: Jid): void {
  if (!room.session(from) && !isAtLeast(room.affiliationOf(from), 'admin')) {
    throw new StanzaError('not-acceptable', 'you are not in this room')
  }
  if (room.isLocked) throw new StanzaError('item-not-found')
  if (room.isMembersOnly && !mayAdmit(room, from)) throw new StanzaError('forbidden')
}

function mayAdmit (room: Room, inviter: Jid): boolean {
  const affiliation = room.givenTo(inviter)
  return isAtLeast(affiliation, 'admin') || (affiliation === 'member' && room.get(allowInvites))
}

/** §7.8.2: throws where the invited account is known not to exist. */
async function checkInvitee ({ hosts, accounts }: Muc, { bare }: Jid): Promise<void> {
  if (!hosts.includes(bare.domain)) return
  if (bare.local === '' || !await accounts.exists(bare))
    throw new StanzaError('item-not-found', 'there is no such account')
}

/** Makes the recipient of an invitation to a members-only room a member. */
async function admit (muc: Muc, room: Room, { bare }: Jid, inviter: Jid): Promise<void> {
  if (!room.isMembersOnly || room.affiliationOf(bare) !== 'none') return
  const changes = [{ jid: bare, affiliation: 'member' as const }]
  await storeAffiliations(muc, room, changes)
  await announceChanges(muc, room, applyChanges(room, changes), room.session(inviter)?.occupant.nick)
}

/**
 * §7.8.2: tells the inviter that the invitation was declined, once each. A sender without an invitation learns nothing
 * about anybody.
 */
export async function decline (muc: Muc, room: Room, message: Message, x: Element, from: Jid): Promise<void> {
  if (room.affiliationOf(from) === 'outcast') throw new StanzaError('forbidden')
  const answer = x.getChild('decline', NS_MUC_USER)
  const passed = passedOn(answer, 'reason')
  const to = addresseeOf(answer)
  if (!await muc.invitations.take(room.jid, from.bare, to.bare)) {
    throw new StanzaError('item-not-found', 'there is no such invitation')
  }
  const sessions = room.occupantsOf(to).flatMap(inviter => inviter.sessions)
  const targets = sessions.length > 0 ? sessions.map(({ jid }) => jid) : [to.bare]
  const payload = el('x', NS_MUC_USER, {},
    el('decline', NS_MUC_USER, { from: from.bare.toString() }, passed))
  for (const target of targets) {
    post(muc, makeMessage('normal', { from: room.jid, to: target, id: message.id, lang: message.lang }, payload))
  }
}

/** Who is invited, or whose invitation is declined. */
function addresseeOf (child: Element | undefined): Jid {
  const text = child?.attrs['to']
  if (text === undefined) throw new StanzaError('bad-request', 'the "to" address is missing')
  return parseAddress(text)
}
