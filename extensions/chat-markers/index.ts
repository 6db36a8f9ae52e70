/**
 * XEP-0333: Displayed Markers. What was displayed is kept and copied, so that every device learns what was read;
 * nobody is woken for it. In a room they come from everybody, and are not kept.
 */
import { extension } from '../../src/extension/api.ts'

export const chatMarkers = extension({
  name: 'chat-markers',
  xeps: ['0333@1.0.0'],
  setup (host) {
    host.messages.declarePolicy('urn:xmpp:chat-markers:0', { archive: true, carbon: true, push: false }, { archive: false, carbon: false, push: false })
  },
})
