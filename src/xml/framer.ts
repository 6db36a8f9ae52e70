/**
 * Parses the bytes of a stream into its header, its top-level elements and its end (RFC 6120 §4 and §11), or a
 * WebSocket message into its element (RFC 7395). `TagReader` checks that XML is well-formed, `Namespaces` checks
 * namespaces, `FrameBuilder` builds the frames.
 */

import { LESS } from './characters.ts'
import { attributeValue, FROM, type Frame, FrameBuilder, ID, LANG, localName, TO, XMLNS } from './frame.ts'
import { Namespaces, type Renaming } from './namespaces.ts'
import { CLOSE, type FramerLimits, OPEN, TagReader, WAIT } from './tag-reader.ts'
import { notWellFormed, XmlError } from './xml-error.ts'

export type { Child, Frame } from './frame.ts'
export type { Renaming } from './namespaces.ts'
export type { FramerLimits } from './tag-reader.ts'
export { XmlError } from './xml-error.ts'

const VERSION = Buffer.from('version')
const NS_STREAM = 'http://etherx.jabber.org/streams'

/** The stream header. The values are decoded, and undefined when absent. */
export interface StreamStart {
  readonly kind: 'start'
  readonly name: string
  readonly ns: string
  readonly to: string | undefined
  readonly from: string | undefined
  readonly id: string | undefined
  readonly version: string | undefined
  readonly lang: string | undefined
  /** The content namespace (RFC 6120 §4.8.2) as it was written, when the header declares one. */
  readonly contentNs: string | undefined
}

/** The stream's closing tag. */
export interface StreamEnd { readonly kind: 'end' }

const END: StreamEnd = { kind: 'end' }

/** Takes a stream's bytes in chunks of any size, and returns its parts one by one. */
export class Framer {
  readonly #reader: TagReader
  readonly #namespaces: Namespaces
  readonly #builder: FrameBuilder
  #state: 'before' | 'inside' | 'closing' | 'after' = 'before'
  #fault: unknown

  /** The frames have a namespace that is to be renamed under its other name, also within. */
  constructor (limits: FramerLimits, renaming?: Renaming) {
    this.#reader = new TagReader(limits)
    this.#namespaces = new Namespaces(limits.nameBytes, renaming)
    this.#builder = new FrameBuilder(this.#reader, this.#namespaces, Infinity, renaming)
  }

  /** Takes bytes, which must not be written to afterwards. */
  push (chunk: Buffer): void {
    if (this.#fault === undefined) this.#reader.push(chunk)
  }

  /** The next part; undefined until more bytes come. Throws XmlError, and the same one at every later call. */
  next (): Frame | StreamStart | StreamEnd | undefined {
    if (this.#fault !== undefined) throw this.#fault
    try {
      return this.#next()
    } catch (error) {
      // an XmlError or a bug: the parser's state is invalid after either
      this.#fault = error
      throw error
    }
  }

  /** Begins a new stream with the unread bytes (RFC 6120 §4.3.3), without a closing tag of the old one. */
  reset (): void {
    this.#reader.reset()
    this.#namespaces.reset()
    this.#state = 'before'
  }

  /** The number of unread bytes, those of an incomplete element included. */
  get buffered (): number {
    return this.#reader.unread
  }

  /** Changes the limit of an element in bytes, also of the one being read. */
  limit (stanzaBytes: number): void {
    this.#reader.cursor.limit = stanzaBytes
  }

  #next (): Frame | StreamStart | StreamEnd | undefined {
    if (this.#state === 'closing') return this.#end()
    const reader = this.#reader
    for (;;) {
      const token = reader.read()
      if (token === WAIT) return undefined
      if (this.#state === 'before') return this.#start()
      if (reader.depth < 0) return this.#end()
      const frame = token === OPEN ? this.#builder.open() : this.#builder.close()
      if (frame !== undefined) return frame
    }
  }

  #start (): StreamStart {
    const reader = this.#reader
    const namespaces = this.#namespaces
    const { cursor, tag } = reader
    namespaces.enterStream(cursor.bytes, tag)
    const name = localName(reader)
    const ns = namespaces.of(cursor.bytes, tag)
    this.#checkStart(name, ns)
    const declared = attributeValue(reader, XMLNS)
    const start: StreamStart = {
      kind: 'start',
      name,
      ns: NS_STREAM,
      to: attributeValue(reader, TO),
      from: attributeValue(reader, FROM),
      id: attributeValue(reader, ID),
      version: attributeValue(reader, VERSION),
      lang: attributeValue(reader, LANG),
      contentNs: declared === '' || declared === NS_STREAM ? undefined : declared,
    }
    this.#state = tag.isEmpty ? 'closing' : 'inside'
    reader.enterStream()
    return start
  }

  #checkStart (name: string, ns: string | undefined): void {
    if (ns === undefined) throw new XmlError('bad-namespace-prefix', 'a prefix that is not declared')
    if (name !== 'stream') throw new XmlError('bad-format', 'not a stream')
    if (ns === NS_STREAM) return
    // RFC 6120 §4.9.3.2: the namespace is declared, but the element does not have its prefix
    if (this.#namespaces.hasPrefixFor(NS_STREAM)) throw new XmlError('bad-namespace-prefix', 'not the stream prefix')
    // RFC 6120 §4.8.1
    throw new XmlError('invalid-namespace', 'not the stream namespace')
  }

  #end (): StreamEnd {
    this.#state = 'after'
    return END
  }
}

/**
 * Parses a WebSocket message, which is exactly one element (RFC 7395 §3.3.3); more than `children` child elements are a
 * policy-violation.
 */
export function parseFrame (bytes: Buffer, limits: FramerLimits, children = Infinity): Frame {
  if (bytes[0] !== LESS) throw new XmlError('bad-format', 'a message must begin with <')
  const reader = new TagReader(limits)
  const builder = new FrameBuilder(reader, new Namespaces(limits.nameBytes), children)
  reader.push(bytes)
  let frame: Frame | undefined
  while (frame === undefined) {
    const token = reader.read()
    if (token === WAIT) throw notWellFormed('not a whole element')
    frame = token === CLOSE ? builder.close() : builder.open()
  }
  reader.endDocument()
  if (reader.read() !== WAIT || reader.unread > 0) throw notWellFormed('more than one element')
  return frame
}
