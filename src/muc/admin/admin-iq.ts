/**
 * XEP-0045 §8 and §9: requests of moderators and admins (muc#admin): lists of affiliations and roles, and changes of
 * them.
 */
import type { Affiliation, OccupantRole } from '../../xmpp/muc.ts'
import type { ExtensionHost } from '../../extension/host.ts'
import type { IqRequest } from '../../extension/requests.ts'
import { visitorHandler } from '../visitor.ts'
import type { Visitor } from '../visitor.ts'
import { el } from '../../xml/element.ts'
import type { Element } from '../../xml/element.ts'
import { escapeAttribute, escapeText } from '../../xml/write.ts'
import { Written } from '../../xml/written.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { checkNewOwners, readChanges } from './admin-changes.ts'
import { affiliationOf, isAtLeast } from '../room/affiliation.ts'
import { applyChanges, announceChanges } from './change-affiliations.ts'
import { changeRoles } from './change-roles.ts'
import { storeAffiliations } from './persist.ts'
import type { Muc } from '../context.ts'
import { NS_MUC_ADMIN } from '../ns.ts'
import { roleOf } from '../room/role.ts'
import type { Standing } from '../room/role.ts'
import type { Room } from '../room/room.ts'

/** Answers muc#admin requests. */
export function registerAdminIq (host: ExtensionHost, muc: Muc): void {
  const route = { to: ['room'], name: 'query', ns: NS_MUC_ADMIN, isInTurn: true } as const
  host.iq({ ...route, type: 'get' }, visitorHandler((request, { room }) => list(room, request)))
  host.iq({ ...route, type: 'set' }, visitorHandler((request, visitor) => change(muc, request, visitor)))
}

function list (room: Room, { from, payload }: IqRequest): Element | Written {
  const { affiliation: named, role: roleName } = payload.getChild('item', NS_MUC_ADMIN)?.attrs ?? {}
  const actor = { affiliation: room.affiliationOf(from), role: room.roleOf(from) }
  const affiliation = affiliationOf(named)
  const role = roleOf(roleName)
  if (affiliation && affiliation !== 'none') return listAffiliation(room, from, affiliation)
  if (role && role !== 'none') return listRole(room, actor, role)
  throw new StanzaError('bad-request', 'the request must name a role or an affiliation')
}

/** Written as text: a list may be long, and an element tree would cost many times as much. */
function listAffiliation (room: Room, from: Jid, affiliation: Affiliation): Written {
  if (!room.mayList(from, affiliation)) throw new StanzaError('forbidden')
  let items = ''
  for (const { jid, nick, reason } of room.affiliations.listed(affiliation)) {
    const ofNick = nick === undefined ? '' : ` nick='${escapeAttribute(nick)}'`
    const tag = `<item affiliation='${affiliation}' jid='${jid.attribute}'${ofNick}`
    items += reason === undefined ? `${tag}/>` : `${tag}><reason>${escapeText(reason)}</reason></item>`
  }
  return Written.around(el('query', NS_MUC_ADMIN), items)
}

// §8.5 and §9.8.
function listRole (room: Room, actor: Standing, role: OccupantRole): Element {
  const mayList = actor.role === 'moderator' && (role !== 'moderator' || isAtLeast(actor.affiliation, 'admin'))
  if (!mayList) throw new StanzaError('forbidden')
  const occupants = [...room.occupants.values()].filter(occupant => occupant.role === role)
  return el('query', NS_MUC_ADMIN, {}, occupants.map(({ affiliation, nick, main }) =>
    el('item', NS_MUC_ADMIN, { affiliation, role, nick, jid: main?.jid.toString() })))
}

/** All items are valid, or nothing changes (§9.2). */
async function change (muc: Muc, { from, payload }: IqRequest, { room, afterwards }: Visitor): Promise<void> {
  const { roles, affiliations } = readChanges(muc, room, from, payload)
  await checkNewOwners(muc, affiliations)
  const actor = room.session(from)?.occupant.nick
  if (affiliations.length > 0) await storeAffiliations(muc, room, affiliations)
  const told = applyChanges(room, affiliations)
  const kicked = changeRoles(muc, room, roles, actor)
  afterwards(() => {
    kicked()
    return announceChanges(muc, room, told, actor, from)
  })
}
