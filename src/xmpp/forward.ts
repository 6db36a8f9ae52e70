/** XEP-0297: Stanza Forwarding and XEP-0203: Delayed Delivery; a forwarded stanza is copied as bytes. */
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import type { Child } from '../xml/framer.ts'
import type { Content, Message } from './stanza.ts'

export const NS_DELAY = 'urn:xmpp:delay'

/** The delay of a stanza first sent at `sentAt` (milliseconds since 1970), and delayed by `from`. */
export function delay (sentAt: number, from?: string): Element {
  return el('delay', NS_DELAY, { from, stamp: new Date(sentAt).toISOString() })
}

/** The message's content, by which a repeat is recognised: without a delay, which may have been added since. */
export function undelayedContent (message: Message): Buffer {
  return message.withoutPayload(({ name, ns }) => name === 'delay' && ns === NS_DELAY).inner
}

/** A cache of `delayedBy`, by content. */
const delayers = new WeakMap<readonly Child[], readonly string[]>()
const NOBODY: readonly string[] = []

/**
 * The `from` addresses of the message's delays, found once for all its recipients. Those of this server's domains are
 * not forged (forged.ts).
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
 * The content of a message that carries another one: `wrapper`, an empty element, around the stanza as `toBytes` writes
 * it.
 */
export function forwarded (wrapper: Element, stanza: Buffer, sentAt?: number): Content {
  const opening = wrapper.toString().slice(0, -'/>'.length) + "><forwarded xmlns='urn:xmpp:forward:0'>" +
    (sentAt === undefined ? '' : delay(sentAt).toString())
  const inner = Buffer.concat([Buffer.from(opening), stanza, Buffer.from(`</forwarded></${wrapper.name}>`)])
  return { inner, children: [{ name: wrapper.getName(), ns: wrapper.getNS() ?? '', start: 0, end: inner.length }] }
}
