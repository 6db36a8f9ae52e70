/** XEP-0060 §8.8 and §8.9: owners see and change a node's subscriptions and affiliations. */
import { el } from '../../xml/element.ts'
import type { Element } from '../../xml/element.ts'
import { Written } from '../../xml/written.ts'
import { checkAddressList, parseAddress } from '../../xmpp/addresses.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { NS_PUBSUB_OWNER } from '../../xmpp/pubsub.ts'
import { checkOwner } from '../access.ts'
import { nodeIn, treeOf } from '../context.ts'
import type { Answer, Call, Context } from '../context.ts'
import { subscriptionEvent } from '../events.ts'
import { checkCount } from '../limits.ts'
import { AFFILIATIONS, ownersOf, subscriptionsOf, withAffiliations } from '../node.ts'
import type { NodeAffiliation, PubsubNode, Subscription, SubscriptionChange } from '../node.ts'
import { DEFAULT_OPTIONS } from '../subscription-options.ts'
import { settle } from './approval.ts'
import { greet } from './greet.ts'

async function owned ({ engine }: Context, { owner, from, action }: Call): Promise<PubsubNode> {
  const node = await engine.need(owner, nodeIn(action))
  checkOwner(node, from)
  return node
}

/** §8.8.1: those that are pending are left out. */
export async function answerSubscriptionList (pubsub: Context, call: Call): Promise<Answer> {
  const { name, subscriptions } = await owned(pubsub, call)
  let list = '' // there may be many: a tree takes its time
  for (const { jid, state } of [...subscriptions.values()].flat()) {
    if (state !== 'pending') list += `<subscription jid='${jid.attribute}' subscription='${state}'/>`
  }
  return Written.around(el('pubsub', NS_PUBSUB_OWNER),
    Written.around(el('subscriptions', NS_PUBSUB_OWNER, { node: name }), list))
}

export async function answerAffiliationList (pubsub: Context, call: Call): Promise<Answer> {
  const node = await owned(pubsub, call)
  const all = new Map<string, string>([...ownersOf(node).map(jid => [jid, 'owner'] as const), ...node.affiliations])
  return el('pubsub', NS_PUBSUB_OWNER, {}, el('affiliations', undefined, { node: node.name },
    [...all].map(([jid, affiliation]) => el('affiliation', undefined, { jid, affiliation }))))
}

/** §8.8.2. All changes are made, or none. */
export async function answerSubscriptionChanges (pubsub: Context, { owner, from, action }: Call): Promise<void> {
  const { engine } = pubsub
  const wanted = entriesIn(treeOf(action), 'subscription', parseAddress)
  await engine.change(owner, nodeIn(action), async node => {
    checkOwner(node, from)
    const changes = wanted.map(([jid, state]) => subscriptionChange(node, from, jid, state))
    checkCount(engine.parts.limits, node, from, changes.filter(one => isNew(node, one)).length)
    const changed = await engine.subscribe(node, changes)
    if (changed) await tellSubscribers(pubsub, node, changed, changes)
    return changed
  })
}

/** An owner approves and ends subscriptions; nobody is subscribed who has not asked for it. */
function subscriptionChange (node: PubsubNode, by: Jid, jid: Jid, state: string): SubscriptionChange {
  if (state === 'none') return { jid, subscription: undefined }
  if (state !== 'subscribed' && state !== 'pending') throw new StanzaError('not-acceptable')
  const before = subscriptionsOf(node, jid).find(one => one.jid.equals(jid))
  if (!before && !jid.bare.equals(by.bare)) throw new StanzaError('not-allowed', `${jid} has not asked for it`)
  return { jid, subscription: { jid, state, options: before?.options ?? DEFAULT_OPTIONS } }
}

function isNew (node: PubsubNode, { jid, subscription }: SubscriptionChange): boolean {
  return subscription !== undefined && !subscriptionsOf(node, jid).some(one => one.jid.equals(jid))
}

// §8.8.4.
async function tellSubscribers (
  pubsub: Context, before: PubsubNode, node: PubsubNode, changes: readonly SubscriptionChange[],
): Promise<void> {
  for (const { jid, subscription } of changes) {
    const was = subscriptionsOf(before, jid).find(one => one.jid.equals(jid))?.state
    if (was === subscription?.state) continue
    pubsub.engine.parts.notifier.tell(subscriptionEvent(node, jid, subscription?.state ?? 'none'), jid)
    if (subscription?.state === 'subscribed') await greet(pubsub, node, subscription)
  }
}

/** §8.9.2. All changes are made, or none. */
export async function answerAffiliationChanges (pubsub: Context, { owner, from, action }: Call): Promise<void> {
  const { engine } = pubsub
  const wanted = entriesIn(treeOf(action), 'affiliation', text => parseAddress(text).bare)
  const changes = new Map(wanted.map(([jid, affiliation]) => [jid.toString(), affiliationOf(affiliation)]))
  if (changes.size < wanted.length) throw new StanzaError('bad-request', 'an address is there twice') // §8.9.2.4
  await engine.change(owner, nodeIn(action), async node => {
    checkOwner(node, from)
    const after = withAffiliations(node, changes, node.version)
    if (ownersOf(after).length === 0 || changes.has(owner.toString())) throw new StanzaError('not-acceptable')
    if (after.affiliations.size > engine.parts.limits.affiliations) throw new StanzaError('resource-constraint')
    const changed = await engine.affiliate(node, changes)
    return changed && settleSubscriptions(pubsub, changed, changes)
  })
}

/** §8.7.4: who may subscribe anyway waits no more, and outcasts are no subscribers. */
async function settleSubscriptions (
  pubsub: Context, affiliated: PubsubNode, changes: ReadonlyMap<string, NodeAffiliation>,
): Promise<PubsubNode | undefined> {
  let node: PubsubNode | undefined = affiliated
  for (const [account, affiliation] of changes) {
    for (const subscription of affiliated.subscriptions.get(account) ?? []) {
      node &&= await settleOne(pubsub, node, subscription, affiliation)
    }
  }
  return node
}

async function settleOne (
  { engine, ...pubsub }: Context, node: PubsubNode, { jid, state }: Subscription, affiliation: NodeAffiliation,
): Promise<PubsubNode | undefined> {
  const isOut = affiliation === 'outcast' || affiliation === 'publish-only' ||
    (affiliation === 'none' && node.config.access_model === 'whitelist')
  if (isOut) {
    const changed = await engine.subscribe(node, [{ jid, subscription: undefined }])
    if (changed) engine.parts.notifier.tell(subscriptionEvent(changed, jid, 'none'), jid)
    return changed
  }
  return state === 'pending' && affiliation !== 'none' ? settle({ engine, ...pubsub }, node, jid, true) : node
}

function affiliationOf (text: string): NodeAffiliation {
  const found = AFFILIATIONS.find(one => one === text)
  if (!found) throw new StanzaError('not-acceptable', 'there is no such affiliation')
  return found
}

/** The entries of a list with what each is to be; those that say nothing stay as they are. */
function entriesIn (
  list: Element, name: 'subscription' | 'affiliation', parse: (text: string) => Jid,
): readonly (readonly [Jid, string])[] {
  const entries = list.getChildren(name, NS_PUBSUB_OWNER).flatMap(({ attrs }) => {
    const { jid, [name]: state } = attrs
    return jid === undefined || state === undefined ? [] : [[jid, state] as const]
  })
  checkAddressList(entries.map(([jid]) => jid))
  return entries.map(([jid, state]) => [parse(jid), state])
}
