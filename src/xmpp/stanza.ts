/**
 * The three stanzas of RFC 6120 §8: a header and the bytes of the content, both immutable. Methods that change one
 * return another. The tree of a payload is built only when a caller asks for it.
 */
import { attributesOf, el, parseChild } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import type { Child } from '../xml/framer.ts'
import { Written } from '../xml/written.ts'
import { escapeAttribute } from '../xml/write.ts'
import { hasChild } from './children.ts'
import { StanzaError } from './errors.ts'
import type { Jid } from './jid.ts'
import { NS_CLIENT, NS_MUC, NS_STANZA_ERRORS } from './ns.ts'

export type MessageType = 'normal' | 'chat' | 'groupchat' | 'headline' | 'error'
export type PresenceType =
  | 'available' | 'unavailable' | 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed' | 'probe' | 'error'
export type IqType = 'get' | 'set' | 'result' | 'error'

export type Message = StanzaOf<'message', MessageType>
export type Presence = StanzaOf<'presence', PresenceType>
export type Iq = StanzaOf<'iq', IqType>
export type Stanza = Message | Presence | Iq

/** The header of a stanza. */
export interface Header {
  readonly from?: Jid | undefined
  readonly to?: Jid | undefined
  readonly id?: string | undefined
  readonly lang?: string | undefined
  readonly attributes?: string
  /** The message's number in the archive of the account it is delivered to; clients do not see it. */
  readonly archiveNumber?: string | undefined
  /** Identifies a message without an id when its client sends it again, to this or another node. */
  readonly dedupKey?: string | undefined
  /** The stanza may have reached its recipients before, from a node that is gone. */
  readonly isRedelivery?: boolean | undefined
  /** The author's real address in a message from a room, for blocking; clients do not see it. */
  readonly author?: Jid | undefined
}

/** A derived stanza whose header is still being set. */
interface Draft {
  from: Jid | undefined
  to: Jid | undefined
  id: string | undefined
  archiveNumber: string | undefined
  dedupKey: string | undefined
  isRedelivery: boolean
  author: Jid | undefined
}

/** The bytes between a stanza's tags, and its child elements. */
export interface Content {
  readonly inner: Buffer
  /** Offsets are into `inner`. */
  readonly children: readonly Child[]
}

/** Shared by the copies of a multicast: the bytes behind the address, and the copied content, each once it exists. */
interface Common { bytes?: Buffer, kept?: Buffer }

/** The most elements in a tree: more than in the longest list a client may send, 1000 addresses with a reason each. */
export const MAX_TREE = 4096

const NOTHING = Buffer.alloc(0)
/** Copied contents, by their original. A small content is copied faster than looked up. */
const KEPT = new WeakMap<Buffer, Buffer>()
const SHARED_BYTES = 1024
const NO_CHILDREN: readonly Child[] = []

export class StanzaOf<Kind extends 'message' | 'presence' | 'iq', Type extends string> {
  readonly kind: Kind
  readonly type: Type
  readonly from: Jid | undefined
  readonly to: Jid | undefined
  readonly id: string | undefined
  readonly lang: string | undefined
  /** Attributes other than those above, as raw XML with a leading space each. */
  readonly attributes: string
  readonly archiveNumber: string | undefined
  readonly dedupKey: string | undefined
  readonly isRedelivery: boolean
  readonly author: Jid | undefined
  /** The bytes between the opening and the closing tag, in the default namespace jabber:client. */
  readonly inner: Buffer
  /** The direct child elements; offsets are into `inner`. */
  readonly children: readonly Child[]
  #openingTag: string | undefined
  #common: Common | undefined

  constructor (kind: Kind, type: Type, header: Header, inner: Buffer = NOTHING, children = NO_CHILDREN) {
    this.kind = kind
    this.type = type
    this.from = header.from
    this.to = header.to
    this.id = header.id
    this.lang = header.lang
    this.attributes = header.attributes ?? ''
    this.archiveNumber = header.archiveNumber
    this.dedupKey = header.dedupKey
    this.isRedelivery = header.isRedelivery === true
    this.author = header.author
    this.inner = inner
    this.children = children
  }

