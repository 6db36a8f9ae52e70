/**
 * Reads and writes the parts of a stream on each transport: one document on TCP (RFC 6120 §4), one message per element
 * on WebSocket (RFC 7395 §3).
 */
import type { Transport } from '../net/transport.ts'
import type { Element } from '../xml/element.ts'
import { Framer, parseFrame } from '../xml/framer.ts'
import type { Frame, FramerLimits, Renaming, StreamEnd, StreamStart } from '../xml/framer.ts'
import { escapeAttribute } from '../xml/write.ts'
import { NS_CLIENT, NS_FRAMING, NS_STREAM } from '../xmpp/ns.ts'
import type { Stanza } from '../xmpp/stanza.ts'

export interface HeaderAttributes {
  /** Undefined in the header of who opens the connection (RFC 6120 §4.7.3). */
  readonly id?: string | undefined
  readonly from: string | undefined
  readonly to: string | undefined
}

export interface Framing {
  /** Bytes read and not yet returned by `next`. */
  readonly buffered: number
  push (chunk: Buffer): void
  /** The next complete part, if there is one; throws XmlError. */
  next (): Frame | StreamStart | StreamEnd | undefined
  /** A new stream begins here. */
  reset (): void
  limit (stanzaBytes: number): void
  writeHeader (attributes: HeaderAttributes): void
  writeStanza (stanza: Stanza): void
  writeElement (element: Element): void
  /** An element of the stream's own namespace, with its prefix: features and errors. */
  writeStreamElement (name: 'features' | 'error', content: string): void
  writeEnd (): void
}

/** The memory overhead of a waiting message, even an empty one. */
const WAITING_MESSAGE_BYTES = 100

/** The content of a stream on TCP: its namespace (RFC 6120 §4.8.2), and other declarations in its header. */
export interface StreamContent {
  readonly ns: string
  readonly declarations: string
  /** Its elements are read as elements of `jabber:client`: the code behind knows one namespace. */
  readonly renaming?: Renaming | undefined
  /** Its header has no version, and no features follow it (XEP-0114; RFC 6120 §4.7.5). */
  readonly isUnversioned?: boolean | undefined
}

const CLIENT: StreamContent = { ns: NS_CLIENT, declarations: '' }

const LIMITS = { depth: 64, attributes: 64, nameBytes: 256, elements: 16_384 }

function headerAttributes ({ id, from, to }: HeaderAttributes): string {
  return (id === undefined ? '' : ` id='${id}'`) + (from === undefined ? '' : ` from='${escapeAttribute(from)}'`) +
    (to === undefined ? '' : ` to='${escapeAttribute(to)}'`)
}

const VERSION = " version='1.0' xml:lang='en'"

export class TcpFraming implements Framing {
  readonly #framer: Framer
  readonly #transport: Transport
  readonly #content: StreamContent

  constructor (transport: Transport, stanzaBytes: number, content = CLIENT) {
    this.#transport = transport
    this.#content = content
    this.#framer = new Framer({ ...LIMITS, stanzaBytes }, content.renaming)
  }

  get buffered (): number { return this.#framer.buffered }
  push (chunk: Buffer): void { this.#framer.push(chunk) }
  next (): Frame | StreamStart | StreamEnd | undefined { return this.#framer.next() }
  reset (): void { this.#framer.reset() }
  limit (stanzaBytes: number): void { this.#framer.limit(stanzaBytes) }

  writeHeader (attributes: HeaderAttributes): void {
    const { ns, declarations, isUnversioned } = this.#content
    this.#transport.write(`<?xml version='1.0'?><stream:stream xmlns='${ns}' xmlns:stream='${NS_STREAM}'` +
      declarations + headerAttributes(attributes) + (isUnversioned ? '' : VERSION) + '>')
  }

  writeStanza (stanza: Stanza): void { writeInStream(stanza, this.#transport) }

  writeElement (element: Element): void { this.#transport.write(element.toString()) }

  writeStreamElement (name: 'features' | 'error', content: string): void {
    this.#transport.write(`<stream:${name}>${content}</stream:${name}>`)
  }

  writeEnd (): void { this.#transport.write('</stream:stream>') }
}

const CLOSING_TAGS = { message: '</message>', presence: '</presence>', iq: '</iq>' } as const

/** The destination of bytes and text. */
type Outlet = Pick<Transport, 'write'>

/** Writes a stanza as a child of the stream on TCP. */
export function writeInStream (stanza: Stanza, to: Outlet): void {
  const { commonBytes } = stanza
  if (commonBytes && stanza.to) {
    to.write(`<${stanza.kind} to='${stanza.to.attribute}'`)
    to.write(commonBytes)
    return
  }
  to.write(stanza.openingTag())
  if (stanza.inner.length === 0) return
  to.write(stanza.inner)
  to.write(CLOSING_TAGS[stanza.kind])
}

/** Writes a stanza as a WebSocket message (RFC 7395 §3.3.3). */
export function writeAlone (stanza: Stanza, to: Outlet): void {
  to.write(stanza.toXml(NS_CLIENT))
}

export class WebSocketFraming implements Framing {
  readonly #transport: Transport
  readonly #waiting: Buffer[] = []
  #buffered = 0
  #limits: FramerLimits

  constructor (transport: Transport, stanzaBytes: number) {
    this.#transport = transport
    this.#limits = { ...LIMITS, stanzaBytes }
  }

  get buffered (): number { return this.#buffered }

  push (chunk: Buffer): void {
    this.#waiting.push(chunk)
    this.#buffered += chunk.length + WAITING_MESSAGE_BYTES
  }

  next (): Frame | StreamStart | StreamEnd | undefined {
    const bytes = this.#waiting.shift()
    if (!bytes) return
    this.#buffered -= bytes.length + WAITING_MESSAGE_BYTES
    const frame = parseFrame(bytes, this.#limits)
    if (frame.ns !== NS_FRAMING) return frame
    if (frame.name === 'close') return { kind: 'end' }
    if (frame.name !== 'open') return frame
    const { name, to, from, id, lang } = frame
    const version = / version\s*=\s*["']([^"']*)/.exec(frame.attributes)?.[1]
    return { kind: 'start', name, ns: NS_STREAM, to, from, id, version, lang, contentNs: NS_CLIENT }
  }

  reset (): void {} // RFC 7395 §3.7: the client sends another <open/>

  limit (stanzaBytes: number): void { this.#limits = { ...this.#limits, stanzaBytes } }

  writeHeader (attributes: HeaderAttributes): void {
    this.#transport.write(`<open xmlns='${NS_FRAMING}'${headerAttributes(attributes)}${VERSION}/>`)
  }

  writeStanza (stanza: Stanza): void { writeAlone(stanza, this.#transport) }
  writeElement (element: Element): void { this.#transport.write(element.toString()) }

  writeStreamElement (name: 'features' | 'error', content: string): void {
    this.#transport.write(`<stream:${name} xmlns:stream='${NS_STREAM}'>${content}</stream:${name}>`)
  }

  writeEnd (): void { this.#transport.write(`<close xmlns='${NS_FRAMING}'/>`) }
}
