/**
 * XEP-0313 §6.1.2: archives of rooms. A groupchat message is archived once, before it is delivered; users who may enter
 * may read it, and see real addresses only where they may. The history for new occupants comes from the archive, too.
 */
import {
  delay,
  el,
  escapeAttribute,
  Jid,
  NS_CLIENT,
  NS_MUC_USER,
  NS_STANZA_ID,
  stamp,
  StanzaError,
  storedStanza,
} from '../../src/extension/api.ts'
import type { ExtensionHost, Message, RoomView, RoomData, Stored } from '../../src/extension/api.ts'
import type { Archive } from './archive.ts'
import { peerKey, roomDrafter } from './draft.ts'
import { readPage } from './pages.ts'
import type { Kept } from './pages.ts'
import { answer, describeEnds, describeForm, fieldsOf, resultOf } from './query.ts'
import { NS, readQuery } from './request.ts'
import type { FilterOf } from './request.ts'
import { readBehind, removeArchive } from './store.ts'
import type { Writer } from './writer.ts'

/** The most messages that a loaded room reads for its history. */
const HISTORY = 250

export interface RoomArchiveParts {
  readonly writer: Writer
  readonly load: (owner: string) => Promise<Archive>
  /** Whether the text of messages can be searched by now, on that host. */
  readonly maySearch: (host: string) => boolean
}

/** Archives rooms' messages, and answers queries; returns the archives of the rooms that are in memory. */
export function keepRooms (host: ExtensionHost, parts: RoomArchiveParts): RoomData<Archive> {
  const { writer } = parts
  const archives = host.rooms.data((_db, room) => parts.load(room.toString()))
  const isKept = host.rooms.flag({
    name: 'muc#roomconfig_enablearchiving', label: 'Archive messages for all who may enter the room', initial: true,
    features: isOn => isOn ? [NS, `${NS}#extended`, NS_STANZA_ID] : [],
  })
  const draft = roomDrafter(message => host.messages.archiveWriterFor(message))
  host.on('room', 'isDuplicate', (message, room, { account }) => {
    if (!room.get(isKept) || !host.messages.roomPolicy(message).archive) return false
    return archives.of(room).find(draft(message, account).fingerprint) !== undefined
  })
  host.on('room', 'store', (message, room, sender): Stored | undefined => {
    if (!room.get(isKept) || !host.messages.roomPolicy(message).archive) return
    const archive = archives.of(room)
    archive.beginAfter(room.createdAt)
    return writer.keep(archive, draft(message, sender?.account ?? room.jid))
  })
  host.on('room', 'fanout', ({ archiveNumber = 0 }, room) => {
    const archive = archives.of(room)
    archive.handedOver = Math.max(archive.handedOver, Number(archiveNumber))
  })
  host.when('room.opened', room => remember(host, room, archives))
  host.when('room.beforeMove', room => archives.of(room).settled())
  host.when('room.movedAway', room => { writer.leave(archives.of(room)) })
  host.when('room.ended', async jid => {
    const archive = writer.active(jid.toString())
    if (archive) await writer.close(archive)
    await removeArchive(host.db, jid.toString())
  })
  answerVisitors(host, archives, parts)
  return archives
}

/**
 * XEP-0045 §7.2.13: the history from before the room was loaded, and messages of it that the previous owner may not
 * have sent to all.
 */
async function remember (host: ExtensionHost, room: RoomView, archives: RoomData<Archive>): Promise<void> {
  if (archives.of(room).isEmpty) return
  await host.rooms.recoverBroadcasts(room, archives.of(room).last, position => readUnspread(host, room, position))
  const { messages } = await readPage(
    host.db, room.jid.toString(), { first: 0, last: Number.MAX_SAFE_INTEGER }, {}, HISTORY, true)
  host.rooms.setHistory(room, messages.flatMap(({ seq, sentAt, stanza }) => {
    const message = stanza === '' ? undefined : storedStanza(stanza)
    if (message?.kind !== 'message' || !message.has('body', NS_CLIENT)) return []
    return { message: stamp(message, room, String(seq)).withPayload(delay(sentAt, room.jid.toString())), at: sentAt }
  }))
}

