/** XEP-0444: Message Reactions. They are archived and copied, and wake no phone. */
import { extension } from '../../src/extension/api.ts'

export const reactions = extension({
  name: 'reactions',
  xeps: ['0444@0.2.1'],
  setup (host) {
    host.messages.declarePolicy('urn:xmpp:reactions:0', { archive: true, carbon: true, push: false })
  },
})
