/** XEP-0307: Unique Room Names for Multi-User Chat. Generates a name that no room has or had. */
import { randomUUID } from 'node:crypto'
import { el, extension } from '../../src/extension/api.ts'

const NS = 'http://jabber.org/protocol/muc#unique'

export const uniqueNames = extension({
  name: 'unique-names',
  xeps: ['0307@0.1'],
  setup (host) {
    host.disco.feature(NS, 'rooms')
    // §2: a UUID, which case mapping does not change.
    host.iq({ type: 'get', to: ['rooms'], name: 'unique', ns: NS }, () => el('unique', NS, {}, randomUUID()))
  },
})
