/** XEP-0060 §5: discovers nodes, what is to be known of each, and their items. */
import type { ExtensionHost } from '../extension/host.ts'
import { NS_COMMANDS } from '../routing/commands.ts'
import type { Disco, PubsubNodes } from '../routing/disco.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { form } from '../xmpp/forms.ts'
import type { Field } from '../xmpp/forms.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_PUBSUB } from '../xmpp/pubsub.ts'
import { refusalToRead } from './access.ts'
import type { Context } from './context.ts'
import { fieldsOf } from './node-config.ts'
import { ownersOf } from './node.ts'
import type { PubsubNode } from './node.ts'
import { NS_RSM } from './requests/items.ts'
import { listIds, listNodes } from './store.ts'

const NS_ITEMS = 'http://jabber.org/protocol/disco#items'
const META_DATA = `${NS_PUBSUB}#meta-data`
/** Nodes or items of one answer. */
const PAGE = 200

/** §10: what accounts and the service do alike. */
const FEATURES = [
  'auto-create', 'config-node', 'create-and-configure', 'create-nodes', 'delete-items', 'delete-nodes', 'instant-nodes',
  'item-ids', 'manage-subscriptions', 'member-affiliation', 'meta-data', 'modify-affiliations', 'multi-items',
  'outcast-affiliation', 'persistent-items', 'publish', 'publish-node-full', 'publish-only-affiliation',
  'publish-options', 'publisher-affiliation', 'purge-nodes', 'retract-items', 'retrieve-affiliations',
  'retrieve-default', 'retrieve-default-sub', 'retrieve-items', 'retrieve-subscriptions', 'rsm', 'subscribe',
  'subscription-notifications', 'subscription-options', 'config-node-max',
]
const OF_ACCOUNTS = [
  'access-presence', 'auto-subscribe', 'filtered-notifications', 'last-published', 'presence-notifications',
  'presence-subscribe', 'pubsub-on-a-jid',
]

export function declareFeatures (host: ExtensionHost): void {
  host.disco.feature(NS_PUBSUB, 'account')
  host.disco.feature(NS_PUBSUB, 'pubsub')
  for (const feature of [...FEATURES, ...OF_ACCOUNTS]) host.disco.feature(`${NS_PUBSUB}#${feature}`, 'account')
  for (const feature of [...FEATURES, 'access-open', 'get-pending']) {
    host.disco.feature(`${NS_PUBSUB}#${feature}`, 'pubsub')
  }
  host.disco.feature(NS_RSM, 'pubsub')
  host.disco.feature(NS_COMMANDS, 'pubsub')
}

export function discoverNodes ({ engine }: Context, disco: Disco): PubsubNodes {
  const { reading, contacts } = engine.parts
  const visible = async (owner: Jid, name: string, asker: Jid): Promise<PubsubNode | undefined> => {
    const node = await engine.look(owner, name)
    if (!node) return
    const isWaited = node.config.access_model === 'authorize' // that there is something to ask for is told
    return isWaited || !await refusalToRead(node, asker, contacts) ? node : undefined
  }
  return {
    async info (owner, name, asker) {
      const node = await visible(owner, name, asker)
      return node && disco.describeNode(name, { category: 'pubsub', type: 'leaf', name: node.config.title || name },
        [NS_PUBSUB], form('result', META_DATA, metaData(node)))
    },
    async items (owner, asker, query) {
      const { node: name } = query.attrs
      const { after, max } = pageIn(query)
      if (name === undefined) {
        const nodes = await reading.for(asker, db => listNodes(db, owner, asker, after, max + 1))
        const items = nodes.slice(0, max).map(({ node, title }) =>
          ({ id: node, element: el('item', NS_ITEMS, { jid: owner.toString(), node, name: title || undefined }) }))
        return answer(query, items, nodes.length > max)
      }
      const node = await visible(owner, name, asker)
      if (!node) return
      const ids = await refusalToRead(node, asker, contacts)
        ? [] : await reading.for(asker, db => listIds(db, node, after, max + 1))
      const items = ids.slice(0, max).map(id =>
        ({ id, element: el('item', NS_ITEMS, { jid: owner.toString(), name: id }) }))
      return answer(query, items, ids.length > max)
    },
  }
}

function pageIn (query: Element): { readonly after: string, readonly max: number } {
  const set = query.getChild('set', NS_RSM)
  const max = set?.getChildText('max', NS_RSM) ?? String(PAGE)
  if (!/^\d{1,9}$/.test(max)) throw new StanzaError('bad-request', 'the page size must be a number')
  return { after: set?.getChildText('after', NS_RSM) ?? '', max: Math.min(PAGE, Number(max)) }
}

interface Listed { readonly id: string, readonly element: Element }

function answer (query: Element, items: readonly Listed[], hasMore: boolean): Element {
  const isPart = hasMore || query.getChild('set', NS_RSM) !== undefined
  const [first, last] = [items.at(0), items.at(-1)]
  return el('query', NS_ITEMS, { node: query.attrs['node'] }, items.map(({ element }) => element),
    isPart ? el('set', NS_RSM, {}, first && el('first', NS_RSM, {}, first.id), last && el('last', NS_RSM, {}, last.id))
      : undefined)
}

/** §5.4. */
function metaData (node: PubsubNode): readonly Field[] {
  const { config, creator, createdAt, subscriptions } = node
  return [
    ...fieldsOf(config),
    { name: 'pubsub#creator', type: 'jid-single', label: 'Node creator', values: [creator.toString()] },
    {
      name: 'pubsub#creation_date', type: 'text-single', label: 'Creation date',
      values: [new Date(createdAt).toISOString()],
    },
    { name: 'pubsub#owner', type: 'jid-multi', label: 'Node owners', values: ownersOf(node) },
    {
      name: 'pubsub#num_subscribers', type: 'text-single', label: 'Number of subscribers to this node',
      values: [String(subscriptions.size)],
    },
  ]
}
