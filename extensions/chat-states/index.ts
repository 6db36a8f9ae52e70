/** XEP-0085: Chat State Notifications. Who is typing is copied to all devices, and kept nowhere. */
import { extension } from '../../src/extension/api.ts'

export const chatStates = extension({
  name: 'chat-states',
  xeps: ['0085@2.1'],
  setup (host) {
    host.messages.declarePolicy('http://jabber.org/protocol/chatstates', { archive: false, carbon: true, push: false })
  },
})
