/**
 * Namespaces in XML 1.0: the bindings of prefixes at the current position, and the checks of attributes that need them.
 * Also records the prefixes of the stream header that an element uses, since it needs their declarations outside of the
 * stream.
 */

import { intern, isAt } from './intern.ts'
import { COLON_AT, NAME, NAME_END, OFFSETS, type StartTag, VALUE, VALUE_END } from './start-tag.ts'
import { notWellFormed, XmlError } from './xml-error.ts'

export const NS_XML = 'http://www.w3.org/XML/1998/namespace'
const NS_XMLNS = 'http://www.w3.org/2000/xmlns/'

const XMLNS = Buffer.from('xmlns')
const STREAM = -1
const FEW = 8 * OFFSETS

interface Binding { readonly prefix: string, readonly ns: string, readonly depth: number }

/** A namespace that is read as another. */
export interface Renaming { readonly from: string, readonly to: string }

interface Change { readonly binding: Binding, readonly previous: Binding | undefined }

export class Namespaces {
  /** The current default namespace, `''` when there is none. */
  defaultNs = ''
  /** The prefixes of the stream header that were used since `beginElement`. */
  readonly #used: Binding[] = []
  readonly #bindings = new Map<string, Binding>()
  readonly #changes: Change[] = []
  /** For each open element that declares a default namespace: its depth, and the outer default namespace. */
  readonly #defaultDepths: number[] = []
  readonly #outerDefaults: string[] = []
  readonly #longest: number
  readonly #renaming: Renaming | undefined
  /** Whether a declaration was renamed since this was last set to false. */
  hasRenamed = false

  constructor (longest: number, renaming?: Renaming) {
    this.#longest = longest
    this.#renaming = renaming
  }

  /** Begins a new stream without declarations. */
  reset (): void {
    this.defaultNs = ''
    this.#used.length = 0
    this.#bindings.clear()
    this.#changes.length = 0
    this.#defaultDepths.length = 0
    this.#outerDefaults.length = 0
  }

  /** Adds the declarations of the stream header, which apply to the whole stream. */
  enterStream (bytes: Buffer, tag: StartTag): void {
    this.enter(bytes, tag, STREAM)
  }

  /** Adds the declarations of a start tag and checks its attributes; `leave` removes them. */
  enter (bytes: Buffer, tag: StartTag, depth: number): void {
    const { attributes, attributesEnd } = tag
    if (attributesEnd === 0) return
    checkUnique(bytes, attributes, attributesEnd)
    let prefixed = 0
    for (let at = 0; at < attributesEnd; at += OFFSETS) {
      if (attributes[at + COLON_AT]! > 0) {
        if (!this.#declarePrefix(bytes, attributes, at, depth)) prefixed++
      } else if (isAt(bytes, attributes[at + NAME]!, attributes[at + NAME_END]!, XMLNS)) {
        this.#declare('', intern(bytes, attributes[at + VALUE]!, attributes[at + VALUE_END]!), depth)
      }
    }
    if (prefixed > 0) this.#checkPrefixed(bytes, attributes, attributesEnd, prefixed)
  }

  /** Removes the declarations of the element that ends at this depth. */
  leave (depth: number): void {
    const { length } = this.#defaultDepths
    if (length > 0 && this.#defaultDepths[length - 1] === depth) {
      this.#defaultDepths.pop()
      this.defaultNs = this.#outerDefaults.pop() ?? ''
    }
    if (this.#changes.length > 0) this.#undo(depth)
  }

  #undo (depth: number): void {
    const changes = this.#changes
    for (let last = changes.at(-1); last?.binding.depth === depth; last = changes.at(-1)) {
      changes.pop()
      if (last.previous === undefined) this.#bindings.delete(last.binding.prefix)
      else this.#bindings.set(last.binding.prefix, last.previous)
    }
  }

  /** The namespace of a tag's name; undefined when its prefix is not declared. */
  of (bytes: Buffer, tag: StartTag): string | undefined {
    return tag.colon === 0 ? this.defaultNs : this.#find(bytes, tag.nameStart, tag.colon)?.ns
  }

  /**
   * As `of`, for the descendants of a top-level element: records the use of a prefix, and throws if it is undeclared.
   */
  useOf (bytes: Buffer, tag: StartTag): string {
    return tag.colon === 0 ? this.defaultNs : this.#use(bytes, tag.nameStart, tag.colon)
  }

  /** Whether a prefix is declared for this namespace. */
  hasPrefixFor (ns: string): boolean {
    return [...this.#bindings.values()].some(binding => binding.ns === ns)
  }

  /** Begins a top-level element, which has used no prefixes yet. */
  beginElement (): void {
    if (this.#used.length > 0) this.#used.length = 0
  }

  /** The stream header's declarations that were used since `beginElement`. */
  get used (): readonly { readonly prefix: string, readonly ns: string }[] {
    return this.#used
  }

  #find (bytes: Buffer, start: number, end: number): Binding | undefined {
    const prefix = intern(bytes, start, end)
    return prefix === 'xml' ? XML : this.#bindings.get(prefix)
  }

  #use (bytes: Buffer, start: number, end: number): string {
    const binding = this.#find(bytes, start, end)
    // RFC 6120 §11.3
    if (binding === undefined) throw notWellFormed('a prefix that is not declared')
    if (binding.depth === STREAM && binding !== XML && !this.#used.includes(binding)) this.#used.push(binding)
    return binding.ns
  }

  #declarePrefix (bytes: Buffer, attributes: readonly number[], at: number, depth: number): boolean {
    const colon = attributes[at + COLON_AT]!
    if (!isAt(bytes, attributes[at + NAME]!, colon, XMLNS)) return false
    const prefix = intern(bytes, colon + 1, attributes[at + NAME_END]!)
    this.#declare(prefix, intern(bytes, attributes[at + VALUE]!, attributes[at + VALUE_END]!), depth)
    return true
  }

  #declare (prefix: string, name: string, depth: number): void {
    const ns = name === this.#renaming?.from ? this.#rename(this.#renaming) : name
    // each frame repeats declarations of the header: a long one must not amplify small stanzas
    if (ns.length > this.#longest) throw new XmlError('policy-violation', 'the name of a namespace is too long')
    // XML-NAMES §3: reserved prefixes
    if (prefix === 'xmlns' || ns === NS_XMLNS) throw notWellFormed('xmlns cannot be declared')
    if ((prefix === 'xml') !== (ns === NS_XML)) throw notWellFormed('xml cannot be declared anew')
    // XML-NAMES §2.2
    if (ns === '' && prefix !== '') throw notWellFormed('a prefix for no namespace')
    if (prefix === '') return this.#declareDefault(ns, depth)
    const binding = { prefix, ns, depth }
    this.#changes.push({ binding, previous: this.#bindings.get(prefix) })
    this.#bindings.set(prefix, binding)
  }

  #rename ({ to }: Renaming): string {
    this.hasRenamed = true
    return to
  }