async function readUnspread (host: ExtensionHost, room: RoomView, since: number): Promise<readonly Message[]> {
  const rows = await readBehind(host.db, room.jid.toString(), since)
  return rows.flatMap(({ seq, stanza }) => {
    const message = storedStanza(stanza)
    return message.kind === 'message' ? stamp(message, room, String(seq)) : []
  })
}

/**
 * Sends what a room's archive has and its occupants were not sent: messages that were committed although we had
 * reported failure, and those that a former owner node committed after this one had read where the archive ends.
 */
export async function sendLate (host: ExtensionHost, archive: Archive): Promise<void> {
  const { owner, handedOver } = archive
  const rows = await readBehind(host.db, owner, handedOver)
  const room = rows.length > 0 ? await host.rooms.load(Jid.parse(owner)) : undefined
  if (!room) return
  for (const { seq, stanza, sentAt } of rows) {
    const message = storedStanza(stanza)
    if (message.kind === 'message') host.rooms.broadcastRecovered(room, message, String(seq), sentAt)
  }
}

function answerVisitors (host: ExtensionHost, archives: RoomData<Archive>, { maySearch }: RoomArchiveParts): void {
  const route = { to: ['room'], ns: NS } as const
  const extraFields = ({ jid }: RoomView): readonly string[] =>
    fieldsOf(maySearch(host.hosts[host.rooms.domains.indexOf(jid.domain)] ?? ''))

  host.iq({ ...route, type: 'get', name: 'query' }, ({ from }, { room }) => {
    checkReader(room, from)
    return describeForm(extraFields(room))
  })
  host.iq({ ...route, type: 'set', name: 'query' }, async ({ payload, from }, { room }) => {
    checkReader(room, from)
    if (payload.attrs.node !== undefined) throw new StanzaError('item-not-found', 'rooms have no nodes')
    const query = readQuery(payload, room.archiveIds, extraFields(room), authorIn(room, from))
    await archives.of(room).settled()
    const { messages, fin } = await host.readFor(from, db => answer(db, room, query))
    for (const kept of messages) host.messages.route(resultOf(asSeenBy(room, from, kept), query.id, room, from))
    return fin
  })
  host.iq({ ...route, type: 'get', name: 'metadata' }, async ({ from }, { room }) => {
    checkReader(room, from)
    await archives.of(room).settled()
    return host.readFor(from, db => describeEnds(db, room))
  })
}

/** §6.1.2: only for users with the right to enter. */
function checkReader (room: RoomView, from: Jid): void {
  if (!room.mayEnter(from)) throw new StanzaError('forbidden', 'the archive is for those who may enter the room')
}

function seesAddresses (room: RoomView, from: Jid): boolean {
  return room.isNonAnonymous || room.roleOf(from) === 'moderator'
}

/** §4.1.1: by nick, or by real address for users who may see it. */
function authorIn (room: RoomView, from: Jid): FilterOf {
  return author => {
    if (author.bare.equals(room.jid)) return author.isBare ? {} : { resource: escapeAttribute(author.toString()) }
    if (!seesAddresses(room, from)) {
      throw new StanzaError('forbidden', 'you do not see the addresses of this room')
    }
    return { peer: peerKey(author) }
  }
}

/** With the author's real address, for users who may see it. */
function asSeenBy (room: RoomView, from: Jid, kept: Kept): Kept {
  const { peer, stanza } = kept
  const closing = '</message>'
  // The key of an address that is too long has no @.
  if (!peer.includes('@') || peer === room.jid.toString() || !stanza.endsWith(closing) || !seesAddresses(room, from))
    return kept
  const item = el('item', NS_MUC_USER, { affiliation: room.affiliationOf(Jid.parse(peer)), jid: peer })
  return { ...kept, stanza: stanza.slice(0, -closing.length) + el('x', NS_MUC_USER, {}, item).toString() + closing }
}
