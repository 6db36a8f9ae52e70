/**
 * XEP-0490: Message Displayed Synchronization. How far the user has read each chat, for all devices: an item for each
 * chat, which a client publishes, or has published by what it tells the other side anyway (§4, server assist).
 */
import { extension, neverRejects, Shares, StanzaError, Written } from '../../src/extension/api.ts'
import type { ExtensionHost, Jid, Message, Portion } from '../../src/extension/api.ts'

const NS = 'urn:xmpp:mds:displayed:0'

/** §3.1: for the user alone, and one item for each chat. */
const OPTIONS = {
  'pubsub#access_model': ['whitelist'], 'pubsub#max_items': ['max'], 'pubsub#send_last_published_item': ['never'],
}

/** Limits of positions that are being published, of all and of one account; the next one says the same. */
const MAX_BYTES = 16 * 1024 * 1024
const MAX_BYTES_OF_ONE = 256 * 1024

export const readPositions = extension({
  name: 'read-positions',
  xeps: ['0490@1.0.1'],
  setup (host) {
    const positions = new Positions(host)
    host.disco.feature('urn:xmpp:mds:server-assist:0', 'account')
    host.pubsub.node(NS, { defaults: OPTIONS })
    host.on('send', 'rewrite', (stanza, { account }) => {
      if (stanza.kind !== 'message' || !stanza.has('displayed', NS)) return stanza
      if (stanza.type !== 'error') positions.take(account.jid, stanza)
      return stanza.withoutPayload(({ name, ns }) => name === 'displayed' && ns === NS)
    })
    host.atShutdown(() => positions.settled())
  },
})

/** Positions beside markers, which are published while the message goes on. */
class Positions {
  readonly #host: ExtensionHost
  readonly #shares = new Shares(MAX_BYTES, MAX_BYTES_OF_ONE)
  readonly #publishing = new Set<Promise<void>>()

  constructor (host: ExtensionHost) {
    this.#host = host
  }

  /** §4: the item is called as the recipient; neither is looked at. Throws StanzaError as `Stanza.payload` does. */
  take (account: Jid, message: Message): void {
    const who = account.toString()
    const displayed = message.payload('displayed', NS)
    if (!displayed || !message.to || !this.#shares.hasRoom(who)) return
    const item = { id: message.to.toString(), payload: Written.of(displayed) }
    const portion: Portion = { bytes: 0 }
    this.#shares.add(portion, who, item.payload.xml.length)
    const published = this.#publish(account, item).finally(() => {
      this.#shares.remove(portion)
      this.#publishing.delete(published)
    })
    this.#publishing.add(published)
    neverRejects(published) // what fails is logged
  }

  async #publish (account: Jid, item: { readonly id: string, readonly payload: Written }): Promise<void> {
    const { pubsub, log } = this.#host
    try {
      await pubsub.publish(account, NS, item)
    } catch (err) { // the node's, as it is full or the item too big; or the database's
      const level = err instanceof StanzaError ? 'debug' : 'warn'
      log[level]({ event: 'read_positions.not_published', err, account: account.toString() },
        'read-positions: not published')
    }
  }

  async settled (): Promise<void> {
    await Promise.all(this.#publishing)
  }
}
