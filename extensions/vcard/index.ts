/** XEP-0054: vcard-temp. Stores each account's vCard unchanged, and answers anyone's requests for it. */
import { el, extension, StanzaError, Written } from '../../src/extension/api.ts'
import type { ExtensionHost, Jid } from '../../src/extension/api.ts'
import { readVcard, saveVcard } from './store.ts'

const NS = 'vcard-temp'

export const vcard = extension({
  name: 'vcard',
  xeps: ['0054@1.3.0'],
  setup (host) {
    host.documents.keep({
      keeps: (name, ns) => name === 'vCard' && ns === NS,
      read: account => readVcard(host.db, account),
      save: (account, { xml }) => saveVcard(host.db, account, xml),
    })
    host.disco.feature(NS)
    host.disco.feature(NS, 'account')
    host.iq({ type: 'get', to: ['own-account'], name: 'vCard', ns: NS }, async ({ from, to }) =>
      await vcardOf(host, from, to) ?? el('vCard', NS)) // §3.1: empty where there is none
    host.iq({ type: 'get', to: ['account'], name: 'vCard', ns: NS }, async ({ from, to }) => {
      const found = await vcardOf(host, from, to)
      if (!found) throw new StanzaError('service-unavailable') // §3.3: the same as for a missing account
      return found
    })
    host.iq({ type: 'set', to: ['own-account'], name: 'vCard', ns: NS }, async ({ to, written }, { account }) => {
      if (account.isAnonymous) throw new StanzaError('not-allowed', 'anonymous accounts cannot store data')
      await host.documents.change(to, 'vCard', NS, () => written)
      await host.documents.saved(to, written)
    })
    // §3.2: other accounts' vCards can't be changed.
    host.iq({ type: 'set', to: ['address'], name: 'vCard', ns: NS }, () => { throw new StanzaError('forbidden') })
  },
})

async function vcardOf (host: ExtensionHost, asker: Jid, owner: Jid): Promise<Written | undefined> {
  const xml = await host.readFor(asker, db => readVcard(db, owner))
  return xml === undefined ? undefined : Written.kept('vCard', NS, xml)
}