  /** About the bytes that its sender has chosen: the content, and the attributes other than addresses. */
  get weight (): number {
    return this.inner.length + this.attributes.length + (this.id?.length ?? 0) + (this.lang?.length ?? 0)
  }

  /** Whether there is a child of that name and namespace; needs no tree. */
  has (name: string, ns: string): boolean {
    return hasChild(this.children, name, ns)
  }

  /** The tree of the first child of that name and namespace. Throws as `tree` does. */
  payload (name: string, ns: string): Element | undefined {
    const child = this.#child(name, ns)
    return child && this.tree(child)
  }

  /**
   * The tree of one of `children`, without a parent. Throws StanzaError policy-violation where it has more than 4096
   * elements, since a tree costs many times as much as its bytes.
   */
  tree (child: Child): Element {
    const tree = parseChild(this.#frame, child, MAX_TREE)
    if (!tree) {
      throw new StanzaError('policy-violation', `the stanza has too many elements: at most ${MAX_TREE} are allowed`)
    }
    return tree
  }

  /** The attributes of the first child of that name and namespace; its content is not parsed. */
  attributesOf (name: string, ns: string): Element['attrs'] | undefined {
    const child = this.#child(name, ns)
    return child && this.attributesOfChild(child)
  }

  /** The attributes of one of `children`. */
  attributesOfChild (child: Child): Element['attrs'] {
    return attributesOf(this.#frame, child)
  }

  #child (name: string, ns: string): Child | undefined {
    return this.children.find(child => child.name === name && child.ns === ns)
  }

  get #frame (): Content & { readonly ns: string, readonly attributes: string } {
    return { inner: this.inner, children: this.children, ns: NS_CLIENT, attributes: this.attributes }
  }

  /** One of `children` as XML that is valid on its own. */
  written (child: Child): Written {
    return Written.child(this.#frame, child)
  }

  /** The stanza with other addresses, and without an archive number. */
  withAddress (from: Jid | undefined, to: Jid | undefined): StanzaOf<Kind, Type> {
    const addressed = this.#draft()
    addressed.from = from
    addressed.to = to
    addressed.archiveNumber = undefined
    return addressed
  }

  /** A copy to another address, as part of a multicast: the common part is serialised once. */
  copyFor (to: Jid): StanzaOf<Kind, Type> {
    const copy = this.withAddress(this.from, to)
    copy.#common = this.#common ??= {}
    return copy
  }

  /** Whether both are copies of one multicast, which differ only in the address. */
  isSameMulticast (other: Stanza): boolean {
    return this.#common !== undefined && this.#common === other.#common && this.isRedelivery === other.isRedelivery
  }

  get isMulticast (): boolean {
    return this.#common !== undefined
  }

  /** The stanza marked as one that may have been delivered before. */
  asRedelivery (): StanzaOf<Kind, Type> {
    const again = this.#draft()
    again.isRedelivery = true
    again.#common = this.#common
    return again
  }

  /** The stanza with another id. */
  withId (id: string): StanzaOf<Kind, Type> {
    const renamed = this.#draft()
    renamed.id = id
    return renamed
  }

  /** The stanza with its number in the archive of the account it is delivered to. */
  withArchiveNumber (archiveNumber: string): StanzaOf<Kind, Type> {
    const held = this.#draft()
    held.archiveNumber = archiveNumber
    return held
  }

  /** The stanza with a dedup key. */
  withDedupKey (dedupKey: string): StanzaOf<Kind, Type> {
    const identified = this.#draft()
    identified.dedupKey = dedupKey
    return identified
  }

  /** The stanza with the real address of its author. */
  authoredBy (author: Jid): StanzaOf<Kind, Type> {
    const authored = this.#draft()
    authored.author = author
    return authored
  }

  /**
   * The stanza in memory of its own, for holding it longer: bytes from the network keep their whole buffer alive.
   * Copies of the same content share the memory.
   */
  copy (): StanzaOf<Kind, Type> {
    const { inner } = this
    const kept = inner.length === 0 ? NOTHING : this.#common ? this.#common.kept ??= keep(inner) : keep(inner)
    if (kept === inner) return this
    const copy = this.#draft(kept)
    copy.#common = this.#common
    return copy
  }

  /** The stanza with more payloads, at the end. */
  withPayload (...payloads: readonly Element[]): StanzaOf<Kind, Type> {
    const added = content(payloads, this.inner.length)
    return this.#draft(Buffer.concat([this.inner, added.inner]), [...this.children, ...added.children])
  }

  /** The stanza with another payload that is XML already. */
  withWritten (name: string, ns: string, xml: string): StanzaOf<Kind, Type> {
    return this.#withWritten(name, ns, xml)
  }

  /** The stanza with its archive number, and with a payload of that name that tells the client its id, as XML. */
  archivedAs (archiveNumber: string, name: string, ns: string, xml: string): StanzaOf<Kind, Type> {
    const kept = this.#withWritten(name, ns, xml)
    kept.archiveNumber = archiveNumber
    if (this.inner.length > 0) kept.#openingTag = this.#openingTag
    return kept
  }

  #withWritten (name: string, ns: string, xml: string): StanzaOf<Kind, Type> & Draft {
    const { length } = this.inner
    const inner = Buffer.allocUnsafe(length + Buffer.byteLength(xml))
    this.inner.copy(inner)
    inner.write(xml, length)
    return this.#draft(inner, [...this.children, { name, ns, start: length, end: inner.length }])
  }

