/** XEP-0500: MUC Slow Mode. Where the owner says so, everybody waits between two messages; admins and owners do not. */
import { extension, StanzaError } from '../../src/extension/api.ts'
import type { Room } from '../../src/extension/api.ts'

/** What a room can be set to at most, in seconds. */
const MOST = 86_400

/** When each account last wrote to a room, the longest ago first. */
type LastWritten = Map<string, number>

export const slowMode = extension({
  name: 'slow-mode',
  xeps: ['0500@0.1.1'],
  setup (host) {
    const rooms = new WeakMap<Room, LastWritten>()
    const duration = host.roomNumber({
      name: 'muc#roomconfig_slow_mode_duration', // §5.1
      label: 'Seconds that everybody waits between two messages; 0: none',
      initial: 0,
      least: 0,
      most: MOST,
      // §5.2
      info: value => [{ name: 'muc#roominfo_slow_mode_duration', values: [String(value)], type: 'text-single', label: 'Slow mode' }],
    })
    host.on('room', 'guard', (message, room, { account, affiliation }) => {
      const seconds = room.get(duration)
      // §6: what has no text does not count, and admins and owners are free.
      if (seconds === 0 || message.type !== 'groupchat' || !message.has('body', 'jabber:client')) return
      if (affiliation === 'admin' || affiliation === 'owner') return
      const written = rooms.get(room) ?? new Map<string, number>()
      rooms.set(room, written)
      // §8: by account, whichever device and nick it is.
      if (mayWrite(written, account.toString(), seconds * 1000, performance.now())) return
      return new StanzaError('policy-violation', `In this room everybody waits ${seconds} seconds between two messages`, undefined, 'wait')
    })
  },
})

/** Notes that it does, where it may. */
function mayWrite (written: LastWritten, account: string, waitMs: number, now: number): boolean {
  for (const [other, at] of written) {
    if (now - at < waitMs) break
    written.delete(other)
  }
  if (written.has(account)) return false
  written.set(account, now)
  return true
}
