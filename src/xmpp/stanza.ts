/**
 * The three stanzas of RFC 6120 §8. A stanza is its header and the bytes of its content, and never changes: what
 * alters one makes another. The tree of a stanza, or of one payload, is built only when somebody asks for it.
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

/** What is known of a stanza without a tree: its addresses, its other attributes as raw XML, and its content. */
export interface Header {
  readonly from?: Jid | undefined
  readonly to?: Jid | undefined
  readonly id?: string | undefined
  readonly lang?: string | undefined
  readonly attributes?: string
  /** Under which number the account that it is delivered to keeps it, or what it carries: its own, which no client sees. */
  readonly archiveId?: string | undefined
  /** The same for a message that its client sends again, where the client's session can go on at another node. */
  readonly dedupKey?: string | undefined
  /** It may have been handed over before, by a node that is gone. */
  readonly isRedelivery?: boolean | undefined
  /** Whose it is, by his own address, where a room says it under his nick: for those who have blocked him, and no client. */
  readonly author?: Jid | undefined
}

/** What one stanza made of another may have of its own: to be written before anybody sees it. */
interface Draft {
  from: Jid | undefined
  to: Jid | undefined
  id: string | undefined
  archiveId: string | undefined
  dedupKey: string | undefined
  isRedelivery: boolean
  author: Jid | undefined
}

/** What stands between a stanza's tags. */
export interface Content {
  readonly inner: Buffer
  /** Offsets are into `inner`. */
  readonly children: readonly Child[]
}

/**
 * What copies for many have in common: all that follows the address, once it was written, and the content, once it was
 * kept.
 */
interface Common { bytes?: Buffer, kept?: Buffer }

/** More elements than in the longest list that a client may send: 1000 addresses, each with a reason. */
const MAX_TREE = 4096

