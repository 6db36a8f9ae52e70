/**
 * Element trees: @xmpp/xml's elements behind a readonly type. An element keeps its namespaces wherever it is written or
 * inserted, and is never changed by that.
 */

import { Element as LtxElement } from '@xmpp/xml'

import { decodeAttribute, decodeText, unifyLineEnds } from './decode.ts'
import type { Child, Frame } from './frame.ts'
import { NS_XML } from './namespaces.ts'
import type { Renaming } from './namespaces.ts'
import { escapeAttribute, escapeText } from './write.ts'

/** An element with its content. */
export interface Element {
  /** With its prefix, if it has one: `getName` returns the local name. */
  readonly name: string
  readonly attrs: Readonly<Record<string, string>>
  readonly children: readonly (Element | string)[]
  getName (): string
  getNS (): string | undefined
  getChild (name: string, ns?: string): Element | undefined
  getChildren (name: string, ns?: string): readonly Element[]
  getChildText (name: string, ns?: string): string | null
  getChildElements (): readonly Element[]
  text (): string
  /**
   * XML with all namespace declarations it needs, inherited ones included, except the default namespace `within` of the
   * element it will be inserted into.
   */
  toString (within?: string): string
}

/** A child element, a text, or nothing. */
type Content = Element | string | undefined

/** A new element; without `ns` it inherits that of its parent. Undefined attributes and children are omitted. */
export function el (
  name: string,
  ns: string | undefined,
  attrs: Readonly<Record<string, string | undefined>> = {},
  ...children: readonly (Content | readonly Content[])[] // lists, since spread arguments are limited
): Element {
  const element = new Tree(name)
  if (ns !== undefined) element.attrs['xmlns'] = ns
  for (const [key, value] of Object.entries(attrs)) {
    if (value !== undefined) element.attrs[key] = value
  }
  for (const child of children.flat()) {
    if (child !== undefined) element.children.push(typeof child === 'string' ? child : adopt(child, element))
  }
  return element
}

/** The tree of a whole frame. */
export function parseElement (frame: Frame): Element {
  return treeOf(frame)
}

/** The same; undefined where it has more than `most` elements in it. */
export function parseElementWithin (frame: Frame, most: number): Element | undefined {
  const root = rootOf(frame)
  return readContent(frame.inner.toString('utf8'), root, most) ? root : undefined
}

function treeOf (frame: Frame): Tree {
  const root = rootOf(frame)
  if (frame.inner.length > 0) readContent(frame.inner.toString('utf8'), root)
  return root
}

/** Without its content. */
function rootOf (frame: Frame): Tree {
  const root = new Tree(frame.name)
  root.attrs['xmlns'] = frame.ns
  const { to, from, id, type, lang } = frame
  if (to !== undefined) root.attrs['to'] = to
  if (from !== undefined) root.attrs['from'] = from
  if (id !== undefined) root.attrs['id'] = id
  if (type !== undefined) root.attrs['type'] = type
  if (lang !== undefined) root.attrs['xml:lang'] = lang
  readAttributes(frame.attributes, 0, root)
  return root
}

/** The tree of one child of a frame, without a parent; undefined where it has more than `most` elements. */
export function parseChild (
  frame: Pick<Frame, 'inner' | 'ns' | 'attributes'>, child: Child, most: number,
): Element | undefined {
  const parent = parentOf(frame)
  if (!readContent(frame.inner.toString('utf8', child.start, child.end), parent, most)) return
  const [element] = parent.children
  if (!(element instanceof Tree)) throw new Error('not a child of this frame')
  return element.standingAlone()
}

/** The attributes of one child of a frame; its content is not parsed. */
export function attributesOf (frame: Pick<Frame, 'inner' | 'ns' | 'attributes'>, child: Child): Element['attrs'] {
  return tagOf(frame.inner.toString('utf8', child.start, child.end), parentOf(frame)).tag.attrs
}

/** The attributes of an element that stands alone, as XML; its content is not parsed. */
export function attributesIn (xml: string): Element['attrs'] {
  return tagOf(xml, new Tree('')).tag.attrs
}

