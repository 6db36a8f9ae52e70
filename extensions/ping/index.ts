/**
 * XEP-0199: XMPP Ping. Answers pings to the server, to rooms and to a user's own account. A ping from one client to
 * another is routed like any other iq.
 */
import { extension } from '../../src/extension/api.ts'

const NS = 'urn:xmpp:ping'

export const ping = extension({
  name: 'ping',
  xeps: ['0199@2.0.1'],
  setup (host) {
    for (const target of ['server', 'account', 'rooms', 'room'] as const) host.disco.feature(NS, target)
    host.iq({ type: 'get', to: ['server', 'own-account', 'rooms', 'room'], name: 'ping', ns: NS }, () => {})
  },
})
