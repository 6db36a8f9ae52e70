/**
 * One top-level element as header and bytes: the attributes that routing needs are decoded, the rest stays as it was
 * received. No tree is built.
 */

import { unifiedContent } from './element.ts'
import { decodeValue, intern, isAt } from './intern.ts'
import { type Namespaces, NS_XML, type Renaming } from './namespaces.ts'
import { NAME, NAME_END, OFFSETS, VALUE, VALUE_END } from './start-tag.ts'
import type { TagReader } from './tag-reader.ts'
import { escapeAttribute } from './write.ts'
import { notWellFormed, XmlError } from './xml-error.ts'

/** A direct child element; the offsets are into `Frame.inner`. */
export interface Child {
  readonly name: string
  readonly ns: string
  readonly start: number
  readonly end: number
}

/** One top-level element. The values of its header are decoded, and undefined when absent. */
export interface Frame {
  readonly kind: 'element'
  readonly name: string
  readonly ns: string
  readonly to: string | undefined
  readonly from: string | undefined
  readonly id: string | undefined
  readonly type: string | undefined
  readonly lang: string | undefined
  /** All other attributes as raw XML, each behind a space, and the prefix declarations that it needs; never `xmlns`. */
  readonly attributes: string
  /**
   * The bytes between the tags, for an element whose default namespace is `ns`. They are a part of a received buffer,
   * which stays alive with them: copy them to keep them for long.
   */
  readonly inner: Buffer
  readonly children: readonly Child[]
}

export const TO = Buffer.from('to')
export const FROM = Buffer.from('from')
export const ID = Buffer.from('id')
export const TYPE = Buffer.from('type')
export const LANG = Buffer.from('xml:lang')
export const XMLNS = Buffer.from('xmlns')

const NOTHING = Buffer.alloc(0)

/** Builds frames from the tags of a reader. */
export class FrameBuilder {
  readonly #reader: TagReader
  readonly #namespaces: Namespaces
  readonly #mostChildren: number
  readonly #renaming: Renaming | undefined
  #name = ''
  #ns = ''
  #to: string | undefined
  #from: string | undefined
  #id: string | undefined
  #type: string | undefined
  #lang: string | undefined
  #attributes = ''
  /** The beginning of the content; this and the following offsets count from the element's beginning. */
  #innerStart = 0
  #children: Child[] = []
  #childName = ''
  #childNs = ''
  #childStart = 0
  /** The default namespace of the content if it differs from the element's, and the places that must declare it. */
  #contentNs: string | undefined
  #undeclared: number[] = []
  /** Whether a descendant has a prefix that is bound to the element's own namespace. */
  #hasPrefixes = false

  /** An element with more than `children` child elements is a policy-violation. */
  constructor (reader: TagReader, namespaces: Namespaces, children = Infinity, renaming?: Renaming) {
    this.#mostChildren = children
    this.#renaming = renaming
    this.#reader = reader
    this.#namespaces = namespaces
  }

  /** Handles a start tag; returns the frame that an empty element completes. */
  open (): Frame | undefined {
    const { cursor, tag, depth: depthInside } = this.#reader
    const depth = tag.isEmpty ? depthInside : depthInside - 1
    const namespaces = this.#namespaces
    if (depth === 0) namespaces.beginElement()
    namespaces.enter(cursor.bytes, tag, depth)
    if (depth === 0) this.#begin()
    else if (depth === 1) this.#beginChild()
    else if (tag.colon > 0 && namespaces.useOf(cursor.bytes, tag) === this.#ns) this.#hasPrefixes = true
    return tag.isEmpty ? this.#leave(depth) : undefined
  }

  /** Handles an end tag; returns the frame that it completes. */
  close (): Frame | undefined {
    return this.#leave(this.#reader.depth)
  }

  #begin (): void {
    const { cursor, tag } = this.#reader
    const ns = this.#namespaces.of(cursor.bytes, tag)
    if (ns === undefined) throw notWellFormed('a prefix that is not declared')
    // it can't be a default namespace (XML-NAMES §3), as a frame's namespace is when it is written
    if (ns === NS_XML) throw new XmlError('invalid-namespace', 'an element of xml')
    this.#ns = ns
    this.#name = localName(this.#reader)
    this.#readHeader()
    this.#innerStart = cursor.pos - cursor.start
    this.#children = []
    this.#contentNs = this.#namespaces.defaultNs === ns ? undefined : this.#namespaces.defaultNs
    this.#undeclared = []
    this.#hasPrefixes = false
    this.#namespaces.hasRenamed = false // the element's own declaration is not among its bytes
  }

