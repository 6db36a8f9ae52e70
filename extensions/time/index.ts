/** XEP-0202: Entity Time. Answers with the server's time in UTC, and its time zone's offset. */
import { el, extension } from '../../src/extension/api.ts'

const NS = 'urn:xmpp:time'

export const time = extension({
  name: 'time',
  xeps: ['0202@2.0'],
  setup (host) {
    host.disco.feature(NS)
    host.disco.feature(NS, 'rooms')
    host.iq({ type: 'get', to: ['server', 'rooms'], name: 'time', ns: NS }, () => {
      const now = new Date()
      return el('time', NS, {},
        el('tzo', NS, {}, offset(-now.getTimezoneOffset())),
        el('utc', NS, {}, now.toISOString()))
    })
  },
})

/** XEP-0082 §3.2: minutes east of UTC as `+hh:mm`. */
export function offset (minutes: number): string {
  const pad = (n: number): string => String(n).padStart(2, '0')
  const distance = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${pad(Math.trunc(distance / 60))}:${pad(distance % 60)}`
}
