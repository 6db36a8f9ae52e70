/** XEP-0045 §10.9: a room is destroyed: each occupant is notified once, with the alternate room. */
import { el } from '../../xml/element.ts'
import type { Element } from '../../xml/element.ts'
import { brief, briefTextIn } from '../../xmpp/reason.ts'
import { STATUS } from '../../xmpp/room-status.ts'
import { presence as makePresence } from '../../xmpp/stanza.ts'
import { postEach } from '../context.ts'
import type { Muc } from '../context.ts'
import { NS_MUC_OWNER, NS_MUC_USER } from '../ns.ts'
import type { Room } from '../room/room.ts'
import { writeUserPayload } from '../presence/user-payload.ts'
import type { PresenceCause } from '../presence/user-payload.ts'

/** The owner's reason and alternate room, as occupants get them. */
function destroyPayload (said: Element): Element {
  const ns = said.getNS() ?? NS_MUC_OWNER
  const texts = ['reason', 'password'].flatMap(name => {
    const text = briefTextIn(said, name, ns)
    return text === undefined ? [] : [el(name, NS_MUC_USER, {}, text)]
  })
  const { jid } = said.attrs
  return el('destroy', NS_MUC_USER, { jid: jid === undefined ? undefined : brief(jid) }, texts)
}

/** Ends the room and removes all occupants, without presence to the others. */
export async function destroy (muc: Muc, room: Room, said: Element): Promise<void> {
  await muc.end(room, destroyPayload(said).toString(NS_MUC_USER))
}

/** Removes all occupants; `destroyed` is `<destroy/>` as XML. Resolves when all that can be were notified. */
export async function tellDestroyed (muc: Muc, room: Room, destroyed: string): Promise<void> {
  await dismiss(muc, room, { extraXml: destroyed }).arrived
}

/** §11.2: removes all occupants because the server stops; the room remains. */
export function shutDown (muc: Muc, room: Room): void | Promise<void> {
  return dismiss(muc, room, { statuses: [STATUS.shutdown] }).sent
}

function dismiss (muc: Muc, room: Room, cause: PresenceCause): ReturnType<typeof postEach> {
  const payload = writeUserPayload({ affiliation: 'none', role: 'none' }, cause, true)
  const farewell = makePresence('unavailable', { from: room.jid }).withWritten('x', NS_MUC_USER, payload)
  const all = [...room.occupants.values()].flatMap(occupant => {
    const own = farewell.withAddress(occupant.jid, undefined)
    return room.leaveWhole(occupant).map(({ jid }) => ({ own, jid }))
  })
  return postEach(muc, room, all, ({ own, jid }) => own.copyFor(jid))
}
