/**
 * What only servers and rooms may say of a stanza, in their own names. `Router.send` takes it off whatever a client
 * sends, so that who finds it in a stanza may believe it. What a room says of its occupants the room sees to itself
 * (src/muc), since elsewhere nobody believes that.
 */
import type { Element } from '../xml/element.ts'
import type { Child } from '../xml/framer.ts'
import { NS_DELAY } from './forward.ts'
import { Jid, JidError } from './jid.ts'
import { NS_CLIENT } from './ns.ts'
import { NS_STANZA_ID } from './stanza-id.ts'
import type { Stanza } from './stanza.ts'

/** Whether this server speaks for a domain. */
type IsServed = (domain: string) => boolean

type IsForged = (element: Element, sender: Jid, isServed: IsServed) => boolean

/** So many of these elements are looked at in one stanza; what comes after them has no meaning, and goes. */
const MAX_LOOKED_AT = 8
/** Nor has what is longer. */
const MAX_BYTES = 4096

/** By namespace and name: when such an element claims to be what its sender is not. */
const RESERVED: ReadonlyMap<string, ReadonlyMap<string, IsForged>> = new Map([
  // XEP-0359 §3, rule 2.
  [NS_STANZA_ID, new Map([['stanza-id', isIdOfSender]])],
  // XEP-0203 §5, and XEP-0091, which clients read as well.
  [NS_DELAY, new Map([['delay', isDelayedByOther]])],
  ['jabber:x:delay', new Map([['x', isDelayedByOther]])],
  // XEP-0045 §7.2.13: whose message it was first, by XEP-0033, as a room says.
  ['http://jabber.org/protocol/address', new Map([['addresses', isOfOther]])],
  // XEP-0280 §11: it comes from the account itself, and some clients have believed others.
  ['urn:xmpp:carbons:2', new Map([['sent', always], ['received', always]])],
  // XEP-0425 §5.
  ['urn:xmpp:message-retract:1', new Map([['retract', isModerated]])],
])

/** The stanza without what the client that sends it may not say; itself where there is nothing of that. */
export function withoutForged (stanza: Stanza, sender: Jid, isServed: IsServed): Stanza {
  if (stanza.kind === 'iq' || !hasReserved(stanza.children)) return stanza
  const forged = new Set(stanza.children.filter(isReserved).filter((child, index) =>
    index >= MAX_LOOKED_AT || child.end - child.start > MAX_BYTES ||
    RESERVED.get(child.ns)?.get(child.name)?.(stanza.tree(child), sender, isServed)))
  return stanza.withoutPayload(child => forged.has(child))
}

/** For every stanza of every client. */
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
  return addressOf(by)?.equals(sender.bare) === true
}

function isOfOther ({ children }: Element): boolean {
  return children.some(child => typeof child !== 'string' && child.attrs['type'] === 'ofrom')
}

function isModerated (element: Element): boolean {
  return element.getChild('moderated', 'urn:xmpp:message-moderate:1') !== undefined
}

/** By this server, a room or another account; what is no address can be anybody's. A client may say that it was itself. */
function isDelayedByOther ({ attrs: { from } }: Element, sender: Jid, isServed: IsServed): boolean {
  if (from === undefined || isOwn(from, sender)) return false
  const by = addressOf(from)
  return by === undefined || isServed(by.domain)
}

function isOwn (text: string | undefined, own: Jid): boolean {
  return text !== undefined && addressOf(text)?.bare.equals(own.bare) === true
}

function addressOf (text = ''): Jid | undefined {
  try {
    return Jid.parse(text)
  } catch (error) {
    if (error instanceof JidError) return
    throw error
  }
}
