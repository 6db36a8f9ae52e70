/** The requests of XEP-0060, by type, namespace and action. */
import type { IqRequest } from '../../extension/requests.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { NS_PUBSUB, NS_PUBSUB_OWNER } from '../../xmpp/pubsub.ts'
import type { Answer, Call, Handler, Context } from '../context.ts'
import { answerItems } from './items.ts'
import {
  answerAffiliationChanges, answerAffiliationList, answerSubscriptionChanges, answerSubscriptionList,
} from './lists.ts'
import {
  answerConfigForm, answerConfigure, answerCreate, answerDefaultConfig, answerDelete, answerPurge,
} from './nodes.ts'
import type { Publications } from './publish.ts'
import {
  answerDefaultOptions, answerNewOptions, answerOptions, answerOwnAffiliations, answerOwnSubscriptions,
  answerSubscribe, answerUnsubscribe,
} from './subscriptions.ts'

const OWN = 'owner '

export class Requests {
  readonly #pubsub: Context
  readonly #handlers: Readonly<Record<string, Handler>>

  constructor (pubsub: Context, publications: Publications) {
    this.#pubsub = pubsub
    this.#handlers = {
      'get items': answerItems,
      'get subscriptions': answerOwnSubscriptions,
      'get affiliations': answerOwnAffiliations,
      'get options': answerOptions,
      'get default': answerDefaultOptions,
      'set publish': (_pubsub, call) => publications.answer(call),
      'set retract': (_pubsub, call) => publications.answerRetract(call),
      'set create': answerCreate,
      'set subscribe': answerSubscribe,
      'set unsubscribe': answerUnsubscribe,
      'set options': answerNewOptions,
      [`get ${OWN}configure`]: answerConfigForm,
      [`get ${OWN}default`]: answerDefaultConfig,
      [`get ${OWN}subscriptions`]: answerSubscriptionList,
      [`get ${OWN}affiliations`]: answerAffiliationList,
      [`set ${OWN}configure`]: answerConfigure,
      [`set ${OWN}delete`]: (pubsub, call) => answerDelete(pubsub, publications, call),
      [`set ${OWN}purge`]: (pubsub, call) => answerPurge(pubsub, publications, call),
      [`set ${OWN}subscriptions`]: answerSubscriptionChanges,
      [`set ${OWN}affiliations`]: answerAffiliationChanges,
    }
  }

  /** Answers a request to an account or the service, at the node that owns it. */
  async answer ({ type, id, from, to, written }: IqRequest): Promise<Answer> {
    const [action, besides] = written.children(2) ?? []
    if (action?.ns !== written.ns) throw new StanzaError('bad-request')
    const name = `${type} ${written.ns === NS_PUBSUB_OWNER ? OWN : ''}${action.name}`
    const handler = Object.hasOwn(this.#handlers, name) ? this.#handlers[name] : undefined
    if (!handler) throw new StanzaError('bad-request')
    const call: Call = { owner: to, from, id, xml: written.xml, action, besides }
    const answer = await handler(this.#pubsub, call)
    if (type === 'set') await this.#pubsub.sent(to) // who has no answer asks again: then all are told, if not before
    return answer
  }
}

/** The payloads of all requests. */
export const ROUTES = (['get', 'set'] as const).flatMap(type =>
  [NS_PUBSUB, NS_PUBSUB_OWNER].map(ns => ({ type, name: 'pubsub', ns })))
