/**
 * XEP-0425: Moderated Message Retraction. The room retracts a message at a moderator's request, in its own name; in the
 * archive it becomes a tombstone, as by any retraction (XEP-0424).
 */
import { briefTextIn, el, extension, message, randomId, StanzaError, storedStanza } from '../../src/extension/api.ts'
import type {
  Database, Element, ExtensionHost, IqRequest, MessageArchive, RoomView, RoomVisitor, Stanza,
} from '../../src/extension/api.ts'

const NS = 'urn:xmpp:message-moderate:1'
const NS_RETRACT = 'urn:xmpp:message-retract:1'
const NS_OCCUPANT_ID = 'urn:xmpp:occupant-id:0'

export const moderation = extension({
  name: 'moderation',
  xeps: ['0425@0.3.0'],
  setup (host) {
    host.disco.feature(NS, 'room')
    host.iq({ type: 'set', to: ['room'], name: 'moderate', ns: NS }, async (request, visitor) => {
      await retract(host, request, visitor)
    })
  },
})

async function retract (host: ExtensionHost, { payload, from }: IqRequest, visitor: RoomVisitor): Promise<void> {
  const { room } = visitor
  // §3.2: admins need not be occupants.
  if (room.roleOf(from) !== 'moderator') throw new StanzaError('forbidden', 'only moderators may do this')
  const { id } = payload.attrs
  if (id === undefined || !payload.getChild('retract', NS_RETRACT)) {
    throw new StanzaError('bad-request', 'the request names no message')
  }
  const number = room.archiveIds.decode(id)
  // Only messages that occupants have sent, and that are not retracted yet.
  const said = number === undefined
    ? undefined
    : await host.readFor(from, db => readSaid(host.messages.archive, db, room, number))
  if (!said || isTombstone(said)) throw new StanzaError('item-not-found')
  const reason = briefTextIn(payload, 'reason', NS)
  await host.rooms.say(room, message('groupchat', { from: room.jid, id: randomId() },
    el('retract', NS_RETRACT, { id }, moderated(host, room, visitor),
      reason === undefined ? undefined : el('reason', NS_RETRACT, {}, reason))))
}

async function readSaid (
  archive: MessageArchive | undefined, db: Database, { jid }: RoomView, number: number,
): Promise<Stanza | undefined> {
  const [found] = await archive?.read(db, jid.toString(), [number]) ?? []
  return found && found.stanza !== '' && found.peer !== jid.toString() ? storedStanza(found.stanza) : undefined
}

/** §3.1: the moderator, as other occupants know the occupant. */
function moderated (host: ExtensionHost, room: RoomView, { occupant }: RoomVisitor): Element {
  const occupantId = occupant && host.rooms.buildPresence(room, occupant).payload('occupant-id', NS_OCCUPANT_ID)
  return el('moderated', NS, { by: (occupant?.jid ?? room.jid).toString() }, occupantId)
}

/** A tombstone has no other content, which distinguishes it from a forged one. */
function isTombstone (stanza: Stanza): boolean {
  return stanza.has('retracted', NS_RETRACT) &&
    stanza.children.every(({ ns }) => ns === NS_RETRACT || ns === NS_OCCUPANT_ID)
}
