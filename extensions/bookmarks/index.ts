/**
 * XEP-0402: PEP Native Bookmarks, XEP-0048: Bookmarks and XEP-0411: Bookmarks Conversion. Rooms that a client bookmarks
 * in one of the three ways (items, a list in a node, a list in private data) are there in the others, too.
 */
import { extension } from '../../src/extension/api.ts'
import type { Jid } from '../../src/extension/api.ts'
import { NS, NS_LIST } from './convert.ts'
import { BookmarkSync, ITEMS_OPTIONS, LIST_OPTIONS } from './sync.ts'

export const bookmarks = extension({
  name: 'bookmarks',
  xeps: ['0402@1.2.0', '0048@1.2', '0411@1.1.0'],
  setup (host) {
    const sync = new BookmarkSync(host)
    for (const feature of [`${NS}#compat`, `${NS}#compat-pep`, 'urn:xmpp:bookmarks-conversion:0']) {
      host.disco.feature(feature, 'account')
    }
    const retracted = (account: Jid): void => { sync.later(account) }
    host.pubsub.node(NS, { defaults: ITEMS_OPTIONS, retracted, published (account) { sync.later(account) } })
    host.pubsub.node(NS_LIST, {
      defaults: LIST_OPTIONS, retracted, published (account, { payload }) { sync.later(account, payload) },
    })
    host.when('document.saved', async (account, { name, ns, xml }) => {
      if (name !== 'storage' || ns !== NS_LIST) return
      sync.later(account, xml)
      await sync.conversion.settled(account)
    })
  },
})
