/** XEP-0500: MUC Slow Mode. Where the owner says so, everybody waits between two messages; admins and owners do not. */
import { hash } from 'node:crypto'
import { extension, originId, StanzaError } from '../../src/extension/api.ts'
import type { Message, Room, Written } from '../../src/extension/api.ts'

/** What a room can be set to at most, in seconds. */
const MOST = 86_400

/** What each account last wrote to a room, the longest ago first. */
type LastWritten = Map<string, Written>

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
    host.on('room', 'guard', (message, room, occupant) => {
      const seconds = room.get(duration)
      const { account, affiliation } = occupant
      // §6: what has no text does not count, and admins and owners are free.
      if (seconds === 0 || message.type !== 'groupchat' || !message.has('body', 'jabber:client')) return
      if (affiliation === 'admin' || affiliation === 'owner') return
      const written = rooms.get(room) ?? new Map<string, Written>()
      rooms.set(room, written)
      const now: Written = { at: Date.now(), what: knownBy(message) }
      forgetOld(written, now.at - seconds * 1000)
      // §8: by account, whichever device and nick it is; by the occupant where the room was at home elsewhere then.
      const last = written.get(account.toString()) ?? occupant.written
      if (last && now.at - last.at < seconds * 1000) {
        if (now.what !== undefined && now.what === last.what) return // it comes again
        return new StanzaError('policy-violation', `In this room everybody waits ${seconds} seconds between two messages`, undefined, 'wait')
      }
      written.set(account.toString(), now)
      occupant.written = now
      occupant.touch()
    })
  },
})

function forgetOld (written: LastWritten, before: number): void {
  for (const [other, { at }] of written) {
    if (at > before) break
    written.delete(other)
  }
}

/** The same for a message that its client sends again, as far as one can know. */
function knownBy (message: Message): string | undefined {
  const id = originId(message) ?? message.identity
  return id === undefined ? undefined : hash('sha1', `${id}\0${message.inner.toString('latin1')}`, 'base64')
}
