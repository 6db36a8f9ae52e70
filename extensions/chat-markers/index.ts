/**
 * XEP-0333: Displayed Markers. They are archived and copied, so that every device knows what was read, and wake no
 * phone. In a room every occupant sends them, and they are not archived.
 */
import { extension } from '../../src/extension/api.ts'

export const chatMarkers = extension({
  name: 'chat-markers',
  xeps: ['0333@1.0.0'],
  setup (host) {
    host.messages.declarePolicy('urn:xmpp:chat-markers:0',
      { archive: true, carbon: true, push: false }, { archive: false, carbon: false, push: false })
  },
})