  #declareDefault (ns: string, depth: number): void {
    this.#defaultDepths.push(depth)
    this.#outerDefaults.push(this.defaultNs)
    this.defaultNs = ns
  }

  /** XML-NAMES §6.3: no two attributes with the same namespace and local name. */
  #checkPrefixed (bytes: Buffer, attributes: readonly number[], end: number, prefixed: number): void {
    const names = prefixed > 1 ? new Set<string>() : undefined
    for (let at = 0; at < end; at += OFFSETS) {
      const [name, colon] = [attributes[at + NAME]!, attributes[at + COLON_AT]!]
      if (colon === 0 || isAt(bytes, name, colon, XMLNS)) continue
      const ns = this.#use(bytes, name, colon)
      if (names === undefined) return
      const full = `${ns} ${intern(bytes, colon + 1, attributes[at + NAME_END]!)}`
      if (names.has(full)) throw notWellFormed('the same attribute twice')
      names.add(full)
    }
  }
}

const XML: Binding = { prefix: 'xml', ns: NS_XML, depth: STREAM }

/** XML 1.0 §3.1: no attribute name twice in a tag. */
function checkUnique (bytes: Buffer, attributes: readonly number[], end: number): void {
  if (end > FEW) return checkManyUnique(bytes, attributes, end)
  for (let one = OFFSETS; one < end; one += OFFSETS) {
    for (let other = 0; other < one; other += OFFSETS) {
      if (isSameName(bytes, attributes, one, other)) throw notWellFormed('the same attribute twice')
    }
  }
}

function isSameName (bytes: Buffer, attributes: readonly number[], one: number, other: number): boolean {
  const start = attributes[one + NAME]!
  const otherStart = attributes[other + NAME]!
  const length = attributes[one + NAME_END]! - start
  if (attributes[other + NAME_END]! - otherStart !== length) return false
  for (let i = 0; i < length; i++) {
    if (bytes[start + i] !== bytes[otherStart + i]) return false
  }
  return true
}

function checkManyUnique (bytes: Buffer, attributes: readonly number[], end: number): void {
  const names = new Set<string>()
  for (let at = 0; at < end; at += OFFSETS) {
    names.add(bytes.toString('latin1', attributes[at + NAME], attributes[at + NAME_END]))
  }
  if (names.size < end / OFFSETS) throw notWellFormed('the same attribute twice')
}
