/**
 * XEP-0184: Message Delivery Receipts. A receipt is kept and copied, so that every device learns what arrived; nobody
 * is woken for it. In a room they come from everybody, and are not kept.
 */
import { extension } from '../../src/extension/api.ts'

export const receipts = extension({
  name: 'receipts',
  xeps: ['0184@1.4.0'],
  setup (host) {
    host.messages.declarePolicy('urn:xmpp:receipts', { archive: true, carbon: true, push: false }, { archive: false, carbon: false, push: false })
  },
})
