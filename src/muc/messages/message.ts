/**
 * XEP-0045 §7.4: a groupchat message: checked, archived, and sent unchanged to all occupants under the sender's nick.
 */
import { inBackground } from '../../util/background.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { NS_CLIENT } from '../../xmpp/ns.ts'
import type { Message } from '../../xmpp/stanza.ts'
import { stamp, withoutForgedIds } from '../../xmpp/stanza-id.ts'
import { post, postEach } from '../context.ts'
import type { Muc } from '../context.ts'
import { NS_MUC_USER } from '../ns.ts'
import type { Occupant, OccupantSession } from '../room/occupant.ts'
import { hasVoice } from '../room/role.ts'
import type { Room } from '../room/room.ts'
import { checkSubject, isSubject, keepSubject } from './subject.ts'

/** A promise means that it is not delivered yet. Throws where the message is refused. */
export function sendToAll (muc: Muc, room: Room, message: Message): void | Promise<void> {
  const session = room.session(message.from)
  if (!session) throw new StanzaError('not-acceptable', 'you are not in this room')
  const { occupant } = session
  const isForSubject = message.children.length > 0 && isSubject(message)
  if (isForSubject) checkSubject(room, occupant.role)
  else if (!hasVoice(occupant.role, room.isModerated)) throw new StanzaError('forbidden')
  const clean = withoutForgedIds(message.withoutPayload(isRoomsOwn), room.jid).withAddress(occupant.jid, room.jid)
  const rewritten = muc.stages.room.rewrite(clean, room, occupant)
  const isKnown = muc.stages.room.isDuplicate(rewritten, room, occupant)
  if (!isKnown) {
    checkRate(muc, occupant, room)
    const verdict = muc.stages.room.guard(clean, room, occupant)
    if (verdict === 'drop') return
    if (verdict) throw verdict
    if (muc.stages.room.consume(clean, room, occupant)) return
  }
  if (isForSubject && !isKnown)
    return keepSubject(muc, room, rewritten).then(() => store(muc, room, rewritten, session))
  return store(muc, room, rewritten, session)
}

/** A message of the room itself to all occupants: archived like theirs. */
export function sendFromRoom (muc: Muc, room: Room, message: Message): void | Promise<void> {
  return store(muc, room, message.withAddress(room.jid, room.jid))
}

/** Payloads that only the room may send. */
function isRoomsOwn ({ ns }: { readonly ns: string }): boolean {
  return ns === NS_MUC_USER
}

/** Throws where an occupant, or the whole room, exceeds the rate limit. */
export function checkRate ({ limits: { occupantMessages, roomMessages } }: Muc, occupant: Occupant, room?: Room): void {
  const now = performance.now()
  if (!occupant.rate.take(occupantMessages, now)) {
    throw new StanzaError('resource-constraint', 'you are sending too many messages: try again later')
  }
  if (room?.rate.take(roomMessages, now) === false) {
    throw new StanzaError('resource-constraint', 'the room is busy: try again later')
  }
}

function store (muc: Muc, room: Room, message: Message, session?: OccupantSession): void | Promise<void> {
  const stored = muc.stages.room.store(message, room, session?.occupant)
  if (session && !stored?.isRepeat) muc.stages.room.accepted(message, room, session.occupant, stored?.committed)
  let sent: void | Promise<void> = undefined
  const delivered = room.commits.afterCommit(stored?.committed, () => {
    const kept = stored ? stamp(message, room, stored.number) : message
    sent = stored?.isRepeat ? reflect(muc, room, kept, session) : deliverToAll(muc, room, kept, session?.occupant)
  })
  return delivered ? delivered.then(() => sent) : sent
}

/** A duplicate goes back to its sender only, who missed the reflection. */
function reflect (muc: Muc, room: Room, message: Message, session?: OccupantSession): void | Promise<void> {
  if (!session) return
  return room.sendQueue.send([session], ({ isIn, jid }) => isIn ? post(muc, message.withAddress(message.from, jid)) : 0)
}

function deliverToAll (
  muc: Muc, room: Room, message: Message, occupant: Occupant | undefined, at = Date.now(),
): void | Promise<void> {
  muc.stages.room.fanout(message, room, occupant)
  if (message.has('body', NS_CLIENT)) room.history.add(message, at, room.jid, room.get(muc.options.historyLength))
  return broadcast(muc, room, message)
}

/** Delivers a message that was committed although its sender had been told otherwise. */
export function broadcastRecovered (muc: Muc, room: Room, message: Message, number: string, at: number): void {
  room.history.forget([number]) // a room that was just loaded found it in its archive
  const task = 'broadcast of a recovered message'
  inBackground(muc.log, task, room.commits.afterCommit(undefined, () => {
    inBackground(muc.log, task, deliverToAll(muc, room, stamp(message, room, number).asRedelivery(), undefined, at))
  }))
}

/**
 * Sends a message to all occupants; where the room is replicated, records when it has reached all their owner nodes.
 */
export function broadcast (muc: Muc, room: Room, message: Message): void | Promise<void> {
  const { sent, arrived } = postEach(muc, room, room.recipients,
    session => session.isIn ? message.copyFor(session.jid) : undefined)
  if (message.archiveNumber !== undefined) room.noteBroadcast(message.archiveNumber, arrived)
  return sent
}