/**
 * The content of a frame, in which no element of the frame's own namespace has a prefix, and no declaration the name
 * that `renaming` replaces, at any depth.
 */
export function unifiedContent (frame: Frame, renaming: Renaming | undefined): Pick<Frame, 'inner' | 'children'> {
  const root = treeOf(frame)
  if (renaming) rename(root, renaming)
  for (const child of root.children) if (typeof child !== 'string') takePrefix(child, frame.ns)
  const parts: Buffer[] = []
  const children: Child[] = []
  let start = 0
  for (const child of root.children) {
    const part = Buffer.from(typeof child === 'string' ? escapeText(child) : child.writeWithin(frame.ns))
    const end = start + part.length
    if (typeof child !== 'string') children.push({ name: child.getName(), ns: child.getNS() ?? '', start, end })
    parts.push(part)
    start = end
  }
  return { inner: Buffer.concat(parts), children }
}

function rename ({ attrs, children }: Tree, renaming: Renaming): void {
  for (const name in attrs) {
    if (attrs[name] === renaming.from && (name === 'xmlns' || name.startsWith('xmlns:'))) attrs[name] = renaming.to
  }
  for (const child of children) if (typeof child !== 'string') rename(child, renaming)
}

/** Replaces prefixes that are bound to `ns` by a default namespace; all elements keep their namespaces. */
function takePrefix (tree: Tree, ns: string): void {
  const inherited = tree.findNS() ?? ''
  const isPrefixed = tree.name.includes(':') && tree.getNS() === ns
  for (const child of tree.children) {
    if (typeof child === 'string') continue
    takePrefix(child, ns)
    if (isPrefixed) child.attrs['xmlns'] ??= inherited
  }
  if (!isPrefixed) return
  tree.name = tree.getName()
  tree.attrs['xmlns'] = ns
}

/** One child of a frame as it was received, with the declarations that it inherits from the frame in its tag. */
export function childXml (frame: Pick<Frame, 'inner' | 'ns' | 'attributes'>, child: Child): string {
  const xml = frame.inner.toString('utf8', child.start, child.end)
  const { tag, end } = tagOf(xml, parentOf(frame))
  return tag.toString().slice(0, -'/>'.length) + xml.slice(matchAt(TAG_END, xml, end).index)
}

/** The first element of some XML, without its content, and the end of its attributes. */
function tagOf (xml: string, parent: Tree): { readonly tag: Tree, readonly end: number } {
  const tag = new Tree(matchAt(TAG_NAME, xml, 1)[0])
  tag.parent = parent
  return { tag, end: readAttributes(xml, 1 + tag.name.length, tag) }
}

function parentOf ({ attributes, ns }: Pick<Frame, 'ns' | 'attributes'>): Tree {
  const parent = new Tree('')
  readAttributes(attributes, 0, parent)
  parent.attrs['xmlns'] = ns
  return parent
}

/**
 * Attributes by name, without a prototype, since peers choose the names. Objects of a constructor are created and
 * filled faster than those of `Object.create(null)`.
 */
const Attributes = function () {} as unknown as new () => Record<string, string>
Attributes.prototype = Object.freeze(Object.create(null))

class Tree extends LtxElement {
  declare parent: Tree | null
  declare attrs: Record<string, string>
  declare children: (Tree | string)[]

  constructor (name: string) {
    super(name)
    this.attrs = new Attributes()
  }

  override findNS (prefix?: string): string | undefined {
    if (prefix === 'xml') return NS_XML
    return this.attrs[prefix === undefined ? 'xmlns' : `xmlns:${prefix}`] ?? this.parent?.findNS(prefix)
  }

  override toString (within?: string): string {
    return this.standingAlone().writeWithin(within)
  }

  /** Declares a default namespace only where it differs from `outer`. */
  writeWithin (outer: string | undefined): string {
    const { attrs, children, name } = this
    let text = `<${name}`
    for (const key in attrs) {
      const value = attrs[key] ?? ''
      if (key !== 'xmlns' || value !== outer) text += ` ${key}='${escapeAttribute(value)}'`
    }
    if (children.length === 0) return text + '/>'
    text += '>'
    const inner = attrs['xmlns'] ?? outer
    for (const child of children) {
      text += typeof child === 'string' ? escapeText(child) : child.writeWithin(inner)
    }
    return `${text}</${name}>`
  }

