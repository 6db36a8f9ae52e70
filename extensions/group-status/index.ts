/**
 * How many members of a group have got a message, or seen it: counted when a member asks, from how far each has got by
 * the word of his client (XEP-0184: Message Delivery Receipts, XEP-0333: Displayed Markers). See docs/groups.md.
 */
import { z } from 'zod'
import { el, extension, NS_CLIENT, StanzaError, Turns } from '../../src/extension/api.ts'
import type {
  Element, ExtensionHost, Message, MessageArchive, OccupantView, RoomView,
} from '../../src/extension/api.ts'
import { Positions } from './positions.ts'
import { countAt, removePosition, savePositions } from './store.ts'

const NS = 'urn:heliograph:group-status:0'
const NS_RECEIPTS = 'urn:xmpp:receipts'
const NS_MARKERS = 'urn:xmpp:chat-markers:0'
const SAVE_MS = 1000

export const groupStatus = extension({
  name: 'group-status',
  xeps: ['0184@1.4.0', '0333@1.0.0'],
  config: z.strictObject({
    /** In a room with more devices than that, markers and receipts go to nobody: the room counts them. */
    'pass-on-to': z.number().int().min(0).default(50),
  }).prefault({}),
  setup (host, { 'pass-on-to': most }) {
    const { archive } = host.messages
    if (!archive) return // nobody could ask by the id of a message
    const positions = new Positions()
    const saveAll = async (): Promise<void> => {
      const taken = positions.take()
      if (taken.length === 0) return
      try {
        await savePositions(host.db, taken)
      } catch (error) { // the database's: the next time, then
        positions.putBack(taken)
        throw error
      }
    }
    const turns = new Turns()
    // One at a time: when it is done, what others had begun to save is, too.
    const save = async (): Promise<void> => turns.inTurn(NS, saveAll)
    host.disco.feature(NS, 'room')
    host.on('room', 'consume', (message, room, sender) =>
      note(positions, archive, message, room, sender) && room.sessions.size > most && isNothingElse(message))
    host.every(SAVE_MS, save)
    host.when('room.beforeMove', save)
    host.when('room.forgotten', (room, account) => {
      positions.forget(room.jid.toString(), account.toString())
      return removePosition(host.db, room.jid.toString(), account.toString())
    })
    host.atShutdown(save)
    answer(host, archive, save)
  },
})

/** Whether the message says how far its sender has got: of a member that is remembered. */
function note (
  positions: Positions,
  archive: MessageArchive,
  message: Message,
  room: RoomView,
  { account, affiliation }: OccupantView,
): boolean {
  const displayed = idIn(message, 'displayed', NS_MARKERS)
  const delivered = displayed ?? idIn(message, 'received', NS_RECEIPTS)
  if (delivered === undefined) return false
  const number = room.archiveIds.decode(delivered)
  if (affiliation !== 'none' && number !== undefined && number <= archive.lastInRoom(room)) {
    positions.move(room.jid.toString(), account.toString(), number, displayed === undefined ? 0 : number)
  }
  return true
}

function idIn (message: Message, name: string, ns: string): string | undefined {
  return message.has(name, ns) ? message.attributesOf(name, ns)?.id ?? '' : undefined
}

function isNothingElse (message: Message): boolean {
  return !message.has('body', NS_CLIENT)
}

function answer (host: ExtensionHost, archive: MessageArchive, save: () => Promise<void>): void {
  host.iq(
    { type: 'get', to: ['room'], name: 'status', ns: NS },
    async ({ from, payload }, { room }): Promise<Element> => {
      if (!room.isMemberWithin(from)) throw new StanzaError('forbidden', 'only members may do this')
      const { id } = payload.attrs
      if (id === undefined) throw new StanzaError('bad-request', 'the request names no message')
      await save()
      const number = room.archiveIds.decode(id)
      const count = number === undefined
        ? undefined
        : await host.readFor(from, db => countAt(db, archive, room.jid.toString(), number))
      if (!count) throw new StanzaError('item-not-found', 'the archive has no message with this id')
      const { members, delivered, displayed } = count
      return el('status', NS, {
        id,
        members: String(members),
        delivered: String(delivered),
        displayed: String(displayed),
      })
    })
}
