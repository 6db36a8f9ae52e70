/** XEP-0085: Chat State Notifications. They are copied to all devices, and not archived. */
import { extension } from '../../src/extension/api.ts'

export const chatStates = extension({
  name: 'chat-states',
  xeps: ['0085@2.1'],
  setup (host) {
    host.messages.declarePolicy('http://jabber.org/protocol/chatstates', { archive: false, carbon: true, push: false })
  },
})
