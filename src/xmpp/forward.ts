/** XEP-0297: Stanza Forwarding and XEP-0203: Delayed Delivery: a stanza within another as the bytes that it is. */
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import type { Content } from './stanza.ts'

export const NS_DELAY = 'urn:xmpp:delay'

/** When something was sent first, in milliseconds since 1970, and who held it up. */
export function delay (sentAt: number, from?: string): Element {
  return el('delay', NS_DELAY, { from, stamp: new Date(sentAt).toISOString() })
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
