/** XEP-0500: MUC Slow Mode. Where the owner says so, everybody waits between two messages; admins and owners do not. */
import { extension, NS_CLIENT, StanzaError } from '../../src/extension/api.ts'
import type { RoomView } from '../../src/extension/api.ts'

/** What a room can be set to at most, in seconds. */
const MOST = 86_400

/** When each account last wrote to a room, in milliseconds since 1970, the longest ago first. */
type LastWritten = Map<string, number>

export const slowMode = extension({
  name: 'slow-mode',
  xeps: ['0500@0.1.1'],
  setup (host) {
    const rooms = new WeakMap<RoomView, LastWritten>()
    const duration = host.rooms.number({
      name: 'muc#roomconfig_slow_mode_duration', // §5.1
      label: 'Seconds that everybody waits between two messages; 0: none',
      initial: 0,
      least: 0,
      most: MOST,
      // §5.2
      info: value => [{ name: 'muc#roominfo_slow_mode_duration', values: [String(value)], type: 'text-single', label: 'Slow mode' }],
    })
    host.when('room.forgotten', (room, account) => { rooms.get(room)?.delete(account.toString()) })
    host.on('room', 'guard', (message, room, occupant) => {
      const seconds = room.get(duration)
      const { account, affiliation } = occupant
      // §6: what has no text does not count, and admins and owners are free.
      if (seconds === 0 || message.type !== 'groupchat' || !message.has('body', NS_CLIENT)) return
      if (affiliation === 'admin' || affiliation === 'owner') return
      const written = rooms.get(room) ?? new Map<string, number>()
      rooms.set(room, written)
      const now = Date.now()
      forgetOld(written, now - seconds * 1000)
      // §8: by account, whichever device and nick it is; by the occupant where the room was at home elsewhere then.
      const last = written.get(account.toString()) ?? occupant.writtenAt
      if (last !== undefined && now - last < seconds * 1000) {
        return new StanzaError('policy-violation',
          `in this room you must wait ${seconds} seconds between two messages`, undefined, 'wait')
      }
      written.set(account.toString(), now)
      host.rooms.setWrittenAt(occupant, now)
    })
  },
})

function forgetOld (written: LastWritten, before: number): void {
  for (const [other, at] of written) {
    if (at > before) break
    written.delete(other)
  }
}
