/** XEP-0045 §10.2: a new configuration: stores it, and notifies or removes occupants. */
import { inBackground } from '../../util/background.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { STATUS } from '../../xmpp/room-status.ts'
import { message as makeMessage } from '../../xmpp/stanza.ts'
import { applyChanges, announceChanges } from './change-affiliations.ts'
import type { Submitted } from './config-form.ts'
import { storeConfig } from './persist.ts'
import { endIfEmpty, remove } from '../presence/leave.ts'
import { broadcast } from '../messages/message.ts'
import type { Muc } from '../context.ts'
import { NS_MUC_USER } from '../ns.ts'
import { announceVisibility, discloseAddress } from '../presence/occupant-presence.ts'
import { logging } from '../room/options/logging.ts'
import { presenceBroadcast } from '../room/options/presence-broadcast.ts'
import { whois } from '../room/options/whois.ts'
import { valueIn } from '../room/room-options.ts'
import type { Config } from '../room/room-options.ts'
import type { Room } from '../room/room.ts'
import { writeStatuses } from '../presence/user-payload.ts'

/** The configuration is stored and in force; the function that is returned notifies the occupants. */
export async function applyConfig (
  muc: Muc,
  room: Room,
  { config, affiliations }: Submitted,
  actor: Jid,
): Promise<() => Promise<void>> {
  await storeConfig(muc, room, config, affiliations)
  const before = room.config
  const wasLocked = room.isLocked
  room.config = config
  room.isLocked = false
  const told = applyChanges(room, affiliations)
  return async () => {
    for (const occupant of room.occupants.values()) occupant.touch()
    tellVisibility(muc, room, before)
    await announceChanges(muc, room, told, room.session(actor)?.occupant.nick)
    await removeStrangers(muc, room)
    tellOccupants(muc, room, before, wasLocked)
    await endIfEmpty(muc, room)
  }
}

/** Before everything else, which uses the new configuration. */
function tellVisibility (muc: Muc, room: Room, before: Config): void {
  const shown = valueIn(before, presenceBroadcast)
  for (const occupant of room.occupants.values()) {
    if (shown.includes(occupant.role) !== room.shows(occupant.role)) announceVisibility(muc, room, occupant)
  }
}

/** §10.2: non-members leave a room that has become members-only. */
function removeStrangers (muc: Muc, room: Room): void | Promise<void> {
  if (!room.isMembersOnly) return
  const strangers = [...room.occupants.values()].filter(({ affiliation }) => affiliation === 'none')
  return remove(muc, room, strangers.map(occupant => ({ occupant, cause: { statuses: [STATUS.nowMembersOnly] } })))
}

/** §10.2.1: the owner who configures a new room is notified too, where the configuration is not the default. */
function tellOccupants (muc: Muc, room: Room, before: Config, isNew: boolean): void {
  const codes: number[] = []
  if (room.get(logging) !== valueIn(before, logging))
    codes.push(room.get(logging) ? STATUS.logged : STATUS.loggedNoMore)
  if (room.get(whois) !== valueIn(before, whois))
    codes.push(room.isNonAnonymous ? STATUS.nowNonAnonymous : STATUS.nowSemiAnonymous)
  if (isNew && codes.length === 0) return
  const xml = `<x xmlns='${NS_MUC_USER}'>${writeStatuses(codes.length > 0 ? codes : [STATUS.configured])}</x>`
  const message = makeMessage('groupchat', { from: room.jid }).withWritten('x', NS_MUC_USER, xml)
  inBackground(muc.log, 'notice of a new room configuration', broadcast(muc, room, message))
  // Clients don't ask for addresses that they have not been told: presence has them, sent again now.
  if (codes.includes(STATUS.nowNonAnonymous)) {
    for (const occupant of room.occupants.values()) discloseAddress(muc, room, occupant)
  }
}
