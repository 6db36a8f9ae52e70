/** XEP-0297: Stanza Forwarding and XEP-0203: Delayed Delivery: a stanza within another as the bytes that it is. */
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import type { Child } from '../xml/framer.ts'
import type { Content, Message } from './stanza.ts'

export const NS_DELAY = 'urn:xmpp:delay'

/** When something was sent first, in milliseconds since 1970, and who held it up. */
export function delay (sentAt: number, from?: string): Element {
  return el('delay', NS_DELAY, { from, stamp: new Date(sentAt).toISOString() })
}

/** Who has held up what has that content. */
const delayers = new WeakMap<readonly Child[], readonly string[]>()
const NOBODY: readonly string[] = []

/**
 * Who is said to have held the message up: looked for once for all that it is sent to. In the name of an address here
 * only who has it says so (forged.ts).
 */
export function delayedBy (message: Message): readonly string[] {
  if (!message.has('delay', NS_DELAY)) return NOBODY
  const known = delayers.get(message.children)
  if (known) return known
  const all = message.children.filter(({ name, ns }) => name === 'delay' && ns === NS_DELAY)
  const found = all.flatMap(child => message.attributesOfChild(child)['from'] ?? [])
  delayers.set(message.children, found)
  return found
}

/**
 * What a message holds that carries another, as `toBytes` gives it, in an element that is like `wrapper` but not empty.
 */
export function forwarded (wrapper: Element, stanza: Buffer, sentAt?: number): Content {
  const opening = wrapper.toString().slice(0, -'/>'.length) + "><forwarded xmlns='urn:xmpp:forward:0'>" +
    (sentAt === undefined ? '' : delay(sentAt).toString())
  const inner = Buffer.concat([Buffer.from(opening), stanza, Buffer.from(`</forwarded></${wrapper.name}>`)])
  return { inner, children: [{ name: wrapper.getName(), ns: wrapper.getNS() ?? '', start: 0, end: inner.length }] }
}
