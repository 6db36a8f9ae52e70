/** XEP-0045 §10.1.3 and §16.5.3: the owner's configuration form, built from the options, and the submitted one. */
import type { Values } from '../../extension/room-option.ts'
import type { Affiliation } from '../../xmpp/muc.ts'
import type { Element } from '../../xml/element.ts'
import { checkAddressList } from '../../xmpp/addresses.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { form } from '../../xmpp/forms.ts'
import { Jid } from '../../xmpp/jid.ts'
import { checkOwners } from './admin-changes.ts'
import type { NewAffiliation } from './change-affiliations.ts'
import type { Muc } from '../context.ts'
import { ROOM_CONFIG } from '../ns.ts'
import type { Config } from '../room/room-options.ts'
import type { Room } from '../room/room.ts'

const OWNERS = 'muc#roomconfig_roomowners'
const ADMINS = 'muc#roomconfig_roomadmins'

/** What a form sets a room to. */
export interface Submitted { readonly config: Config, readonly affiliations: readonly NewAffiliation[] }

/** The form with the room's current values. */
export function configForm ({ options }: Muc, room: Room): Element {
  const listed = (affiliation: Affiliation): readonly string[] =>
    room.affiliations.listed(affiliation).map(({ jid }) => jid.toString())
  return form('form', ROOM_CONFIG, [
    ...options.fields(room.config),
    { name: ADMINS, values: listed('admin'), type: 'jid-multi', label: 'Admins' },
    { name: OWNERS, values: listed('owner'), type: 'jid-multi', label: 'Owners' },
  ], `Configuration of ${room.jid}`)
}

/** The changes that a submitted form makes; throws where one is not possible. */
export function readConfig (muc: Muc, room: Room, values: Values): Submitted {
  checkAddressList([...values.get(ADMINS) ?? [], ...values.get(OWNERS) ?? []])
  const affiliations = [...readList(room, 'admin', values.get(ADMINS)), ...readList(room, 'owner', values.get(OWNERS))]
  const byJid = new Map(affiliations.map(change => [change.jid.toString(), change]))
  // Who goes from one list to the other is taken off the one, and that is not all.
  for (const change of affiliations) if (change.affiliation !== 'member') byJid.set(change.jid.toString(), change)
  const changes = [...byJid.values()].filter(({ jid, affiliation }) =>
    room.affiliations.get(jid)?.affiliation !== affiliation
  )
  checkOwners(muc, room, changes)
  return { config: muc.options.parse(values, room.config), affiliations: changes }
}

/** §10.5: a list in the form is complete: users it does not have any more become members. */
function readList (
  room: Room,
  affiliation: 'admin' | 'owner',
  texts: readonly string[] | undefined,
): readonly NewAffiliation[] {
  if (!texts) return []
  const listed = texts.filter(text => text.trim() !== '').map(addressOf)
  const names = new Set(listed.map(String))
  const dropped = room.affiliations.listed(affiliation).filter(({ jid }) => !names.has(jid.toString()))
  return [
    ...dropped.map(({ jid }) => ({ jid, affiliation: 'member' as const })),
    ...listed.map(jid => ({ jid, affiliation })),
  ]
}

function addressOf (text: string): Jid {
  const jid = Jid.tryParse(text.trim())?.bare
  if (!jid?.local) throw new StanzaError('not-acceptable', 'the address of an account is needed')
  return jid
}
