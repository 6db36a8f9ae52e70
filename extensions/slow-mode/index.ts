/** XEP-0500: MUC Slow Mode. Users other than admins and owners must wait between two messages. */
import { extension, NS_CLIENT, StanzaError } from '../../src/extension/api.ts'
import type { Message, OccupantView, RoomView } from '../../src/extension/api.ts'

/** The longest wait that can be configured, in seconds. */
const MOST = 86_400

/** The time of each account's last message to a room, in milliseconds since 1970; the oldest first. */
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
      info: value => [
        { name: 'muc#roominfo_slow_mode_duration', values: [String(value)], type: 'text-single', label: 'Slow mode' },
      ],
    })
    host.when('room.forgotten', (room, account) => { rooms.get(room)?.delete(account.toString()) })
    host.on('room', 'guard', (message, room, occupant) => {
      const seconds = room.get(duration)
      if (seconds === 0 || !counts(message, occupant)) return
      // §8: by account, whatever the session and nick; by the replicated time where another node owned the room then.
      const last = rooms.get(room)?.get(occupant.account.toString()) ?? occupant.writtenAt
      if (last === undefined || Date.now() - last >= seconds * 1000) return
      return new StanzaError('policy-violation',
        `in this room you must wait ${seconds} seconds between two messages`, undefined, 'wait')
    })
    host.on('room', 'accepted', (message, room, occupant, committed) => {
      const seconds = room.get(duration)
      if (seconds === 0 || !counts(message, occupant)) return
      const written = rooms.get(room) ?? new Map<string, number>()
      rooms.set(room, written)
      const account = occupant.account.toString()
      const now = Date.now()
      forgetOld(written, now - seconds * 1000)
      written.set(account, now)
      host.rooms.setWrittenAt(occupant, now)
      committed?.catch(() => { // the sender gets an error, and may try again
        if (written.get(account) !== now) return
        written.delete(account)
        host.rooms.setWrittenAt(occupant, 0)
      })
    })
  },
})

/** §6: only messages with a body count, and none of admins and owners. */
function counts (message: Message, { affiliation }: OccupantView): boolean {
  if (affiliation === 'admin' || affiliation === 'owner') return false
  return message.type === 'groupchat' && message.has('body', NS_CLIENT)
}

function forgetOld (written: LastWritten, before: number): void {
  for (const [other, at] of written) {
    if (at > before) break
    written.delete(other)
  }
}
