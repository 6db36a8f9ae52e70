/** XEP-0353: Jingle Message Initiation. Its messages are archived, copied, and wake a phone. */
import { extension } from '../../src/extension/api.ts'

export const calls = extension({
  name: 'calls',
  xeps: ['0353@0.8.0'],
  setup (host) {
    host.messages.declarePolicy('urn:xmpp:jingle-message:0', { archive: true, carbon: true, push: true })
  },
})
