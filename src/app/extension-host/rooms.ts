import type { RoomsFacet } from '../../extension/facets/rooms.ts'
import { roomsDomain } from '../../muc/context.ts'
import { flagOption, numberOption } from '../../muc/room/options/option.ts'
import type { RoomOption } from '../../muc/room/options/option.ts'
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
    broadcast (room, message) { rooms.broadcast(room, message) },
    broadcastRecovered (room, message, id, at) { rooms.spreadLate(room, message, id, at) },
    say: (room, message) => rooms.announce(room, message),
    noteHeard (session, message) { session.acceptRoomMessage(message, archiveKeys) },
    buildPresence: (room, occupant) =>
      stages.room.present(presence('available', { from: occupant.jid }), room, occupant),
    rebroadcastPresence (room, occupant) { rooms.represent(room, occupant) },
    acceptMembership: (room, account) => rooms.accept(room, account),
  }
}

type AddedToRooms = Pick<RoomsFacet, 'data' | 'writeWithAffiliations' | 'option' | 'flag' | 'number' | 'info' | 'command'>

/** What goes when the extension is unloaded. */
function addedToRooms ({ name, parts: { rooms, db }, undo }: Registration): AddedToRooms {
  const add = <T>(option: RoomOption<T>): RoomOption<T> => {
    undo.push(rooms.options.add(option))
    return option
  }
  return {
    data (load) {
      const slot = { key: Symbol(name), load: (room: Jid) => load(db, room) }
      undo.push(rooms.addData(slot))
      return { of: room => room.data(slot), set: (room, value) => { room.setData(slot, value) } }
    },
    writeWithAffiliations (write) { undo.push(rooms.keepWithAffiliations(write)) },
    option (option) { add(option) },
    flag: flag => add(flagOption(flag)),
    number: number => add(numberOption(number)),
    info (facts) { undo.push(rooms.options.addFacts(facts)) },
    command (command) { undo.push(rooms.commands.add(command)) },
  }
}
