/** XEP-0308: Last Message Correction. A correction has the policy of a message with a body. */
import { extension } from '../../src/extension/api.ts'

export const correction = extension({
  name: 'correction',
  xeps: ['0308@1.2.1'],
  setup (host) {
    host.messages.declarePolicy('urn:xmpp:message-correct:0', { archive: true, carbon: true, push: true })
  },
})
