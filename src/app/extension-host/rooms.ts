/** Rooms, as one extension reaches them. */
import type { RoomsFacet } from '../../extension/facets/rooms.ts'
import type { RoomOption } from '../../extension/room-option.ts'
import { roomsDomain } from '../../muc/context.ts'
import { flagOption, numberOption } from '../../muc/room/options/option.ts'
import type { Occupant } from '../../muc/room/occupant.ts'
import type { Room } from '../../muc/room/room.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { presence } from '../../xmpp/stanza.ts'
import type { Registration } from './registration.ts'

export function roomsFacet (registration: Registration): RoomsFacet {
  const { rooms, stages, archiveKeys, hosts } = registration.parts
  return {
    ...addedToRooms(registration),
    domains: hosts.map(roomsDomain),
    load: jid => rooms.room(jid),
    async archiveIds (room) {
      await archiveKeys.load()
      return archiveKeys.ofRoom(room.toString())
    },
    ...sentToAll,
    broadcast (room: Room, message) { rooms.broadcast(room, message) },
    broadcastRecovered (room: Room, message, number, at) { rooms.broadcastRecovered(room, message, number, at) },
    say: (room: Room, message) => rooms.say(room, message),
    setWrittenAt (occupant: Occupant, at) {
      occupant.writtenAt = at
      occupant.touch()
    },
    buildPresence: (room: Room, occupant: Occupant) =>
      stages.room.present(presence('available', { from: occupant.jid }), room, occupant),
    rebroadcastPresence (room: Room, occupant: Occupant) { rooms.rebroadcastPresence(room, occupant) },
    acceptMembership: (room: Room, account) => rooms.acceptMembership(room, account),
  }
}

/** The methods about messages to all occupants, which need no registration. */
const sentToAll: Pick<RoomsFacet, 'setHistory' | 'forgetHistory' | 'recoverBroadcasts' | 'sendInOrder'> = {
  setHistory ({ history }: Room, said) { history.replace(said) },
  forgetHistory ({ history }: Room, numbers) { history.forget(numbers) },
  async recoverBroadcasts (room: Room, last, readBehind) {
    if (room.broadcastUpTo === undefined) room.broadcastUpTo = last
    else room.missedBroadcasts = await readBehind(room.broadcastUpTo)
  },
  sendInOrder: ({ sendQueue }: Room, recipients, deliver) => sendQueue.send(recipients, deliver),
}

type AddedToRooms =
  Pick<RoomsFacet, 'data' | 'writeWithAffiliations' | 'flag' | 'number' | 'info' | 'command'>

/** The methods whose effect is undone when the extension is unloaded. */
function addedToRooms ({ name, parts: { rooms, db }, undo }: Registration): AddedToRooms {
  const add = <T>(option: RoomOption<T>): RoomOption<T> => {
    undo.push(rooms.options.add(option))
    return option
  }
  return {
    data (load) {
      const slot = { key: Symbol(name), load: (room: Jid) => load(db, room) }
      undo.push(rooms.addData(slot))
      return { of: (room: Room) => room.data(slot), set: (room: Room, value) => { room.setData(slot, value) } }
    },
    writeWithAffiliations (write) { undo.push(rooms.writeWithAffiliations(write)) },
    flag: flag => add(flagOption(flag)),
    number: number => add(numberOption(number)),
    info (facts) { undo.push(rooms.options.addFacts(facts)) },
    command (command) { undo.push(rooms.commands.add(command)) },
  }
}
