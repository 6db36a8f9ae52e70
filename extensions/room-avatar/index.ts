/**
 * XEP-0486: MUC Avatars. An owner gives a room a vCard (XEP-0054: vcard-temp) with its picture in it; everybody may
 * read it, and service discovery tells by the hashes whether it has changed.
 */
import { createHash } from 'node:crypto'
import { el, extension, message, NS_MUC_USER, StanzaError, Written } from '../../src/extension/api.ts'
import type { Element, ExtensionHost, IqRequest, Jid, RoomView, RoomData } from '../../src/extension/api.ts'
import { loadHashes, readVcard, removeVcard, saveVcard } from './store.ts'

const NS = 'vcard-temp'

export const roomAvatar = extension({
  name: 'room-avatar',
  xeps: ['0486@0.1.0', '0054@1.3.0'],
  setup (host) {
    const hashes = host.rooms.data(loadHashes)
    host.disco.feature(NS, 'rooms') // §3.1
    host.disco.feature(NS, 'room')
    // §3.3
    host.rooms.info(room => hashes.of(room).length === 0 ? []
      : [{ name: 'muc#roominfo_avatarhash', values: hashes.of(room), type: 'text-multi', label: 'Avatar hash' }])
    host.iq({ type: 'get', to: ['room'], name: 'vCard', ns: NS }, async ({ from }, { room }) =>
      await vcardOf(host, from, room.jid) ?? el('vCard', NS))
    host.iq({ type: 'set', to: ['room'], name: 'vCard', ns: NS }, (request, { room }) => {
      if (room.affiliationOf(request.from) !== 'owner') throw new StanzaError('forbidden') // §3.2
      if (room.isLocked) throw new StanzaError('unexpected-request', 'the room has not been configured yet')
      return publish(host, hashes, room, request)
    })
  },
})

async function publish (
  host: ExtensionHost, hashes: RoomData<readonly string[]>, room: RoomView, { payload: vcard, written }: IqRequest,
): Promise<void> {
  const found = hashesIn(vcard)
  // §3.2: an empty one takes away the one before.
  if (vcard.getChildElements().length === 0) await removeVcard(host.db, room.jid)
  else await saveVcard(host.db, room.jid, written.xml, found)
  hashes.set(room, found)
  // §3.2, and XEP-0045 §10.2.1.
  host.rooms.broadcast(
    room,
    message('groupchat', { from: room.jid }, el('x', NS_MUC_USER, {}, el('status', NS_MUC_USER, { code: '104' }))),
  )
}

/** XEP-0153 §3.1: the SHA-1 of each picture (§5.1). */
function hashesIn (vcard: Element): readonly string[] {
  return vcard.getChildren('PHOTO', NS).flatMap(photo => {
    const data = photo.getChildText('BINVAL', NS)?.trim() ?? ''
    return data === '' ? [] : createHash('sha1').update(Buffer.from(data, 'base64')).digest('hex')
  })
}

async function vcardOf (host: ExtensionHost, asker: Jid, room: Jid): Promise<Written | undefined> {
  const xml = await host.readFor(asker, db => readVcard(db, room))
  return xml === undefined ? undefined : Written.kept('vCard', NS, xml)
}