const NOTHING = Buffer.alloc(0)
/** Content in memory of its own, by the content that it is a copy of. What is small is copied sooner than found. */
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
  readonly archiveId: string | undefined
  readonly dedupKey: string | undefined
  readonly isRedelivery: boolean
  readonly author: Jid | undefined
  /** The bytes between the opening and the closing tag, in the default namespace jabber:client. */
  readonly inner: Buffer
  /** The direct child elements; offsets are into `inner`. */
  readonly children: readonly Child[]
  /** Once it was written. */
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
    this.archiveId = header.archiveId
    this.dedupKey = header.dedupKey
    this.isRedelivery = header.isRedelivery === true
    this.author = header.author
    this.inner = inner
    this.children = children
  }

  /** How many bytes of it are its sender's to choose, more or less: its content and what attributes it has besides addresses. */
  get weight (): number {
    return this.inner.length + this.attributes.length + (this.id?.length ?? 0) + (this.lang?.length ?? 0)
  }

  /** The child of that name and namespace, without a tree. */
  has (name: string, ns: string): boolean {
    return hasChild(this.children, name, ns)
  }

  /** The tree of the first child of that name and namespace; it stands on its own. Throws as `tree` does. */
  payload (name: string, ns: string): Element | undefined {
    const child = this.#child(name, ns)
    return child && this.tree(child)
  }

  /**
   * The tree of one of `children`; it stands on its own. Throws StanzaError policy-violation where it has more elements
   * than anything that the server has to read: a tree costs many times as much as to pass its bytes on.
   */
  tree (child: Child): Element {
    const tree = parseChild(this.#frame, child, MAX_TREE)
    if (!tree) {
      throw new StanzaError('policy-violation', `the stanza has too many elements: at most ${MAX_TREE} are allowed`)
    }
    return tree
  }

  /** What attributes the first child of that name and namespace has: what is in it costs nothing. */
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

  /** One of `children` as it came; it stands on its own. */
  written (child: Child): Written {
    return Written.child(this.#frame, child)
  }

  /** The same stanza with other addresses, and so in nobody's archive. */
  withAddress (from: Jid | undefined, to: Jid | undefined): StanzaOf<Kind, Type> {
    const addressed = this.#draft()
    addressed.from = from
    addressed.to = to
    addressed.archiveId = undefined
    return addressed
  }

  /** The same stanza to somebody else, as one of many: what they have in common is written once. */
  copyFor (to: Jid): StanzaOf<Kind, Type> {
    const copy = this.withAddress(this.from, to)
    copy.#common = this.#common ??= {}
    return copy
  }

  /** Whether both are copies of one, which differ in nothing but the address. */
  isSameMulticast (other: Stanza): boolean {
    return this.#common !== undefined && this.#common === other.#common && this.isRedelivery === other.isRedelivery
  }

  get isMulticast (): boolean {
    return this.#common !== undefined
  }

  /** The same stanza, which may have been handed over before. */
  asRedelivery (): StanzaOf<Kind, Type> {
    const again = this.#draft()
    again.isRedelivery = true
    again.#common = this.#common
    return again
  }

  /** The same stanza with another id. */
  withId (id: string): StanzaOf<Kind, Type> {
    const renamed = this.#draft()
    renamed.id = id
    return renamed
  }

  /** The same stanza, which says itself that the account that it is delivered to keeps it under that number. */
  withArchiveId (archiveId: string): StanzaOf<Kind, Type> {
    const held = this.#draft()
    held.archiveId = archiveId
    return held
  }

  /** The same stanza, known as one that its client would send again under that identity. */
  withDedupKey (dedupKey: string): StanzaOf<Kind, Type> {
    const identified = this.#draft()
    identified.dedupKey = dedupKey
    return identified
  }

  /** The same stanza, which is that account's though it comes from another address. */
  authoredBy (author: Jid): StanzaOf<Kind, Type> {
    const authored = this.#draft()
    authored.author = author
    return authored
  }

  /**
   * The same stanza in memory of its own, to be kept: what came from the network holds all that came with it. Copies of
   * the same content share it.
   */
  copy (): StanzaOf<Kind, Type> {
    const { inner } = this
    const kept = inner.length === 0 ? NOTHING : this.#common ? this.#common.kept ??= keep(inner) : keep(inner)
    if (kept === inner) return this
    const copy = this.#draft(kept)
    copy.#common = this.#common
    return copy
  }

  /** The same stanza with some payloads more, at the end. */
  withPayload (...payloads: readonly Element[]): StanzaOf<Kind, Type> {
    const added = content(payloads, this.inner.length)
    return this.#draft(Buffer.concat([this.inner, added.inner]), [...this.children, ...added.children])
  }

  /** The same stanza with one payload more that is XML already: for what is added to many. */
  withWritten (name: string, ns: string, xml: string): StanzaOf<Kind, Type> {
    return this.#withWritten(name, ns, xml)
  }

  /**
   * The same stanza as the account that it is delivered to keeps it, with what says so: XML that is written already.
   */
  archivedAs (archiveId: string, name: string, ns: string, xml: string): StanzaOf<Kind, Type> {
    const kept = this.#withWritten(name, ns, xml)
    kept.archiveId = archiveId
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

  /** The same stanza less the payloads for which `unwanted` holds; itself when there are none. */
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

  /** The opening tag as it stands on a stream whose default namespace is jabber:client. */
  openingTag (): string {
    return this.#openingTag ??= this.#writeOpeningTag()
  }

  #writeOpeningTag (): string {
    const from = this.from ? ` from='${this.from.attribute}'` : ''
    const to = this.to ? ` to='${this.to.attribute}'` : ''
    return '<' + this.kind + from + to + this.#writeAttributes()
  }

  /** All but the addresses, and the end of the opening tag. */
  #writeAttributes (): string {
    let tag = ''
    if (this.id !== undefined) tag += ` id='${escapeAttribute(this.id)}'`
    if (!isDefaultType(this.kind, this.type)) tag += ` type='${this.type}'`
    if (this.lang !== undefined) tag += ` xml:lang='${escapeAttribute(this.lang)}'`
    return tag + this.attributes + (this.inner.length === 0 ? '/>' : '>')
  }

  /** Where this is a copy of many: what follows the kind and the address, on a stream of jabber:client. */
  get commonBytes (): Buffer | undefined {
    if (this.#common) return this.#common.bytes ??= this.#writeCommon()
  }

  #writeCommon (): Buffer {
    const from = this.from ? ` from='${this.from.attribute}'` : ''
    const opening = Buffer.from(from + this.#writeAttributes())
    if (this.inner.length === 0) return opening
    return Buffer.concat([opening, this.inner, Buffer.from(`</${this.kind}>`)])
  }

  /** The whole stanza as XML, in the namespace that surrounds it unless one is given. */
  toXml (ns?: string): string {
    const opening = this.openingTag()
    const declared = ns === undefined ? opening : `<${this.kind} xmlns='${ns}'${opening.slice(this.kind.length + 1)}`
    return this.inner.length === 0 ? declared : `${declared}${this.inner.toString()}</${this.kind}>`
  }

  /**
   * The whole stanza as XML in UTF-8, with its namespace: what is kept, and read back by `storedStanza`
   * (read-stanza.ts).
   */
  toBytes (): Buffer {
    const opening = `<${this.kind} xmlns='${NS_CLIENT}'${this.openingTag().slice(this.kind.length + 1)}`
    if (this.inner.length === 0) return Buffer.from(opening)
    const closing = `</${this.kind}>`
    const bytes = Buffer.allocUnsafe(Buffer.byteLength(opening) + this.inner.length + closing.length)
    let at = bytes.write(opening)
    at += this.inner.copy(bytes, at)
    bytes.write(closing, at)
    return bytes
  }

  /** What a log may say of it: never its content. */
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

/** The bytes of some elements one after the other, and where each begins when the first begins at `offset`. */
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

/** A message of the server's own making. */
export function message (type: MessageType, header: Header, ...payloads: readonly Element[]): Message {
  const { inner, children } = content(payloads)
  return new StanzaOf('message', type, header, inner, children)
}

/** A message whose content there is already: it can be that of many. */
export function messageWith (type: MessageType, header: Header, { inner, children }: Content): Message {
  return new StanzaOf('message', type, header, inner, children)
}

/** A presence of the server's own making. */
export function presence (type: PresenceType, header: Header, ...payloads: readonly Element[]): Presence {
  const { inner, children } = content(payloads)
  return new StanzaOf('presence', type, header, inner, children)
}

/** An iq of the server's own making. */
export function iq (type: IqType, header: Header, ...payloads: readonly (Element | Written)[]): Iq {
  const { inner, children } = content(payloads)
  return new StanzaOf('iq', type, header, inner, children)
}

/** RFC 6120 §8.2.3: the result of a request, from whom it was sent to. */
export function result (request: Iq, payload?: Element | Written): Iq {
  const header = { from: request.to, to: request.from, id: request.id }
  return payload ? iq('result', header, payload) : iq('result', header)
}

/**
 * RFC 6120 §8.3: the error that answers a stanza, without what it carried; nothing may answer an error or a result. `by`
 * is who refused it, where that is not whom it was for.
 */
export function errorReply (stanza: Stanza, error: StanzaError, by?: Jid): Stanza {
  const header = { from: stanza.to, to: stanza.from, id: stanza.id }
  // XEP-0045 §7.2: by it clients know that somebody is not in the room, whoever says so.
  const entry = stanza.kind === 'presence' && stanza.has('x', NS_MUC) ? [el('x', NS_MUC)] : []
  const { inner, children } = content([errorElement(error, by), ...entry])
  return new StanzaOf(stanza.kind, 'error', header, inner, children) as Stanza
}

/** `<error/>` as RFC 6120 §8.3.2 writes it. */
function errorElement (error: StanzaError, by: Jid | undefined): Element {
  return el('error', NS_CLIENT, { type: error.type, by: by?.toString() },
    el(error.condition, NS_STANZA_ERRORS),
    error.text === undefined ? undefined : el('text', NS_STANZA_ERRORS, { 'xml:lang': 'en' }, error.text),
    error.detail && el(error.detail.name, error.detail.ns, error.detail.attrs))
}
