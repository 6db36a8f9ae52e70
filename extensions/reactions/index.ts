/** XEP-0444: Message Reactions. A reaction is kept and copied as a message is; nobody is woken for it. */
import { extension } from '../../src/extension/api.ts'

export const reactions = extension({
  name: 'reactions',
  xeps: ['0444@0.2.1'],
  setup (host) {
    host.messages.declarePolicy('urn:xmpp:reactions:0', { archive: true, carbon: true, push: false })
  },
})
