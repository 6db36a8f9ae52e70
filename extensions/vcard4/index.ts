/**
 * XEP-0292: vCard4 Over XMPP. A vCard4 that a client publishes is there as vcard-temp (XEP-0054: vcard-temp), too, and
 * the other way around.
 */
import { extension } from '../../src/extension/api.ts'
import type { Jid } from '../../src/extension/api.ts'
import { NS, NS_TEMP } from './convert.ts'
import { NODE, VcardSync } from './sync.ts'

export const vcard4 = extension({
  name: 'vcard4',
  xeps: ['0292@0.12.0', '0054@1.3.0'],
  setup (host) {
    const { conversion } = new VcardSync(host)
    const later = (account: Jid): void => { conversion.later(account) }
    for (const target of ['server', 'account'] as const) host.disco.feature(NS, target)
    host.pubsub.node(NODE, {
      // For everybody (XEP-0222), and told without the vCard (§4.2.2).
      defaults: { 'pubsub#access_model': ['open'], 'pubsub#deliver_payloads': ['0'] },
      published: later,
      retracted: later,
    })
    host.when('document.saved', async (account, { name, ns }) => {
      if (name !== 'vCard' || ns !== NS_TEMP) return
      later(account)
      await conversion.settled(account)
    })
  },
})