  #draft (inner = this.inner, children = this.children): StanzaOf<Kind, Type> & Draft {
    return new StanzaOf(this.kind, this.type, this, inner, children)
  }

  /** The stanza without the payloads for which `unwanted` holds; the same object where there are none. */
  withoutPayload (unwanted: (child: Child) => boolean): StanzaOf<Kind, Type> {
    if (!this.children.some(unwanted)) return this
    const kept: Buffer[] = []
    const children: Child[] = []
    let at = 0
    let cut = 0
    for (const child of this.children) {
      if (unwanted(child)) {
        kept.push(this.inner.subarray(at, child.start))
        at = child.end
        cut += child.end - child.start
      } else {
        children.push({ name: child.name, ns: child.ns, start: child.start - cut, end: child.end - cut })
      }
    }
    kept.push(this.inner.subarray(at))
    return this.#draft(Buffer.concat(kept), children)
  }

  /** The opening tag on a stream whose default namespace is jabber:client. */
  openingTag (): string {
    return this.#openingTag ??= this.#writeOpeningTag()
  }

  #writeOpeningTag (): string {
    const from = this.from ? ` from='${this.from.attribute}'` : ''
    const to = this.to ? ` to='${this.to.attribute}'` : ''
    return '<' + this.kind + from + to + this.#writeAttributes()
  }

  /** The attributes but the addresses, and the end of the opening tag. */
  #writeAttributes (): string {
    let tag = ''
    if (this.id !== undefined) tag += ` id='${escapeAttribute(this.id)}'`
    if (!isDefaultType(this.kind, this.type)) tag += ` type='${this.type}'`
    if (this.lang !== undefined) tag += ` xml:lang='${escapeAttribute(this.lang)}'`
    return tag + this.attributes + (this.inner.length === 0 ? '/>' : '>')
  }

  /** Of a multicast copy, the bytes behind the kind and the address, on a stream of jabber:client. */
  get commonBytes (): Buffer | undefined {
    if (this.#common) return this.#common.bytes ??= this.#writeCommon()
  }

  #writeCommon (): Buffer {
    const from = this.from ? ` from='${this.from.attribute}'` : ''
    const opening = Buffer.from(from + this.#writeAttributes())
    if (this.inner.length === 0) return opening
    return Buffer.concat([opening, this.inner, Buffer.from(`</${this.kind}>`)])
  }

  /** The stanza as XML; without `ns` in the namespace of its surroundings. */
  toXml (ns?: string): string {
    const opening = this.openingTag()
    const declared = ns === undefined ? opening : `<${this.kind} xmlns='${ns}'${opening.slice(this.kind.length + 1)}`
    return this.inner.length === 0 ? declared : `${declared}${this.inner.toString()}</${this.kind}>`
  }

  /** The stanza as XML in UTF-8, with its namespace: for storing, and for `storedStanza` (read-stanza.ts). */
  toBytes (): Buffer {
    const opening = `<${this.kind} xmlns='${NS_CLIENT}'${this.openingTag().slice(this.kind.length + 1)}`
    if (this.inner.length === 0) return Buffer.from(opening)
    const closing = `</${this.kind}>`
    const bytes = Buffer.allocUnsafe(Buffer.byteLength(opening) + this.inner.length + closing.length)
    const at = bytes.write(opening)
    bytes.set(this.inner, at)
    bytes.write(closing, at + this.inner.length)
    return bytes
  }

  /** The stanza for logs: without its content. */
  summary (): string {
    return `<${this.kind} ${this.type} from=${this.from} to=${this.to} id=${this.id}>`
  }
}

