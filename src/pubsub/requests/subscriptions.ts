/** XEP-0060 §5.6 and §6.1 to §6.4: subscriptions and their options. */
import { el } from '../../xml/element.ts'
import type { Element } from '../../xml/element.ts'
import type { Written } from '../../xml/written.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import { NS_PUBSUB } from '../../xmpp/pubsub.ts'
import { refusalToSubscribe } from '../access.ts'
import { checkedName, formIn, nodeIn, treeOf } from '../context.ts'
import type { Answer, Call, Context } from '../context.ts'
import { notSubscribed, pubsubError } from '../errors.ts'
import { subscriptionEvent } from '../events.ts'
import { checkCount } from '../limits.ts'
import { ownersOf, subscriptionsOf } from '../node.ts'
import type { PubsubNode, Subscription } from '../node.ts'
import { listAffiliations, listSubscriptions } from '../store.ts'
import { DEFAULT_OPTIONS, optionsForm, readOptions } from '../subscription-options.ts'
import type { SubscriptionOptions } from '../subscription-options.ts'
import { askOwners } from './approval.ts'
import { greet } from './greet.ts'

export async function answerSubscribe (pubsub: Context, call: Call): Promise<Answer> {
  const { engine } = pubsub
  const { owner, from, action, besides } = call
  const name = nodeIn(action)
  const jid = addressIn(action)
  if (!jid?.bare.equals(from.bare)) throw pubsubError('invalid-jid') // §6.1.3.1
  const options = optionsBesides(besides)
  const subscription = await engine.change(owner, name, async node => {
    const before = subscriptionsOf(node, jid).find(one => one.jid.equals(jid))
    if (before?.state === 'pending') throw pubsubError('pending-subscription') // §6.1.3.7
    if (before && !options) return before // §6.1.6
    const added = await admit(pubsub, node, { jid, state: 'subscribed', options: options ?? DEFAULT_OPTIONS })
    const changed = await engine.subscribe(node, [{ jid, subscription: added }])
    if (!changed) return
    if (added.state === 'pending') askOwners(pubsub, changed, jid)
    else await greet(pubsub, changed, added)
    return added
  })
  return el('pubsub', NS_PUBSUB, {}, subscriptionElement(name, subscription),
    options && el('options', undefined, {}, optionsForm(subscription.options, 'result'))) // §6.3.8
}

/** The subscription as it comes to be; throws where it may not. */
async function admit ({ engine }: Context, node: PubsubNode, wanted: Subscription): Promise<Subscription> {
  const refusal = await refusalToSubscribe(node, wanted.jid, engine.parts.contacts)
  if (refusal instanceof StanzaError) throw refusal
  checkCount(engine.parts.limits, node, wanted.jid, 1)
  return refusal === 'approval' ? { ...wanted, state: 'pending' } : wanted
}

export async function answerUnsubscribe ({ engine }: Context, { owner, from, action }: Call): Promise<Answer> {
  const name = nodeIn(action)
  const jid = addressIn(action)
  if (!jid?.bare.equals(from.bare)) throw new StanzaError('forbidden') // §6.2.3.3
  await engine.change(owner, name, async node => {
    if (!subscriptionsOf(node, jid).some(one => one.jid.equals(jid))) throw notSubscribed()
    const changed = await engine.subscribe(node, [{ jid, subscription: undefined }])
    if (!changed?.config.notify_sub) return changed
    for (const to of ownersOf(changed)) {
      engine.parts.notifier.tell(subscriptionEvent(changed, jid, 'none'), Jid.kept(to))
    }
    return changed
  })
  return el('pubsub', NS_PUBSUB, {},
    el('subscription', undefined, { node: name, jid: jid.toString(), subscription: 'none' }))
}

/** Answers `<options/>` (§6.3). */
export async function answerOptions ({ engine }: Context, { owner, from, action }: Call): Promise<Answer> {
  const { name, jid } = subscriberIn(action, from)
  const { options } = subscriptionOf(await engine.need(owner, name), jid)
  return el('pubsub', NS_PUBSUB, {},
    el('options', undefined, { node: name, jid: jid.toString() }, optionsForm(options)))
}

export async function answerNewOptions ({ engine }: Context, { owner, from, action }: Call): Promise<void> {
  const { name, jid } = subscriberIn(action, from)
  const values = formIn(treeOf(action))
  await engine.change(owner, name, async node => {
    const subscription = subscriptionOf(node, jid)
    if (!values) return node // cancelled
    const options = readOptions(values, subscription.options)
    return engine.subscribe(node, [{ jid, subscription: { ...subscription, options } }])
  })
}

function subscriberIn (options: Written, from: Jid): { readonly name: string, readonly jid: Jid } {
  const name = nodeIn(options)
  const jid = addressIn(options)
  if (!jid) throw pubsubError('jid-required') // §6.3.4.3
  if (!jid.bare.equals(from.bare)) throw new StanzaError('forbidden')
  return { name, jid }
}

function subscriptionOf (node: PubsubNode, jid: Jid): Subscription {
  const subscription = subscriptionsOf(node, jid).find(one => one.jid.equals(jid))
  if (!subscription) throw notSubscribed()
  return subscription
}

/** Answers `<default/>`: the options of a new subscription (§6.4). */
export async function answerDefaultOptions ({ engine }: Context, { owner, action }: Call): Promise<Answer> {
  const { node } = action.attrs
  if (node !== undefined) await engine.need(owner, checkedName(node))
  return el('pubsub', NS_PUBSUB, {}, el('default', undefined, { node }, optionsForm(DEFAULT_OPTIONS)))
}

export async function answerOwnSubscriptions ({ engine }: Context, { owner, from, action }: Call): Promise<Answer> {
  const { node } = action.attrs
  const all = await engine.parts.reading.for(from, db => listSubscriptions(db, owner, from, node))
  return el('pubsub', NS_PUBSUB, {}, el('subscriptions', undefined, { node }, all.map(({ node, jid, state }) =>
    el('subscription', undefined, { node, jid, subscription: state }))))
}

export async function answerOwnAffiliations ({ engine }: Context, { owner, from, action }: Call): Promise<Answer> {
  const { node } = action.attrs
  const all = await engine.parts.reading.for(from, db => listAffiliations(db, owner, from, node))
  return el('pubsub', NS_PUBSUB, {}, el('affiliations', undefined, { node }, all.map(({ node, state }) =>
    el('affiliation', undefined, { node, affiliation: state }))))
}

function subscriptionElement (node: string, { jid, state }: Subscription): Element {
  return el('subscription', undefined, { node, jid: jid.toString(), subscription: state })
}

function addressIn (element: Written): Jid | undefined {
  const { jid } = element.attrs
  return jid === undefined ? undefined : Jid.tryParse(jid)
}

/** §6.3.8: options that come with the request have neither node nor address. */
function optionsBesides (besides: Written | undefined): SubscriptionOptions | undefined {
  if (besides?.name !== 'options') return
  const { node, jid } = besides.attrs
  if (node !== undefined || jid !== undefined) throw new StanzaError('bad-request')
  const values = formIn(treeOf(besides))
  return values && readOptions(values, DEFAULT_OPTIONS)
}
