/** XEP-0060: Publish-Subscribe: its namespaces, and the events that the recipient's owner node filters (XEP-0163). */
import type { Stanza } from './stanza.ts'

export const NS_PUBSUB = 'http://jabber.org/protocol/pubsub'
export const NS_PUBSUB_OWNER = `${NS_PUBSUB}#owner`
export const NS_PUBSUB_EVENT = `${NS_PUBSUB}#event`
export const NS_PUBSUB_ERRORS = `${NS_PUBSUB}#errors`

/**
 * Whether it is an event of a node, sent to many at once, that means something only to sessions. Nothing that a client
 * sends is a multicast.
 */
export function isEvent (stanza: Stanza): boolean {
  return stanza.isMulticast && stanza.kind === 'message' && stanza.type === 'headline' &&
    stanza.has('event', NS_PUBSUB_EVENT)
}

/** Whether it is an account's, to the bare address of another, for those of its sessions that want it (XEP-0163). */
export function isForInterested (stanza: Stanza): boolean {
  return isEvent(stanza) && stanza.to?.isBare === true && stanza.from !== undefined && stanza.from.local !== ''
}
