/** The errors of XEP-0060: a condition of RFC 6120 with one of the protocol's own. */
import { StanzaError } from '../xmpp/errors.ts'
import type { StanzaErrorCondition, StanzaErrorType } from '../xmpp/errors.ts'
import { NS_PUBSUB_ERRORS } from '../xmpp/pubsub.ts'

/** The conditions of `#errors` with the stanza error that goes with each, and its type where that is not the usual. */
const CONDITIONS = {
  'closed-node': ['not-allowed'],
  'invalid-jid': ['bad-request'],
  'invalid-options': ['bad-request'],
  'invalid-payload': ['bad-request'],
  'item-forbidden': ['bad-request'],
  'item-required': ['bad-request'],
  'jid-required': ['bad-request'],
  'max-nodes-exceeded': ['not-allowed'],
  'node-full': ['conflict'],
  'nodeid-required': ['bad-request'],
  'not-in-roster-group': ['not-authorized'],
  'not-subscribed': ['not-authorized'],
  'payload-required': ['bad-request'],
  'payload-too-big': ['not-acceptable'],
  'pending-subscription': ['not-authorized'],
  'precondition-not-met': ['conflict'],
  'presence-subscription-required': ['not-authorized'],
  'too-many-subscriptions': ['policy-violation', 'wait'],
} as const satisfies Record<string, readonly [StanzaErrorCondition, StanzaErrorType?]>

export function pubsubError (name: keyof typeof CONDITIONS, text?: string): StanzaError {
  const [condition, type]: readonly [StanzaErrorCondition, StanzaErrorType?] = CONDITIONS[name]
  return new StanzaError(condition, text, { name, ns: NS_PUBSUB_ERRORS }, type)
}

/** §6.2.3.2 and §6.3.4.2: no such subscription. */
export function notSubscribed (): StanzaError {
  return new StanzaError('unexpected-request', undefined, { name: 'not-subscribed', ns: NS_PUBSUB_ERRORS }, 'cancel')
}

/** The node or the service does not do that. */
export function unsupported (feature: string): StanzaError {
  return new StanzaError('feature-not-implemented', undefined,
    { name: 'unsupported', ns: NS_PUBSUB_ERRORS, attrs: { feature } })
}