  /** This element, or a copy with all declarations that it inherits from its parents. */
  standingAlone (): Tree {
    if (this.parent === null) return this
    const alone = new Tree(this.name)
    const ns = this.findNS()
    if (ns !== undefined) alone.attrs['xmlns'] = ns
    Object.assign(alone.attrs, this.attrs)
    for (let outer: Tree | null = this.parent; outer !== null; outer = outer.parent) {
      for (const key in outer.attrs) {
        if (key.startsWith('xmlns:')) alone.attrs[key] ??= outer.attrs[key] ?? ''
      }
    }
    alone.children = this.children
    return alone
  }

  /** A copy that inherits its namespace from `parent`. */
  copyInto (parent: Tree): Tree {
    const copy = new Tree(this.name)
    copy.parent = parent
    Object.assign(copy.attrs, this.attrs)
    copy.children = this.children.map(child =>
      typeof child !== 'string' && inherits(child) ? child.copyInto(copy) : child)
    return copy
  }
}

function inherits (tree: Tree): boolean {
  return tree.attrs['xmlns'] === undefined
}

/** The element to insert into `parent`: `child`, or a copy where it inherits its namespace; `child` is not changed. */
function adopt (child: Element, parent: Tree): Tree {
  if (!(child instanceof Tree)) throw new TypeError('not made by el, parseElement or parseChild')
  const alone = child.standingAlone()
  return inherits(alone) ? alone.copyInto(parent) : alone
}

// not \s, which knows spaces that XML allows in names
const TAG_NAME = /[^ \t\r\n/>]+/y
const ATTRIBUTE = /[ \t\r\n]+([^ \t\r\n=/>]+)[ \t\r\n]*=[ \t\r\n]*(?:"([^"]*)"|'([^']*)')/y
const TAG_END = /[ \t\r\n]*(\/?)>/y
const CDATA = '<![CDATA['

/** Reads well-formed content of an element into `root`; false where it has more than `most` elements. */
function readContent (xml: string, root: Tree, most = Infinity): boolean {
  let parent = root
  let at = 0
  let elements = 0
  while (at < xml.length) {
    const markup = xml.indexOf('<', at)
    const textEnd = markup < 0 ? xml.length : markup
    if (textEnd > at) addText(parent, decodeText(xml.slice(at, textEnd)))
    if (markup < 0) return true
    if (xml.startsWith(CDATA, markup)) {
      const end = xml.indexOf(']]>', markup)
      addText(parent, unifyLineEnds(xml.slice(markup + CDATA.length, end)))
      at = end + ']]>'.length
    } else if (xml[markup + 1] === '/') {
      parent = parent.parent ?? root
      at = xml.indexOf('>', markup) + 1
    } else {
      if (++elements > most) return false
      const child = new Tree(matchAt(TAG_NAME, xml, markup + 1)[0])
      child.parent = parent
      parent.children.push(child)
      const end = matchAt(TAG_END, xml, readAttributes(xml, markup + 1 + child.name.length, child))
      if (end[1] === '') parent = child
      at = TAG_END.lastIndex
    }
  }
  return true
}

function readAttributes (xml: string, at: number, element: Tree): number {
  let end = at
  ATTRIBUTE.lastIndex = at
  for (let match = ATTRIBUTE.exec(xml); match !== null; match = ATTRIBUTE.exec(xml)) {
    const [, name = '', quoted, apostrophed = ''] = match
    element.attrs[name] = decodeAttribute(quoted ?? apostrophed)
    end = ATTRIBUTE.lastIndex
  }
  return end
}

function addText (parent: Tree, text: string): void {
  const { children } = parent
  const last = children.length - 1
  const before = children[last]
  if (typeof before === 'string') children[last] = before + text
  else if (text !== '') children.push(text)
}

function matchAt (pattern: RegExp, xml: string, at: number): RegExpExecArray {
  pattern.lastIndex = at
  const match = pattern.exec(xml)
  if (match === null) throw new Error('content that no framer has passed')
  return match
}