function keep (content: Buffer): Buffer {
  if (content.length < SHARED_BYTES) return Buffer.from(content)
  const known = KEPT.get(content)
  if (known) return known
  const copy = Buffer.from(content)
  KEPT.set(content, copy).set(copy, copy)
  return copy
}

function isDefaultType (kind: string, type: string): boolean {
  return (type === 'normal' && kind === 'message') || (type === 'available' && kind === 'presence')
}

/** The concatenated bytes of some elements, and their positions when the first begins at `offset`. */
function content (payloads: readonly (Element | Written)[], offset = 0): Content {
  const children: Child[] = []
  const parts: Buffer[] = []
  let start = offset
  for (const payload of payloads) {
    const { name, ns, xml } = payload instanceof Written ? payload
      : { name: payload.getName(), ns: payload.getNS() ?? NS_CLIENT, xml: payload.toString(NS_CLIENT) }
    const part = Buffer.from(xml)
    children.push({ name, ns, start, end: start + part.length })
    parts.push(part)
    start += part.length
  }
  return { inner: parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts), children }
}

/** A new message. */
export function message (type: MessageType, header: Header, ...payloads: readonly Element[]): Message {
  const { inner, children } = content(payloads)
  return new StanzaOf('message', type, header, inner, children)
}

/** A new message with an existing content, which several messages may share. */
export function messageWith (type: MessageType, header: Header, { inner, children }: Content): Message {
  return new StanzaOf('message', type, header, inner, children)
}

/** A new presence. */
export function presence (type: PresenceType, header: Header, ...payloads: readonly Element[]): Presence {
  const { inner, children } = content(payloads)
  return new StanzaOf('presence', type, header, inner, children)
}

/** A new iq. */
export function iq (type: IqType, header: Header, ...payloads: readonly (Element | Written)[]): Iq {
  const { inner, children } = content(payloads)
  return new StanzaOf('iq', type, header, inner, children)
}

/** RFC 6120 §8.2.3: the result of a request, from its recipient to its sender. */
export function result (request: Iq, payload?: Element | Written): Iq {
  const header = { from: request.to, to: request.from, id: request.id }
  return payload ? iq('result', header, payload) : iq('result', header)
}

/**
 * RFC 6120 §8.3: the error that answers a stanza, without its payload; callers must not answer an error or a result.
 * `by` is the entity that refused the stanza, if that is not its recipient.
 */
export function errorReply (stanza: Stanza, error: StanzaError, by?: Jid): Stanza {
  const header = { from: stanza.to, to: stanza.from, id: stanza.id }
  // XEP-0045 §7.2: by this payload clients recognise the error of a join, whichever entity sends it.
  const entry = stanza.kind === 'presence' && stanza.has('x', NS_MUC) ? [el('x', NS_MUC)] : []
  const { inner, children } = content([errorElement(error, by), ...entry])
  return new StanzaOf(stanza.kind, 'error', header, inner, children) as Stanza
}

/** `<error/>` (RFC 6120 §8.3.2). */
function errorElement (error: StanzaError, by: Jid | undefined): Element {
  return el('error', NS_CLIENT, { type: error.type, by: by?.toString() },
    el(error.condition, NS_STANZA_ERRORS),
    error.text === undefined ? undefined : el('text', NS_STANZA_ERRORS, { 'xml:lang': 'en' }, error.text),
    error.detail && el(error.detail.name, error.detail.ns, error.detail.attrs))
}