  #readHeader (): void {
    const { attributesEnd } = this.#reader.tag
    this.#to = this.#from = this.#id = this.#type = this.#lang = undefined
    this.#attributes = ''
    for (let at = 0; at < attributesEnd; at += OFFSETS) this.#readAttribute(at)
  }

  #readAttribute (at: number): void {
    const { cursor: { bytes }, tag: { attributes, isPlain } } = this.#reader
    const plain = isPlain[at / OFFSETS] === true
    const name = attributes[at + NAME]!
    const nameEnd = attributes[at + NAME_END]!
    const value = attributes[at + VALUE]!
    const end = attributes[at + VALUE_END]!
    if (isAt(bytes, name, nameEnd, TO)) this.#to = decodeValue(bytes, value, end, plain)
    else if (isAt(bytes, name, nameEnd, ID)) this.#id = decodeValue(bytes, value, end, plain)
    else if (isAt(bytes, name, nameEnd, TYPE)) this.#type = intern(bytes, value, end)
    else if (isAt(bytes, name, nameEnd, FROM)) this.#from = decodeValue(bytes, value, end, plain)
    else if (isAt(bytes, name, nameEnd, LANG)) this.#lang = intern(bytes, value, end)
    else if (!isAt(bytes, name, nameEnd, XMLNS)) this.#attributes += ` ${bytes.toString('utf8', name, end + 1)}`
  }

  #beginChild (): void {
    const { cursor, tag, tagStart } = this.#reader
    if (this.#children.length >= this.#mostChildren) throw new XmlError('policy-violation', 'too many children')
    this.#childName = localName(this.#reader)
    this.#childNs = this.#namespaces.useOf(cursor.bytes, tag)
    if (tag.colon > 0 && this.#childNs === this.#ns) this.#hasPrefixes = true
    this.#childStart = tagStart - cursor.start - this.#innerStart
    if (this.#contentNs !== undefined && !declaresDefault(this.#reader)) {
      this.#undeclared.push(tag.nameEnd - cursor.start - this.#innerStart)
    }
  }

  #leave (depth: number): Frame | undefined {
    const { cursor } = this.#reader
    this.#namespaces.leave(depth)
    if (depth === 0) return this.#finish()
    if (depth === 1) {
      const end = cursor.pos - cursor.start - this.#innerStart
      this.#children.push({ name: this.#childName, ns: this.#childNs, start: this.#childStart, end })
    }
    return undefined
  }

  #finish (): Frame {
    const { cursor, tag, tagStart } = this.#reader
    const innerStart = cursor.start + this.#innerStart
    const isEmpty = tag.isEmpty && tagStart < innerStart
    const inner = isEmpty ? NOTHING : cursor.bytes.subarray(innerStart, tagStart)
    let attributes = this.#attributes
    for (const { prefix, ns } of this.#namespaces.used) attributes += ` xmlns:${prefix}='${escapeAttribute(ns)}'`
    const frame: Frame = {
      kind: 'element',
      name: this.#name,
      ns: this.#ns,
      to: this.#to,
      from: this.#from,
      id: this.#id,
      type: this.#type,
      lang: this.#lang,
      attributes,
      inner,
      children: this.#children,
    }
    const declared = this.#undeclared.length > 0 ? this.#declareContentNs(frame) : frame
    return this.#hasPrefixes || this.#namespaces.hasRenamed ? this.#unified(declared) : declared
  }

  // RFC 6120 §4.8.5: a routed stanza must have no prefix for the content namespace.
  #unified (frame: Frame): Frame {
    const content = unifiedContent(frame, this.#renaming)
    if (content.inner.length <= this.#reader.cursor.limit) return { ...frame, ...content }
    throw new XmlError('policy-violation', 'too large without its prefixes')
  }

  /** The frame with `xmlns` inserted into the children that lack it. */
  #declareContentNs (frame: Frame): Frame {
    const declaration = Buffer.from(` xmlns='${escapeAttribute(this.#contentNs ?? '')}'`)
    const grown = frame.inner.length + this.#undeclared.length * declaration.length
    if (grown > this.#reader.cursor.limit) throw new XmlError('policy-violation', 'too large with its namespaces')
    const pieces: Buffer[] = []
    const children: Child[] = []
    let from = 0
    let added = 0
    for (const child of frame.children) {
      const start = child.start + added
      const place = this.#undeclared[pieces.length / 2]
      if (place !== undefined && place < child.end) {
        pieces.push(frame.inner.subarray(from, place), declaration)
        from = place
        added += declaration.length
      }
      children.push({ ...child, start, end: child.end + added })
    }
    return { ...frame, inner: Buffer.concat([...pieces, frame.inner.subarray(from)]), children }
  }
}

/** The local name of the last start tag. */
export function localName ({ cursor, tag }: TagReader): string {
  return intern(cursor.bytes, tag.colon > 0 ? tag.colon + 1 : tag.nameStart, tag.nameEnd)
}

/** The value of an attribute of the last start tag, by its qualified name. */
export function attributeValue ({ cursor, tag }: TagReader, name: Uint8Array): string | undefined {
  const { attributes, attributesEnd } = tag
  for (let at = 0; at < attributesEnd; at += OFFSETS) {
    if (isAt(cursor.bytes, attributes[at + NAME]!, attributes[at + NAME_END]!, name)) {
      return intern(cursor.bytes, attributes[at + VALUE]!, attributes[at + VALUE_END]!)
    }
  }
  return undefined
}

function declaresDefault ({ cursor: { bytes }, tag: { attributes, attributesEnd } }: TagReader): boolean {
  for (let at = 0; at < attributesEnd; at += OFFSETS) {
    if (isAt(bytes, attributes[at + NAME]!, attributes[at + NAME_END]!, XMLNS)) return true
  }
  return false
}
