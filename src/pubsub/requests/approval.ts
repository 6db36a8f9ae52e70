/** XEP-0060 §8.6: the owners of a node are asked whether somebody may subscribe, and answer. */
import type { IqRequest } from '../../extension/requests.ts'
import { execute } from '../../routing/commands.ts'
import { eachInSlices } from '../../util/background.ts'
import { randomId } from '../../util/ids.ts'
import type { Element } from '../../xml/element.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { form, formValues, NS_FORMS } from '../../xmpp/forms.ts'
import { Jid } from '../../xmpp/jid.ts'
import { message } from '../../xmpp/stanza.ts'
import type { Message } from '../../xmpp/stanza.ts'
import { checkOwner } from '../access.ts'
import type { Context } from '../context.ts'
import { subscriptionEvent } from '../events.ts'
import type { Values } from '../node-config.ts'
import { ownersOf, subscriptionsOf } from '../node.ts'
import type { PubsubNode } from '../node.ts'
import { listAwaited } from '../store.ts'
import { greet } from './greet.ts'

/** §8.7. */
export const GET_PENDING = 'http://jabber.org/protocol/pubsub#get-pending'
const FORM_TYPE = 'http://jabber.org/protocol/pubsub#subscribe_authorization'

/** Asks all owners about a pending subscription. */
export function askOwners (pubsub: Context, node: PubsubNode, jid: Jid): void {
  for (const owner of ownersOf(node)) askOwner(pubsub, node, jid, Jid.kept(owner))
}

export function askOwner ({ engine }: Context, node: PubsubNode, jid: Jid, to: Jid): void {
  const title = 'Request to subscribe'
  const request = form('form', FORM_TYPE, [
    { name: 'pubsub#node', type: 'text-single', label: 'Node', values: [node.name] },
    { name: 'pubsub#subscriber_jid', type: 'jid-single', label: 'Who asks', values: [jid.toString()] },
    { name: 'pubsub#allow', type: 'boolean', label: 'Allow it?', values: ['0'] },
  ], title)
  engine.parts.notifier.tell(message('normal', { from: node.owner, id: randomId() }, request), to)
}

/** Whether a message looks like an owner's answer, which may be none all the same; costs no tree. */
export function isAnswer (message: Message): boolean {
  const child = message.children.find(({ name, ns }) => name === 'x' && ns === NS_FORMS)
  if (!child || message.type === 'error') return false
  const { attrs, xml } = message.written(child)
  return attrs['type'] === 'submit' && xml.includes(FORM_TYPE)
}

/** The values of an owner's answer; undefined where the message is none, or was cancelled. */
export function answerIn (message: Message): Values | undefined {
  const x = message.payload('x', NS_FORMS)
  if (x?.attrs['type'] !== 'submit') return
  const values = formValues(x)
  return values.get('FORM_TYPE')?.[0] === FORM_TYPE ? values : undefined
}

/** Does what an owner has answered: the subscription is approved, or ends. */
export async function decide (pubsub: Context, owner: Jid, from: Jid, values: Values): Promise<void> {
  const name = values.get('pubsub#node')?.[0] ?? ''
  const jid = Jid.tryParse(values.get('pubsub#subscriber_jid')?.[0] ?? '')
  const allow = values.get('pubsub#allow')?.[0] ?? ''
  if (!jid) throw new StanzaError('bad-request')
  const isAllowed = allow === '1' || allow === 'true'
  await pubsub.engine.change(owner, name, async node => {
    checkOwner(node, from)
    return settle(pubsub, node, jid, isAllowed)
  })
}

/** Approves or denies a pending subscription; the node as it is then, undefined where it has changed meanwhile. */
export async function settle (
  pubsub: Context, node: PubsubNode, jid: Jid, isAllowed: boolean,
): Promise<PubsubNode | undefined> {
  const { engine } = pubsub
  const pending = subscriptionsOf(node, jid).find(one => one.jid.equals(jid) && one.state === 'pending')
  if (!pending) return node // another owner was faster
  const subscription = isAllowed ? { ...pending, state: 'subscribed' } as const : undefined
  const changed = await engine.subscribe(node, [{ jid, subscription }])
  if (!changed) return
  engine.parts.notifier.tell(subscriptionEvent(changed, jid, subscription?.state ?? 'none'), jid)
  if (subscription) await greet(pubsub, changed, subscription)
  return changed
}

/** §8.7: the nodes of an owner that somebody waits for, and to be asked about them again. */
export async function answerPending (context: Context, { from, to: owner, payload }: IqRequest): Promise<Element> {
  if (payload.attrs['node'] !== GET_PENDING) throw new StanzaError('item-not-found')
  const nodes = await context.engine.parts.reading.for(from, db => listAwaited(db, owner, from))
  const choices = nodes.map(node => ({ value: node, label: node }))
  return execute(payload, {
    form: () => form('form', FORM_TYPE, [{ name: 'pubsub#node', type: 'list-single', values: [], choices }]),
    run: async values => {
      const node = await context.engine.need(owner, values.get('pubsub#node')?.[0] ?? '')
      checkOwner(node, from)
      await eachInSlices(context.log, 'requests to subscribe', [...node.subscriptions.values()].flat(),
        ({ jid, state }) => { if (state === 'pending') askOwner(context, node, jid, from) })
      return 'You are asked about each request.'
    },
  })
}
