/** Which stanzas an inactive client need not be sent at once (XEP-0352 §3.2). */
import { NS_CLIENT, NS_MUC_USER } from '../../src/extension/api.ts'
import type { Element, Jid, Message, Presence, Stanza } from '../../src/extension/api.ts'

const NS_CHAT_STATES = 'http://jabber.org/protocol/chatstates'
const NS_CARBONS = 'urn:xmpp:carbons:2'
const NS_FORWARD = 'urn:xmpp:forward:0'
/** Payloads that say nothing without another one. */
const BESIDES: ReadonlySet<string> = new Set([
  NS_CHAT_STATES, 'urn:xmpp:hints', 'urn:xmpp:sid:0', 'urn:xmpp:delay', 'urn:xmpp:occupant-id:0',
])
/** XEP-0045 §7.2.2 and others: this is about the client itself. */
const SELF = '110'

/**
 * Presence of others and mere chat states, copies of them included. Not requests for subscriptions, errors, and what a
 * room says of the client itself: that is often what it waits for.
 */
export function canWait (stanza: Stanza, client: Jid): boolean {
  if (stanza.kind === 'presence') return isOfOthers(stanza, client)
  return stanza.kind === 'message' && stanza.type !== 'error' && isChatState(stanza)
}

function isOfOthers (presence: Presence, client: Jid): boolean {
  if (presence.type !== 'available' && presence.type !== 'unavailable') return false
  if (presence.from === undefined || presence.from.equals(client)) return false
  if (!presence.inner.includes(SELF)) return true // most are: nothing to parse
  const statuses = presence.payload('x', NS_MUC_USER)?.getChildren('status') ?? []
  return statuses.every(status => status.attrs['code'] !== SELF)
}

function isChatState (message: Message): boolean {
  if (!message.inner.includes(NS_CHAT_STATES)) return false
  const [first] = message.children
  if (first?.ns !== NS_CARBONS) return isMere(message.children)
  const copied = message.payload(first.name, NS_CARBONS)?.getChild('forwarded', NS_FORWARD)?.getChild('message')
  return copied !== undefined && isMere(copied.getChildElements().map(nameOf))
}

function nameOf (element: Element): { readonly name: string, readonly ns: string } {
  return { name: element.getName(), ns: element.getNS() ?? '' }
}

function isMere (children: readonly { readonly name: string, readonly ns: string }[]): boolean {
  return children.some(({ ns }) => ns === NS_CHAT_STATES) &&
    children.every(({ name, ns }) => ns === NS_CLIENT ? name === 'thread' : BESIDES.has(ns))
}
