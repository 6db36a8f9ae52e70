/** XEP-0045 §7.4: a message for all who are in: checked, kept, and sent to everybody as it came, under the sender's nick. */
import type { Stored } from '../extension/api.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import type { Message } from '../xmpp/stanza.ts'
import { stamp, withoutForgedIds } from '../xmpp/stanza-id.ts'
import { post } from './muc.ts'
import type { Muc } from './muc.ts'
import { NS_MUC_USER } from './ns.ts'
import type { Occupant, OccupantSession } from './occupant.ts'
import { hasVoice } from './role.ts'
import type { Room } from './room.ts'
import { checkSubject, isSubject, keepSubject } from './subject.ts'

/** A promise means: not handed over yet. Throws why the message goes nowhere. */
export function sendToAll (muc: Muc, room: Room, message: Message): void | Promise<void> {
  if (room.isLocked) throw new StanzaError('item-not-found') // §17.2
  const session = room.session(message.from)
  if (!session) throw new StanzaError('not-acceptable', 'only for occupants')
  const { occupant } = session
  const isForSubject = message.children.length > 0 && isSubject(message)
  if (isForSubject) checkSubject(room, occupant.role)
  else if (!hasVoice(occupant.role, room.isModerated)) throw new StanzaError('forbidden')
  checkRate(muc, room, session)
  const clean = withoutForgedIds(message.withoutPayload(isRoomsOwn), room.jid).withAddress(occupant.jid, room.jid)
  const verdict = muc.stages.guardInRoom(clean, room, occupant)
  if (verdict === 'drop') return
  if (verdict) throw verdict
  const rewritten = muc.stages.rewriteInRoom(clean, room, occupant)
  if (isForSubject) return keepSubject(muc, room, rewritten).then(() => store(muc, room, rewritten, occupant))
  return store(muc, room, rewritten, occupant)
}

/** What only the room says to its occupants. */
function isRoomsOwn ({ ns }: { readonly ns: string }): boolean {
  return ns === NS_MUC_USER
}

function checkRate ({ limits: { occupantMessages, roomMessages } }: Muc, room: Room, { occupant }: OccupantSession): void {
  const now = performance.now()
  if (!occupant.rate.take(occupantMessages, now) || !room.rate.take(roomMessages, now)) {
    throw new StanzaError('resource-constraint', 'too many messages')
  }
}

function store (muc: Muc, room: Room, message: Message, occupant: Occupant): void | Promise<void> {
  const stored = muc.stages.storeInRoom(message, room, occupant)
  if (stored?.isRepeat) return stored.committed
  return room.commits.inOrder(stored?.committed, () => spread(muc, room, message, occupant, stored))
}

function spread (muc: Muc, room: Room, kept: Message, occupant: Occupant, stored: Stored | undefined): void | Promise<void> {
  const message = stored ? stamp(kept, room.jid, stored.id) : kept
  muc.stages.fanOutInRoom(message, room, occupant)
  const finished = muc.stages.finishInRoom(message, room, occupant)
  if (finished.has('body', NS_CLIENT)) room.history.add(finished, Date.now(), room.jid, room.get(muc.options.historyLength))
  return broadcast(muc, room, finished)
}

/** Sends a message to all who are in. */
export function broadcast (muc: Muc, room: Room, message: Message): void | Promise<void> {
  const { from } = message
  return room.outbox.send(room.recipients, session => {
    if (session.isIn) post(muc, message.withAddress(from, session.jid))
  })
}
