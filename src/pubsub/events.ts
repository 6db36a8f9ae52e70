/** The events of a node (XEP-0060 §12.2, XEP-0163 §4.3), as XML, and who is sent them. */
import { inSlices } from '../util/slices.ts'
import { randomId } from '../util/ids.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import { escapeAttribute } from '../xml/write.ts'
import { NS_DELAY } from '../xmpp/forward.ts'
import { form } from '../xmpp/forms.ts'
import type { Jid } from '../xmpp/jid.ts'
import { message } from '../xmpp/stanza.ts'
import type { Message, Stanza } from '../xmpp/stanza.ts'
import { NS_PUBSUB_EVENT } from '../xmpp/pubsub.ts'
import { fieldsOf } from './node-config.ts'
import { isService } from './node.ts'
import type { Item, PubsubNode, Subscription } from './node.ts'
import { isOver } from './subscription-options.ts'

const NS_ADDRESSES = 'http://jabber.org/protocol/address'
const NODE_CONFIG = 'http://jabber.org/protocol/pubsub#node_config'

/** What an event needs to know of the node. */
export type Source = Pick<PubsubNode, 'owner' | 'name' | 'config'>

/** What an event tells of an item. */
type Told = Pick<Item, 'id' | 'publisher' | 'payload'>

export function itemXml ({ config }: Source, { id, publisher, payload }: Told, isWhole = true): string {
  // §12.16: the address is the service's to say.
  const by = config.itemreply === 'publisher' ? ` publisher='${escapeAttribute(bareOf(publisher))}'` : ''
  const tag = `<item id='${escapeAttribute(id)}'${by}`
  return isWhole && payload !== '' ? `${tag}>${payload}</item>` : `${tag}/>`
}

function bareOf (full: string): string {
  const slash = full.indexOf('/')
  return slash === -1 ? full : full.slice(0, slash)
}

/** §7.1.2: an item was published; undefined at a node without items. */
export function publishedEvent (node: Source, item: Told | undefined): Message {
  return ofItems(node, item ? itemXml(node, item, node.config.deliver_payloads) : '')
}

/** An item that was published before (§6.1.7, XEP-0163 §4.3.4). */
export function lastItemEvent (node: Source, item: Item): Message {
  const stamp = new Date(item.publishedAt).toISOString()
  const delay = `<delay xmlns='${NS_DELAY}' from='${node.owner.attribute}' stamp='${stamp}'/>`
  return publishedEvent(node, item).withWritten('delay', NS_DELAY, delay) as Message
}

/** §7.2.2.1. */
export function retractedEvent (node: Source, ids: readonly string[]): Message {
  return ofItems(node, ids.map(id => `<retract id='${escapeAttribute(id)}'/>`).join(''))
}

function ofItems (node: Source, content: string): Message {
  const tag = `<items node='${escapeAttribute(node.name)}'`
  return eventOf(node, content === '' ? `${tag}/>` : `${tag}>${content}</items>`)
}

/** §8.4.2 and §8.5.2. */
export function endedEvent (node: Source, what: 'delete' | 'purge'): Message {
  return eventOf(node, `<${what} node='${escapeAttribute(node.name)}'/>`)
}

/** §8.2.5.3. */
export function configuredEvent (node: Source): Message {
  const content = node.config.deliver_payloads ? form('result', NODE_CONFIG, fieldsOf(node.config)).toString() : ''
  const tag = `<configuration node='${escapeAttribute(node.name)}'`
  return eventOf(node, content === '' ? `${tag}/>` : `${tag}>${content}</configuration>`)
}

/** §8.8.4: what became of a subscription. */
export function subscriptionEvent (node: Source, jid: Jid, state: Subscription['state'] | 'none'): Message {
  const tag = el('subscription', NS_PUBSUB_EVENT, { node: node.name, jid: jid.toString(), subscription: state })
  return eventOf(node, tag.toString(NS_PUBSUB_EVENT))
}

function eventOf ({ owner, config }: Source, content: string): Message {
  const event = message(config.notification_type, { from: owner, id: randomId() })
  return event.withWritten('event', NS_PUBSUB_EVENT, `<event xmlns='${NS_PUBSUB_EVENT}'>${content}</event>`) as Message
}

/** XEP-0163 §4.3.1: from which of the account's devices it comes. */
function replyTo (jid: string): Element {
  return el('addresses', NS_ADDRESSES, {}, el('address', NS_ADDRESSES, { type: 'replyto', jid }))
}

export interface NotifierParts {
  /** Sends a stanza in the name of the account or the service, unless that refuses it. */
  readonly post: (stanza: Stanza, owner: Jid) => void
  /**
   * Who may be told of an account's node without a subscription: the account itself and its contacts here, bare, and
   * those devices of contacts elsewhere that want it.
   */
  readonly audienceOf: (node: PubsubNode) => Iterable<Jid>
}

export class Notifier {
  readonly #parts: NotifierParts

  constructor (parts: NotifierParts) {
    this.#parts = parts
  }

  /** Tells all who want events of the node, in slices; `publisher` is whose item it is. */
  notify (node: PubsubNode, event: Message, publisher?: string): void | Promise<void> {
    if (node.config.deliver_notifications) return inSlices(this.#tell(node, event, publisher))
  }

  /** The end of the node: also to those whose subscription is pending (§8.4.2). */
  notifyAll (node: PubsubNode, event: Message): void | Promise<void> {
    return inSlices(this.#tell(node, event, undefined, true))
  }

  /** Tells one address. */
  tell (event: Message, to: Jid): void {
    if (event.from) this.#parts.post(event.withAddress(event.from, to), event.from)
  }

  * #tell (node: PubsubNode, event: Message, publisher: string | undefined, isForPending = false): Generator<void> {
    const { post } = this.#parts
    // An account's multicast is for those who have not subscribed (`isForInterested`).
    const isMulticast = isService(node.owner)
    for (const subscriptions of node.subscriptions.values()) {
      for (const { jid, state, options } of subscriptions) {
        if (isOver(options) || !options.deliver || !(state === 'subscribed' || isForPending)) continue
        yield post(isMulticast ? event.copyFor(jid) : event.withAddress(event.from, jid), node.owner)
      }
    }
    if (!isMulticast) yield * this.#tellAudience(node, event, publisher)
  }

  * #tellAudience (node: PubsubNode, said: Message, publisher: string | undefined): Generator<void> {
    const { post, audienceOf } = this.#parts
    const event = publisher === undefined ? said : said.withPayload(replyTo(publisher)) as Message
    for (const to of audienceOf(node)) {
      if (!node.subscriptions.has(to.bare.toString())) yield post(event.copyFor(to), node.owner) // else told already
    }
  }
}
