/**
 * Payloads that only a server or room may add to a stanza. They are removed from clients' stanzas where these are sent,
 * and from those of other servers where they arrive, so that recipients may trust them. Payloads that only rooms add
 * are removed by the rooms (src/muc), since nobody trusts them from elsewhere.
 */
import type { Element } from '../xml/element.ts'
import type { Child } from '../xml/framer.ts'
import { NS_DELAY } from './forward.ts'
import { Jid } from './jid.ts'
import { NS_CLIENT, NS_HINTS } from './ns.ts'
import { NS_STANZA_ID } from './stanza-id.ts'
import type { Stanza } from './stanza.ts'

/** Whether this server speaks for a domain. */
type IsServed = (domain: string) => boolean

type IsForged = (element: Element, sender: Jid, isServed: IsServed) => boolean

/** Elements by namespace and name, each with the test for a forged one. */
type Reserved = ReadonlyMap<string, ReadonlyMap<string, IsForged>>

/** The most reserved elements checked in one stanza; further ones are removed unchecked. */
const MAX_CHECKED = 8
/** The most bytes of a reserved element; a longer one is removed unchecked. */
const MAX_BYTES = 4096

/** In a client's stanza. */
const RESERVED: Reserved = new Map([
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

/** In a stanza of another server, whose rooms add what its clients may not: what it says in this server's name. */
const RESERVED_HERE: Reserved = new Map([
  [NS_STANZA_ID, new Map([['stanza-id', isIdByThisServer]])],
  [NS_DELAY, new Map([['delay', isDelayedByThisServer]])],
  ['jabber:x:delay', new Map([['x', isDelayedByThisServer]])],
  ['urn:xmpp:carbons:2', new Map([['sent', always], ['received', always]])],
])

/** A client's stanza without forged payloads; the same object where it has none. */
export function withoutForged (stanza: Stanza, sender: Jid, isServed: IsServed): Stanza {
  return without(RESERVED, stanza, sender, isServed)
}

/** The same for a stanza of another server. */
export function withoutForgedByServer (stanza: Stanza, sender: Jid, isServed: IsServed): Stanza {
  return without(RESERVED_HERE, stanza, sender, isServed)
}

function without (reserved: Reserved, said: Stanza, sender: Jid, isServed: IsServed): Stanza {
  const stanza = said.type === 'error' ? withoutStore(said) : said
  if (stanza.kind === 'iq' || !hasReserved(reserved, stanza.children)) return stanza
  const forged = new Set(stanza.children.filter(child => testOf(reserved, child)).filter((child, index) =>
    index >= MAX_CHECKED || child.end - child.start > MAX_BYTES ||
    testOf(reserved, child)?.(stanza.tree(child), sender, isServed)))
  return stanza.withoutPayload(child => forged.has(child))
}

/** An error is kept where this server gives a message back (`Router.giveBack`), and never since others ask for it. */
function withoutStore (error: Stanza): Stanza {
  return error.withoutPayload(({ ns, name }) => ns === NS_HINTS && name === 'store')
}

/** Called for every stanza: allocates nothing. */
function hasReserved (reserved: Reserved, children: readonly Child[]): boolean {
  for (const child of children) if (child.ns !== NS_CLIENT && testOf(reserved, child)) return true
  return false
}

function testOf (reserved: Reserved, { ns, name }: Child): IsForged | undefined {
  return reserved.get(ns)?.get(name)
}

function always (): boolean {
  return true
}

function isIdByThisServer ({ attrs: { by } }: Element, _sender: Jid, isServed: IsServed): boolean {
  return by !== undefined && isOfServed(by, isServed)
}

function isDelayedByThisServer ({ attrs: { from } }: Element, _sender: Jid, isServed: IsServed): boolean {
  return from !== undefined && isOfServed(from, isServed)
}

/** Whether an address is of this server. An invalid one counts as that. */
function isOfServed (address: string, isServed: IsServed): boolean {
  const jid = Jid.tryParse(address)
  return jid === undefined || isServed(jid.domain)
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
  return from !== undefined && !isOwn(from, sender) && isOfServed(from, isServed)
}

function isOwn (text: string | undefined, own: Jid): boolean {
  return text !== undefined && Jid.tryParse(text)?.bare.equals(own.bare) === true
}
