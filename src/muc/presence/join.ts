/** XEP-0045 §7.2: entering a room: the checks, and what the new occupant is sent, in the order of §7.1. */
import type { Affiliation } from '../../xmpp/muc.ts'
import type { Element } from '../../xml/element.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { STATUS } from '../../xmpp/room-status.ts'
import type { Presence } from '../../xmpp/stanza.ts'
import { isAtLeast } from '../room/affiliation.ts'
import { refuseVisitor } from '../room/entry.ts'
import { chooseHistory, isUnlimited, readLimits } from '../room/history.ts'
import type { HistoryLimits } from '../room/history.ts'
import { acceptFirst } from '../admin/persist.ts'
import { postEach } from '../context.ts'
import type { Muc, Received } from '../context.ts'
import { NS_MUC } from '../ns.ts'
import { Occupant } from '../room/occupant.ts'
import type { OccupantSession } from '../room/occupant.ts'
import { broadcastPresence, announceSelf, cleaned, sendOccupants } from './occupant-presence.ts'
import { logging } from '../room/options/logging.ts'
import { password } from '../room/options/password.ts'
import { defaultRole } from '../room/role.ts'
import type { Room } from '../room/room.ts'
import { subjectFor } from '../messages/subject.ts'

/**
 * In the room's turn: lets a session in as `nick`, or throws. `handedOver` resolves when the new occupant has been sent
 * everything.
 */
export function join (
  muc: Muc, room: Room, presence: Presence, from: Jid, nick: Jid, life: string,
): Received | Promise<Received> {
  const affiliation = room.affiliationOf(from)
  const request = presence.payload('x', NS_MUC)
  const refusal = refuseVisitor(room, from, request?.getChildText('password', NS_MUC) === room.get(password))
  if (refusal) throw new StanzaError(refusal)
  checkNick(room, from, nick)
  checkSize(muc, room, affiliation, nick)
  return acceptFirst(muc, room, from, () => {
    const occupant = room.occupant(nick.resource) ??
      new Occupant(nick, from.bare, affiliation, defaultRole(room.givenTo(from), room.isModerated), life)
    const session = room.enter(occupant, from, cleaned(presence))
    const limits = readLimits(request?.getChild('history', NS_MUC), Date.now())
    const handedOver = welcome(muc, room, session, request, limits)
    announceNewcomer(muc, room, session)
    return { handedOver }
  })
}

/**
 * §7.2.8, §7.6 and §17.1: throws unless the nick is free or the sender's own; nicks that look alike count as the same
 * (RFC 8266).
 */
export function checkNick (room: Room, { bare }: Jid, { resource: nick }: Jid): void {
  if (nick.trim() === '') throw new StanzaError('jid-malformed', 'the nickname must contain a visible character')
  const holder = (room.occupant(nick) ?? room.lookalike(nick))?.account
  const owner = room.affiliations.get(bare)?.nick === nick ? bare : room.affiliations.ownerOfNick(nick)?.jid
  if ([holder, owner].some(jid => jid && !jid.equals(bare))) {
    throw new StanzaError('conflict', 'this nickname is in use, or looks like one in use')
  }
}

// §7.2.9: admins and owners may also enter a room that is full, as long as the service lets anybody.
function checkSize ({ limits, options }: Muc, room: Room, affiliation: Affiliation, { resource: nick }: Jid): void {
  const isFull = room.occupants.size >= room.get(options.maxUsers) && !room.occupant(nick) &&
    !isAtLeast(affiliation, 'admin')
  if (isFull || room.sessions.size >= limits.occupants)
    throw new StanzaError('service-unavailable', 'the room is full', undefined, 'wait')
}

/** §7.1: occupants, self-presence, history, subject. A promise until the session's owner node has them. */
export function welcome (
  muc: Muc, room: Room, session: OccupantSession, request: Element | undefined, limits: HistoryLimits,
): Promise<unknown> | undefined {
  muc.stages.room.entered(request, room, session)
  const extraXml = muc.stages.room.welcome(room, session)
  sendOccupants(muc, room, session)
  announceSelf(muc, room, session, { extraXml, statuses: [
    ...room.isNonAnonymous ? [STATUS.nonAnonymous] : [], ...room.get(logging) ? [STATUS.logged] : [],
    ...room.isLocked ? [STATUS.created] : []] }) // §10.1.1: its owner has to configure it
  const { jid } = session
  const asked = limits.messages ?? (isUnlimited(limits) ? room.get(muc.options.defaultHistory) : Infinity)
  const most = Math.min(asked, room.get(muc.options.historyLength))
  const said = chooseHistory(room.history.said, { ...limits, messages: most })
  postEach(muc, room, said, ({ message }) => session.isIn ? message.copyFor(jid) : undefined)
  return postEach(muc, room, [subjectFor(room)], subject => subject.withAddress(subject.from, jid)).arrived
}

/** Notifies the others, unless nothing changes for them: a second session of an occupant. */
function announceNewcomer (muc: Muc, room: Room, session: OccupantSession): void {
  if (session.occupant.main === session)
    broadcastPresence(muc, room, session.occupant, {}, session.occupant.role, session)
}
