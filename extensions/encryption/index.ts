/**
 * XEP-0384: OMEMO Encryption. An encrypted message has the policy of a message with a body. Lists and keys of devices
 * are for everybody who wants to write (§5.3).
 */
import { extension } from '../../src/extension/api.ts'

const OPEN = { 'pubsub#access_model': ['open'] }

export const encryption = extension({
  name: 'encryption',
  xeps: ['0384@0.9.1'],
  setup (host) {
    host.pubsub.node('urn:xmpp:omemo:2:devices', { defaults: OPEN })
    host.pubsub.node('urn:xmpp:omemo:2:bundles', { defaults: { ...OPEN, 'pubsub#max_items': ['max'] } })
    host.pubsub.node('eu.siacs.conversations.axolotl.devicelist', { defaults: OPEN })
    host.messages.declarePolicy('urn:xmpp:omemo:2', { archive: true, carbon: true, push: true })
    host.messages.declarePolicy('eu.siacs.conversations.axolotl', { archive: true, carbon: true, push: true })
  },
})
