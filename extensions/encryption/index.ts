/** XEP-0384: OMEMO Encryption. An encrypted message has the policy of a message with a body. */
import { extension } from '../../src/extension/api.ts'

export const encryption = extension({
  name: 'encryption',
  xeps: ['0384@0.9.1'],
  setup (host) {
    host.messages.declarePolicy('urn:xmpp:omemo:2', { archive: true, carbon: true, push: true })
    host.messages.declarePolicy('eu.siacs.conversations.axolotl', { archive: true, carbon: true, push: true })
  },
})
