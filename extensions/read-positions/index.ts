/**
 * XEP-0490: Message Displayed Synchronization. How far the user has read each chat, for all devices: an item for each
 * chat, which a client publishes, or has published by what it tells the other side anyway (§4, server assist).
 */
import { extension, inBackground, Written } from '../../src/extension/api.ts'
import type { ExtensionHost, Jid, Message } from '../../src/extension/api.ts'

const NS = 'urn:xmpp:mds:displayed:0'

/** §3.1: for the user alone, and one item for each chat. */
const OPTIONS = {
  'pubsub#access_model': ['whitelist'], 'pubsub#max_items': ['max'], 'pubsub#send_last_published_item': ['never'],
}

export const readPositions = extension({
  name: 'read-positions',
  xeps: ['0490@1.0.1'],
  setup (host) {
    const publishing = new Set<Promise<string>>()
    host.disco.feature('urn:xmpp:mds:server-assist:0', 'account')
    host.pubsub.node(NS, { defaults: OPTIONS })
    host.on('send', 'rewrite', (stanza, { account }) => {
      if (stanza.kind !== 'message' || !stanza.has('displayed', NS)) return stanza
      if (stanza.type !== 'error') publish(host, account.jid, stanza, publishing)
      return stanza.withoutPayload(({ name, ns }) => name === 'displayed' && ns === NS)
    })
    host.atShutdown(async () => { await Promise.allSettled(publishing) })
  },
})

/** §4: the item is called as the recipient; neither is looked at. Throws StanzaError where it has too many elements. */
function publish (
  { pubsub, log }: ExtensionHost, account: Jid, message: Message, publishing: Set<Promise<string>>,
): void {
  const displayed = message.payload('displayed', NS)
  if (!displayed || !message.to) return
  const item = { id: message.to.toString(), payload: Written.kept('displayed', NS, displayed.toString()) }
  const published = pubsub.publish(account, NS, item)
  publishing.add(published)
  inBackground(log, 'position in a chat', published.finally(() => publishing.delete(published)))
}
