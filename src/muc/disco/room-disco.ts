/**
 * Service discovery (XEP-0045 §6.3 to §6.6 and §7.12): public rooms, a room's features and occupants, a reserved nick.
 */
import { visitorHandler } from '../visitor.ts'
import type { ExtensionHost } from '../../extension/host.ts'
import type { IqRequest } from '../../extension/requests.ts'
import { NS_COMMANDS } from '../../routing/commands.ts'
import type { Disco } from '../../routing/disco.ts'
import { el } from '../../xml/element.ts'
import type { Element } from '../../xml/element.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { form } from '../../xmpp/forms.ts'
import type { Field } from '../../xmpp/forms.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Muc } from '../context.ts'
import { NS_MUC, REGISTRATION, ROOM_CONFIG, ROOM_INFO } from '../ns.ts'
import { publicList } from '../room/options/public-list.ts'
import { publicRoom } from '../room/options/public-room.ts'
import { roomName } from '../room/options/room-name.ts'
import type { RoomCommands } from './room-commands.ts'
import type { Room } from '../room/room.ts'
import { subjectText } from '../messages/subject.ts'

const NS_INFO = 'http://jabber.org/protocol/disco#info'
const NS_ITEMS = 'http://jabber.org/protocol/disco#items'
const NS_RSM = 'http://jabber.org/protocol/rsm'
/** §7.12. */
const OWN_NICK = 'x-roomuser-item'
/** Rooms in one answer. */
const PAGE = 200

/** Answers queries about rooms. */
export function registerRoomDisco (host: ExtensionHost, disco: Disco, muc: Muc, commands: RoomCommands): void {
  for (const feature of [NS_MUC, `${NS_MUC}#stable_id`, REGISTRATION, ROOM_CONFIG, ROOM_INFO]) { // §16.3
    host.disco.feature(feature, 'rooms')
    host.disco.feature(feature, 'room')
  }
  host.disco.feature('http://jabber.org/protocol/muc#self-ping-optimization', 'room') // XEP-0410 §3.3
  host.disco.feature(NS_RSM, 'rooms')
  const info = { type: 'get', name: 'query', ns: NS_INFO } as const
  const items = { type: 'get', name: 'query', ns: NS_ITEMS } as const
  host.iq({ ...items, to: ['rooms'] }, request => listRooms(muc, request))
  host.iq({ ...info, to: ['room'] }, visitorHandler((request, { room }) => {
    const { node } = request.payload.attrs
    if (node === OWN_NICK) return ownNick(room, request.from)
    const ofCommand = node === undefined ? undefined : commands.info(node)
    if (ofCommand) return ofCommand
    if (node !== undefined) throw new StanzaError('item-not-found')
    return describe(disco, muc, room, request.from)
  }))
  host.iq({ ...items, to: ['room'] }, visitorHandler((request, visitor) => {
    const { node } = request.payload.attrs
    if (node === NS_COMMANDS) return commands.items(visitor.room.jid.toString())
    if (node !== undefined) throw new StanzaError('item-not-found')
    return listOccupants(visitor.room)
  }))
}

function describe (disco: Disco, { options }: Muc, room: Room, from: Jid): Element {
  // §14.4: activity of a room that is not public is for its members.
  const mayKnow = room.get(publicRoom) || room.isInsider(from)
  const live: readonly Field[] = mayKnow ? [
    { name: 'muc#roominfo_subject', values: [subjectText(room)], type: 'text-single', label: 'Subject' },
    {
      name: 'muc#roominfo_occupants',
      values: [String(room.occupants.size)],
      type: 'text-single',
      label: 'Number of occupants',
    },
  ] : []
  return disco.describeRoom(
    { category: 'conference', type: 'text', name: room.get(roomName) || room.jid.local },
    options.features(room.config),
    [form('result', ROOM_INFO, [...options.info(room), ...contacts(room, from), ...live])])
}

/** §16.5.4: the owners, for those who may see real addresses. */
function contacts (room: Room, from: Jid): readonly Field[] {
  if (!room.mayList(from, 'owner')) return []
  const values = room.affiliations.listed('owner').map(({ jid }) => jid.toString())
  return [{ name: 'muc#roominfo_contactjid', values, type: 'jid-multi', label: 'Owners' }]
}

function ownNick (room: Room, from: Jid): Element {
  const name = room.affiliations.get(from)?.nick
  return el('query', NS_INFO, { node: OWN_NICK },
    name === undefined ? undefined : el('identity', NS_INFO, { category: 'conference', type: 'text', name }))
}

function listOccupants (room: Room): Element {
  const shown = room.get(publicList) ? [...room.occupants.values()].filter(({ role }) => room.shows(role)) : []
  return el('query', NS_ITEMS, {}, shown.map(({ jid }) => el('item', NS_ITEMS, { jid: jid.toString() })))
}

/** §6.3: a page of the list; XEP-0059, forwards only. */
async function listRooms ({ store }: Muc, { to, payload }: IqRequest): Promise<Element> {
  if (payload.attrs['node'] !== undefined) throw new StanzaError('item-not-found')
  const set = payload.getChild('set', NS_RSM)
  const max = set?.getChildText('max', NS_RSM) ?? String(PAGE)
  if (!/^\d{1,9}$/.test(max)) throw new StanzaError('bad-request', 'the page size must be a number')
  const most = Math.min(PAGE, Number(max))
  const after = set?.getChildText('after', NS_RSM) ?? ''
  const rooms = await store.listPublic(to.domain, after, most + 1)
  const page = rooms.slice(0, most)
  const isPart = set !== undefined || rooms.length > page.length
  return el('query', NS_ITEMS, {},
    page.map(({ jid, name }) => el('item', NS_ITEMS, { jid, name: name || jid.slice(0, jid.indexOf('@')) })),
    isPart ? pageMark(page) : undefined)
}

// XEP-0059 §2.2.
function pageMark (page: readonly { readonly jid: string }[]): Element {
  const [first, last] = [page.at(0), page.at(-1)]
  return el('set', NS_RSM, {},
    first && el('first', NS_RSM, {}, first.jid), last && el('last', NS_RSM, {}, last.jid))
}
