/** XEP-0060: Publish-Subscribe: its namespaces, and the events that the recipient's owner node filters (XEP-0163). */
import type { Stanza } from './stanza.ts'

export const NS_PUBSUB = 'http://jabber.org/protocol/pubsub'
export const NS_PUBSUB_OWNER = `${NS_PUBSUB}#owner`
export const NS_PUBSUB_EVENT = `${NS_PUBSUB}#event`
export const NS_PUBSUB_ERRORS = `${NS_PUBSUB}#errors`

/**
 * Whether it is an event of an account for whichever sessions of another want events of that node (XEP-0163 §4.2):
 * sent to the bare address, as one multicast to all contacts. Nothing that a client sends is a multicast.
 */
export function isForInterested (stanza: Stanza): boolean {
  return stanza.isMulticast && stanza.kind === 'message' && stanza.type === 'headline' && stanza.to?.isBare === true &&
    stanza.from !== undefined && stanza.from.local !== '' && stanza.has('event', NS_PUBSUB_EVENT)
}
