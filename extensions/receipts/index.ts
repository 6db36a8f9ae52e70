/**
 * XEP-0184: Message Delivery Receipts. They are archived and copied, so that every device knows what arrived, and wake
 * no phone. In a room every occupant sends them, and they are not archived.
 */
import { extension } from '../../src/extension/api.ts'

export const receipts = extension({
  name: 'receipts',
  xeps: ['0184@1.4.0'],
  setup (host) {
    host.messages.declarePolicy('urn:xmpp:receipts',
      { archive: true, carbon: true, push: false }, { archive: false, carbon: false, push: false })
  },
})
