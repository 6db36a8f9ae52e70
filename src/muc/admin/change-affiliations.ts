/**
 * Changes of affiliations (XEP-0045 §9.1, §9.3 to §9.5, §10.3 to §10.8): stores them, and notifies or removes
 * occupants.
 */
import type { Affiliation } from '../../xmpp/muc.ts'
import { el } from '../../xml/element.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { STATUS } from '../../xmpp/room-status.ts'
import { message as makeMessage } from '../../xmpp/stanza.ts'
import type { Affiliate } from '../room/affiliations.ts'
import { invitationTo } from '../messages/invitation-payload.ts'
import { endIfEmpty, remove } from '../presence/leave.ts'
import type { Removal } from '../presence/leave.ts'
import { post, postEach } from '../context.ts'
import type { Muc } from '../context.ts'
import { NS_MUC_USER } from '../ns.ts'
import type { Occupant } from '../room/occupant.ts'
import { broadcastPresence } from '../presence/occupant-presence.ts'
import { roleAfter } from '../room/role.ts'
import type { Room } from '../room/room.ts'
import { writeUserPayload } from '../presence/user-payload.ts'
import type { PresenceCause } from '../presence/user-payload.ts'

/** A requested affiliation. */
export interface NewAffiliation {
  /** Bare, or a domain. */
  readonly jid: Jid
  readonly affiliation: Affiliation
  /** Empty where it is given up; absent where it stays. */
  readonly nick?: string | undefined
  readonly reason?: string | undefined
  /** `self`: registered without approval; `request`: others approved a registration. */
  readonly by?: 'self' | 'request' | undefined
}

/** The entry of the room's lists after the change; undefined where it is removed. */
export function entryOf (room: Room, { jid, affiliation, nick, reason, by }: NewAffiliation): Affiliate | undefined {
  if (affiliation === 'none') return
  if (affiliation === 'outcast') return { jid, affiliation, reason } // §9.1: a banned user loses the reserved nick
  const before = room.affiliations.get(jid)
  const own = nick ?? before?.nick
  const wasAsked = before && before.affiliation !== 'outcast' ? !before.isUnasked : room.occupantsOf(jid).length > 0
  return {
    jid, affiliation, nick: own === '' ? undefined : own,
    isOwn: by === 'self' ? true : undefined, isUnasked: by || wasAsked ? undefined : true,
  }
}

/** Applies stored changes in memory. Pass the result to `announceChanges` to notify occupants. */
export function applyChanges (room: Room, changes: readonly NewAffiliation[]): readonly AppliedChange[] {
  const told = changes.map(change => ({ ...change, before: room.affiliationOf(change.jid) }))
  const entries = changes.map(change => entryOf(room, change))
  for (const { jid } of changes) room.affiliations.remove(jid)
  for (const entry of entries) if (entry) room.affiliations.set(entry)
  return told
}

/** A change, with the affiliation before it. */
export type AppliedChange = NewAffiliation & { readonly before: Affiliation }

/**
 * Notifies the occupants, and users who were added; `actor` is the nick of who made the change, `inviter` their
 * address.
 */
export async function announceChanges (
  muc: Muc,
  room: Room,
  told: readonly AppliedChange[],
  actor?: string,
  inviter?: Jid,
): Promise<void> {
  const fresh: AppliedChange[] = []
  for (const change of told) {
    const cause = { actor, reason: change.reason, extraXml: muc.stages.room.changed(change, room) }
    const occupants = change.jid.isDomain
      ? [...room.occupants.values()].filter(({ account }) => account.domain === change.jid.domain)
      : room.occupantsOf(change.jid)
    await remove(muc, room, occupants.flatMap(occupant => tellOccupants(muc, room, occupant, cause) ?? []))
    if (occupants.length === 0) tellOfAbsent(muc, room, change, cause)
    if (occupants.length === 0 && change.before === 'none' && change.affiliation === 'member') fresh.push(change)
  }
  if (inviter && room.isMembersOnly && fresh.length > 0) await inviteMembers(muc, room, fresh, inviter)
  await endIfEmpty(muc, room)
}

/** Notifies all of an occupant's affiliation; returns its removal where it may not stay. */
function tellOccupants (muc: Muc, room: Room, occupant: Occupant, cause: PresenceCause): Removal | undefined {
  const { affiliation: before, role } = occupant
  const after = room.affiliationOf(occupant.account)
  occupant.affiliation = after
  if (after === 'outcast') return { occupant, cause: { ...cause, statuses: [STATUS.banned] } }
  // §9.4: no presence in between.
  if (after === 'none' && room.isMembersOnly)
    return { occupant, cause: { ...cause, statuses: [STATUS.affiliationLost] } }
  if (after === before) return
  occupant.role = roleAfter(role, before, after, room.isModerated)
  broadcastPresence(muc, room, occupant, cause, role)
}

/** §10.3 and §10.6, for every affiliation: sent to those who may see real addresses. */
function tellOfAbsent (muc: Muc, room: Room, { jid, affiliation, before }: AppliedChange, cause: PresenceCause): void {
  if (affiliation === before) return
  const notice = makeMessage('groupchat', { from: room.jid })
    .withWritten('x', NS_MUC_USER, writeUserPayload({ affiliation, jid }, cause, false))
  postEach(muc, room, room.recipients, session =>
    session.isIn && room.seesAddresses(session.occupant) ? notice.copyFor(session.jid) : undefined)
}

/**
 * §9.5: once each until they answer, within the inviter's rate limit; beyond it they become members without an
 * invitation.
 */
async function inviteMembers (
  muc: Muc,
  room: Room,
  members: readonly AppliedChange[],
  { bare: inviter }: Jid,
): Promise<void> {
  const chosen = members.filter(() => muc.invitationRate.take(inviter.toString()) !== undefined)
  const invited = new Set((await muc.invitations.keep(room.jid, inviter, chosen.map(({ jid }) => jid))).map(String))
  for (const { jid, reason } of chosen) {
    if (!invited.has(jid.toString())) continue
    const written = reason === undefined ? [] : [el('reason', NS_MUC_USER, {}, reason)]
    post(muc, makeMessage('normal', { from: room.jid, to: jid }, invitationTo(room, inviter, written)))
  }
}
