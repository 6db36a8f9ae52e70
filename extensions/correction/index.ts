/** XEP-0308: Last Message Correction. A correction is worth what a message is, whatever it holds besides. */
import { extension } from '../../src/extension/api.ts'

export const correction = extension({
  name: 'correction',
  xeps: ['0308@1.2.1'],
  setup (host) {
    host.messages.declarePolicy('urn:xmpp:message-correct:0', { archive: true, carbon: true, push: true })
  },
})
