/** XEP-0060 §8.1 to §8.5: creates, configures, deletes and purges nodes. */
import { randomId } from '../../util/ids.ts'
import { eachInSlices } from '../../util/background.ts'
import { isSliceOver, nextSlice } from '../../util/slices.ts'
import { el } from '../../xml/element.ts'
import type { Element } from '../../xml/element.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { form } from '../../xmpp/forms.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { NS_PUBSUB, NS_PUBSUB_OWNER } from '../../xmpp/pubsub.ts'
import { checkOwner, refusalToSubscribe } from '../access.ts'
import { checkedName, formIn, nodeIn, treeOf } from '../context.ts'
import type { Answer, Call, Context } from '../context.ts'
import { unsupported } from '../errors.ts'
import { configuredEvent, endedEvent, subscriptionEvent } from '../events.ts'
import { changedBy, fieldsOf } from '../node-config.ts'
import type { NodeConfig } from '../node-config.ts'
import type { PubsubNode } from '../node.ts'
import type { Publications } from './publish.ts'

const NODE_CONFIG = 'http://jabber.org/protocol/pubsub#node_config'

export async function answerCreate (
  { engine, behaviours }: Context, { owner, from, action, besides }: Call,
): Promise<Answer> {
  const { node } = action.attrs
  const name = node === undefined || node === '' ? randomId() : checkedName(node)
  const configure = besides?.name === 'configure' ? besides : undefined
  if (configure?.attrs['node'] !== undefined) throw new StanzaError('bad-request') // §8.1.3
  const values = configure && formIn(treeOf(configure))
  const defaults = behaviours.defaultsOf(owner, name)
  await engine.inTurn(owner, name, () =>
    engine.create(owner, name, from, values ? changedBy(values, defaults) : defaults))
  if (name !== node) return el('pubsub', NS_PUBSUB, {}, el('create', undefined, { node: name })) // instant nodes
}

export async function answerConfigForm ({ engine }: Context, { owner, from, action }: Call): Promise<Answer> {
  const name = nodeIn(action)
  const node = await engine.need(owner, name)
  checkOwner(node, from)
  return el('pubsub', NS_PUBSUB_OWNER, {}, el('configure', undefined, { node: name }, configForm(node.config)))
}

/** §8.3. */
export function answerDefaultConfig ({ behaviours }: Context, { owner }: Call): Promise<Answer> {
  return Promise.resolve(
    el('pubsub', NS_PUBSUB_OWNER, {}, el('default', undefined, {}, configForm(behaviours.defaultsOf(owner, '')))))
}

function configForm (config: NodeConfig): Element {
  return form('form', NODE_CONFIG, fieldsOf(config))
}

export async function answerConfigure (context: Context, { owner, from, action }: Call): Promise<void> {
  const { engine } = context
  const name = nodeIn(action)
  const values = formIn(treeOf(action))
  await engine.change(owner, name, async node => {
    checkOwner(node, from)
    if (!values) return node // §8.2.4: cancelled
    const configured = await engine.configure(node, changedBy(values, node.config))
    return configured && reconfigured(context, node, configured)
  })
}

/** What follows from another configuration: news of it, fewer items, the end of subscriptions. */
async function reconfigured (
  context: Context, { config: before }: PubsubNode, node: PubsubNode,
): Promise<PubsubNode | undefined> {
  const { engine, behaviours } = context
  const { config } = node
  if (config.notify_config) await engine.parts.notifier.notify(node, configuredEvent(node))
  if (config.max_items !== before.max_items || config.persist_items !== before.persist_items) {
    const gone = await engine.trim(node)
    if (gone.length > 0) await behaviours.retracted(node.owner, node.name, gone)
  }
  const isAccessible = config.access_model === before.access_model &&
    config.roster_groups_allowed.join('\n') === before.roster_groups_allowed.join('\n')
  return isAccessible ? node : cancelRefused(context, node)
}

/** Ends the subscriptions of those who may subscribe no more (§12.4 and XEP-0163 §7.1). */
export async function cancelRefused (
  { engine, log }: Context, node: PubsubNode, of = [...node.subscriptions.keys()],
): Promise<PubsubNode | undefined> {
  const { contacts, notifier } = engine.parts
  const cancelled: Jid[] = []
  for (const account of of) {
    if (isSliceOver()) await nextSlice(() => {})
    for (const { jid } of node.subscriptions.get(account) ?? []) {
      if (await refusalToSubscribe(node, jid, contacts) instanceof StanzaError) cancelled.push(jid)
    }
  }
  if (cancelled.length === 0) return node
  const changed = await engine.subscribe(node, cancelled.map(jid => ({ jid, subscription: undefined })))
  if (!changed) return
  await eachInSlices(log, 'news of subscriptions that have ended', cancelled, jid => {
    notifier.tell(subscriptionEvent(node, jid, 'none'), jid)
  })
  return changed
}

export async function answerDelete (
  { engine, behaviours }: Context, publications: Publications, { owner, from, action }: Call,
): Promise<void> {
  const name = nodeIn(action)
  await engine.change(owner, name, async node => {
    checkOwner(node, from)
    await engine.delete(node)
    publications.forget(owner, name)
    await behaviours.retracted(owner, name, 'all')
    if (node.config.notify_delete) await engine.parts.notifier.notifyAll(node, endedEvent(node, 'delete'))
    return true
  })
}

export async function answerPurge (
  { engine, behaviours }: Context, publications: Publications, { owner, from, action }: Call,
): Promise<void> {
  const name = nodeIn(action)
  await engine.change(owner, name, async node => {
    checkOwner(node, from)
    if (!node.config.persist_items) throw unsupported('persistent-items') // §8.5.3.3
    if (!await engine.purge(node)) return
    publications.forget(owner, name)
    await behaviours.retracted(owner, name, 'all')
    await engine.parts.notifier.notify(node, endedEvent(node, 'purge'))
    return true
  })
}
