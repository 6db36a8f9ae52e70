/**
 * Payloads that only a server or room may add to a stanza. `Router.send` removes them from clients' stanzas, so that
 * recipients may trust them. Payloads that only rooms add are removed by the rooms (src/muc), since nobody trusts them
 * from elsewhere.
 */
import type { Element } from '../xml/element.ts'
import type { Child } from '../xml/framer.ts'
import { NS_DELAY } from './forward.ts'
import { Jid } from './jid.ts'
import { NS_CLIENT } from './ns.ts'
import { NS_STANZA_ID } from './stanza-id.ts'
import type { Stanza } from './stanza.ts'

/** Whether this server speaks for a domain. */
type IsServed = (domain: string) => boolean

type IsForged = (element: Element, sender: Jid, isServed: IsServed) => boolean

/** The most reserved elements checked in one stanza; further ones are removed unchecked. */
const MAX_CHECKED = 8
/** The most bytes of a reserved element; a longer one is removed unchecked. */
const MAX_BYTES = 4096

/** The reserved elements by namespace and name, each with the test for a forged one. */
const RESERVED: ReadonlyMap<string, ReadonlyMap<string, IsForged>> = new Map([
  // XEP-0359 §3, rule 2.
  [NS_STANZA_ID, new Map([['stanza-id', isIdOfSender]])],
  // XEP-0203 §5, and XEP-0091, which clients read as well.
  [NS_DELAY, new Map([['delay', isDelayedByOther]])],
  ['jabber:x:delay', new Map([['x', isDelayedByOther]])],
  // XEP-0045 §7.2.13: a room's statement of the original sender, by XEP-0033.
  ['http://jabber.org/protocol/address', new Map([['addresses', isOfOther]])],
  // XEP-0280 §11: only the own account sends carbons, and some clients have trusted those of others.
  ['urn:xmpp:carbons:2', new Map([['sent', always], ['received', always]])],
  // XEP-0425 §5.
  ['urn:xmpp:message-retract:1', new Map([['retract', isModerated]])],
])

/** The stanza without forged payloads; the same object where it has none. */
export function withoutForged (stanza: Stanza, sender: Jid, isServed: IsServed): Stanza {
  if (stanza.kind === 'iq' || !hasReserved(stanza.children)) return stanza
  const forged = new Set(stanza.children.filter(isReserved).filter((child, index) =>
    index >= MAX_CHECKED || child.end - child.start > MAX_BYTES ||
    RESERVED.get(child.ns)?.get(child.name)?.(stanza.tree(child), sender, isServed)))
  return stanza.withoutPayload(child => forged.has(child))
}

/** Called for every stanza of a client: allocates nothing. */
function hasReserved (children: readonly Child[]): boolean {
  for (const child of children) if (child.ns !== NS_CLIENT && isReserved(child)) return true
  return false
}

function isReserved ({ ns, name }: Child): boolean {
  return RESERVED.get(ns)?.has(name) === true
}

function always (): boolean {
  return true
}

function isIdOfSender ({ attrs: { by } }: Element, sender: Jid): boolean {
  return by !== undefined && Jid.tryParse(by)?.equals(sender.bare) === true
}

function isOfOther ({ children }: Element): boolean {
  return children.some(child => typeof child !== 'string' && child.attrs['type'] === 'ofrom')
}

function isModerated (element: Element): boolean {
  return element.getChild('moderated', 'urn:xmpp:message-moderate:1') !== undefined
}

/**
 * Whether the delay claims to be by this server, a room or another account. An invalid address counts as one of those;
 * the sender's own address is allowed.
 */
function isDelayedByOther ({ attrs: { from } }: Element, sender: Jid, isServed: IsServed): boolean {
  if (from === undefined || isOwn(from, sender)) return false
  const by = Jid.tryParse(from)
  return by === undefined || isServed(by.domain)
}

function isOwn (text: string | undefined, own: Jid): boolean {
  return text !== undefined && Jid.tryParse(text)?.bare.equals(own.bare) === true
}
