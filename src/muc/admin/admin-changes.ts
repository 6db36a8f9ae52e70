/** Parses and checks the items of a muc#admin request (XEP-0045 §8.2 to §8.5, §9, §10.3 to §10.8). */
import type { Element } from '../../xml/element.ts'
import { checkAddressList, parseAddress } from '../../xmpp/addresses.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { JidError } from '../../xmpp/jid.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { briefTextIn } from '../../xmpp/reason.ts'
import { affiliationOf, refuseAffiliation } from '../room/affiliation.ts'
import type { NewAffiliation } from './change-affiliations.ts'
import type { NewRole } from './change-roles.ts'
import type { Muc } from '../context.ts'
import { NS_MUC_ADMIN } from '../ns.ts'
import type { Occupant } from '../room/occupant.ts'
import { refuseRole, roleOf } from '../room/role.ts'
import type { Room } from '../room/room.ts'

/** The most items in one request. */
const MAX_ITEMS = 1000

export interface Changes { readonly roles: readonly NewRole[], readonly affiliations: readonly NewAffiliation[] }

/** All changes of the request; throws where one of them is not allowed. */
export function readChanges (muc: Muc, room: Room, actor: Jid, query: Element): Changes {
  const items = query.getChildren('item', NS_MUC_ADMIN)
  if (items.length === 0) throw new StanzaError('bad-request', 'the request contains no change')
  if (items.length > MAX_ITEMS) throw new StanzaError('policy-violation', 'too many changes in one request')
  checkAddressList(items.flatMap(item => item.attrs['jid'] ?? []))
  const roles = new Map<Occupant, NewRole>()
  const affiliations = new Map<string, NewAffiliation>()
  for (const item of items) {
    const { role, affiliation } = item.attrs
    if (role !== undefined && affiliation !== undefined) {
      throw new StanzaError('bad-request', 'each change must have either a role or an affiliation') // §17.4
    }
    if (affiliation !== undefined) {
      const change = readAffiliation(room, actor, item)
      affiliations.set(change.jid.toString(), change)
    } else {
      const change = readRole(room, actor, item)
      roles.set(change.occupant, change)
    }
  }
  checkOwners(muc, room, [...affiliations.values()])
  return { roles: [...roles.values()], affiliations: [...affiliations.values()] }
}

function readRole (room: Room, from: Jid, item: Element): NewRole {
  const { role: name, nick } = item.attrs
  const role = roleOf(name)
  if (!role || nick === undefined) throw new StanzaError('bad-request', 'a change of role needs a nickname and a role')
  const actor = { affiliation: room.givenTo(from), role: room.roleOf(from) }
  if (actor.role !== 'moderator') throw new StanzaError('forbidden')
  const occupant = room.occupant(nick)
  if (!occupant) throw new StanzaError('item-not-found')
  const refusal = occupant.role === role
    ? undefined
    : refuseRole(actor, { role: occupant.role, affiliation: room.givenTo(occupant.account) }, role)
  if (refusal) throw new StanzaError(refusal)
  return { occupant, role, reason: briefTextIn(item, 'reason', NS_MUC_ADMIN) }
}

function readAffiliation (room: Room, from: Jid, item: Element): NewAffiliation {
  const { affiliation: name, jid: address, nick } = item.attrs
  const affiliation = affiliationOf(name)
  if (!affiliation) throw new StanzaError('bad-request', 'there is no such affiliation')
  const jid = accountOf(room, address, nick)
  if (affiliation !== 'outcast' && affiliation !== 'none' && jid.local === '') {
    throw new StanzaError('not-acceptable', 'a domain can be banned, but cannot have other affiliations')
  }
  const before = room.affiliationOf(jid)
  if (affiliation === 'outcast' && jid.equals(from.bare)) throw new StanzaError('conflict') // §9.1
  const refusal = refuseAffiliation(room.affiliationOf(from), before, affiliation)
  if (refusal) throw new StanzaError(refusal)
  return {
    jid,
    affiliation,
    nick: address === undefined ? undefined : nickOf(room, nick),
    reason: briefTextIn(item, 'reason', NS_MUC_ADMIN),
  }
}

/** §10.3: an item may name an occupant by the nick alone. */
function accountOf (room: Room, address: string | undefined, nick: string | undefined): Jid {
  if (address !== undefined) return parseAddress(address).bare
  if (nick === undefined) throw new StanzaError('bad-request', 'a change of affiliation needs an address')
  const occupant = room.occupant(nick)
  if (!occupant) throw new StanzaError('item-not-found')
  return occupant.account
}

/** §10.4: at least one owner remains, and one with an account here, where there was one. */
export function checkOwners ({ hosts }: Muc, room: Room, changes: readonly NewAffiliation[]): void {
  const before = room.affiliations.listed('owner').map(({ jid }) => jid)
  const owners = new Map(before.map(jid => [jid.toString(), jid]))
  for (const { jid, affiliation } of changes) {
    if (affiliation === 'owner') owners.set(jid.toString(), jid)
    else owners.delete(jid.toString())
  }
  const isLocal = (jid: Jid): boolean => hosts.includes(jid.domain)
  const isOwnerless = owners.size === 0 || (before.some(isLocal) && ![...owners.values()].some(isLocal))
  if (isOwnerless) throw new StanzaError('conflict', 'a room must have an owner')
}

/** Throws item-not-found where a new owner's account does not exist, or is anonymous. */
export async function checkNewOwners ({ hosts, accounts }: Muc, changes: readonly NewAffiliation[]): Promise<void> {
  for (const { jid, affiliation } of changes) {
    if (affiliation !== 'owner' || !hosts.includes(jid.domain) || await accounts.isPersistent(jid)) continue
    throw new StanzaError('item-not-found', 'there is no such account')
  }
}

/** The nick in the form that is compared; empty where it is given up. */
export function nickOf (room: Room, text: string | undefined): string | undefined {
  if (text === undefined || text === '') return text
  try {
    return room.jid.withResource(text).resource
  } catch (error) {
    if (error instanceof JidError) throw new StanzaError('jid-malformed')
    throw error
  }
}
