/**
 * Parses XML 1.0 tag by tag and checks that it is well-formed, with the restrictions of RFC 6120 §11. There is a step
 * for each place where a chunk may end, and the next chunk resumes at that byte: none is parsed twice, except for the
 * start of a character that was cut.
 */

import {
  AMPERSAND, characterLength, DASH, EXCLAMATION, GREATER, LEFT_BRACKET, LESS, QUESTION, RIGHT_BRACKET, SLASH, stopsAt,
} from './characters.ts'
import { Cursor } from './cursor.ts'
import { Reference } from './reference.ts'
import { StartTag } from './start-tag.ts'
import { checkXmlDeclaration } from './xml-declaration.ts'
import { notWellFormed, XmlError } from './xml-error.ts'

/** The limits of a peer's XML; exceeding one is a policy-violation. `nameBytes` applies to namespaces, too. */
export interface FramerLimits {
  readonly stanzaBytes: number
  readonly depth: number
  /** The elements in a top-level element, itself included. */
  readonly elements: number
  readonly attributes: number
  readonly nameBytes: number
}

/** The results of `read`: the end of the bytes, a start tag, an end tag. */
export const WAIT = 0
export const OPEN = 1
export const CLOSE = 2
/** The result of a step that `read` does not return: the next step follows. */
const ON = 3

type Token = typeof WAIT | typeof OPEN | typeof CLOSE | typeof ON
type Step = (this: TagReader) => Token

const TEXT_STOPS = stopsAt('<&>')
const GREATER_STOPS = stopsAt('>')
const CDATA_OPENING = Buffer.from('[CDATA[')
const NO_STREAM = Buffer.alloc(0)
const OVER = -1

export class TagReader {
  readonly cursor: Cursor
  /** The last start tag. */
  readonly tag: StartTag
  /** The beginning of the last tag of either kind; it ends at the cursor. */
  tagStart = 0
  /** The number of open elements, without the stream; -1 at the end of the document. */
  depth = 0

  readonly #most: number
  readonly #reference: Reference
  /** The names of the open elements, as pairs of offsets. */
  readonly #open: number[] = []
  readonly #mostElements: number
  #elements = 0
  #stream = NO_STREAM
  #step: Step = this.#between
  #mayDeclare = true

  constructor (limits: FramerLimits) {
    this.cursor = new Cursor(limits.stanzaBytes, limits.nameBytes)
    this.tag = new StartTag(this.cursor, limits.attributes)
    this.#reference = new Reference(this.cursor)
    this.#most = limits.depth
    this.#mostElements = limits.elements
  }

  push (chunk: Buffer): void {
    if (this.#step === this.#between) this.cursor.begin()
    this.#shift(this.cursor.push(chunk))
  }

  /** The number of unread bytes, those of an incomplete element included. */
  get unread (): number {
    const { cursor } = this
    return this.#step === this.#between ? cursor.kept - (cursor.pos - cursor.start) : cursor.kept
  }

  /** The next tag, or WAIT. */
  read (): typeof WAIT | typeof OPEN | typeof CLOSE {
    let token = this.#step()
    while (token === ON) token = this.#step()
    if (token === WAIT) this.#rest()
    return token
  }

  /** Makes the last start tag that of the stream: it stays open, and top-level elements follow. */
  enterStream (): void {
    const { nameStart, nameEnd, isEmpty } = this.tag
    this.#stream = Buffer.from(this.cursor.bytes.subarray(nameStart, nameEnd))
    this.depth = 0
    this.#step = this.#between
    if (isEmpty) this.endDocument()
  }

  /** Ends the document: only white space may follow. */
  endDocument (): void {
    this.#stream = NO_STREAM
    this.depth = OVER
  }

  /** Begins another stream with the unread bytes. */
  reset (): void {
    if (this.#step !== this.#between) this.cursor.rewind()
    this.cursor.begin()
    this.#stream = NO_STREAM
    this.depth = 0
    this.#step = this.#between
    this.#mayDeclare = true
  }

  #rest (): void {
    if (this.#step !== this.#between && this.cursor.isFull) throw new XmlError('policy-violation', 'too large')
    this.#shift(this.cursor.rest())
  }

  #shift (by: number): void {
    if (by === 0) return
    this.tag.shift(by)
    this.tagStart -= by
    for (let i = 0; i < 2 * this.depth; i++) this.#open[i]! -= by
  }

  /** Ends at the end of the bytes; `step` will resume. */
  #wait (step: Step): typeof WAIT {
    this.#step = step
    return WAIT
  }

  /** Completes a token; the next step reads text, or the space between top-level elements. */
  #complete<T extends Token> (token: T): T {
    this.#step = this.depth > 0 ? this.#text : this.#between
    return token
  }

  #between (): Token {
    const { cursor } = this
    let byte = cursor.passSpace()
    while (cursor.pos > cursor.start) {
      this.#mayDeclare = false
      cursor.begin()
      byte = cursor.passSpace()
    }
    if (byte < 0) return this.#wait(this.#between)
    return byte === LESS ? this.#beginMarkup() : this.#refuseText()
  }

  #refuseText (): typeof WAIT {
    const { bytes, pos, end } = this.cursor
    if (characterLength(bytes, pos, end) === 0) return this.#wait(this.#between)
    if (this.#stream === NO_STREAM) throw notWellFormed('text outside of an element')
    // RFC 6120 §11.7: only white space may separate top-level elements
    throw new XmlError('bad-format', 'text between stanzas')
  }

  #text (): Token {
    const { cursor } = this
    for (;;) {
      const stop = cursor.pass(TEXT_STOPS)
      if (stop < 0) return this.#wait(this.#text)
      if (stop === LESS) return this.#beginMarkup()
      if (stop === AMPERSAND) {
        if (!this.#reference.begin()) return this.#wait(this.#textReference)
      } else {
        if (this.#endsCdata()) throw notWellFormed(']]> in text')
        cursor.pos++
      }
    }
  }

  #textReference (): Token {
    if (!this.#reference.resume()) return WAIT
    return this.#complete(ON)
  }

  /**
   * Whether the `>` at the cursor ends `]]>`. Text and CDATA always begin behind a `>`, `;` or `[`, so the brackets
   * belong to them.
   */
  #endsCdata (): boolean {
    const { bytes, pos } = this.cursor
    return bytes[pos - 1] === RIGHT_BRACKET && bytes[pos - 2] === RIGHT_BRACKET
  }

  #beginMarkup (): Token {
    this.tagStart = this.cursor.pos++
    return this.#markup()
  }

  #markup (): Token {
    const { cursor } = this
    if (cursor.pos >= cursor.end) return this.#wait(this.#markup)
    const byte = cursor.bytes[cursor.pos]
    const mayDeclare = this.#mayDeclare
    this.#mayDeclare = false
    if (byte === SLASH) return this.#beginEndTag()
    if (byte === EXCLAMATION) {
      cursor.pos++
      return this.#declaration()
    }
    if (byte === QUESTION) {
      // RFC 6120 §11.1
      if (!mayDeclare) throw new XmlError('restricted-xml', 'a processing instruction')
      return this.#xmlDeclaration()
    }
    return this.tag.begin() ? this.#startTag() : this.#wait(this.#restOfTag)
  }

  #restOfTag (): Token {
    return this.tag.resume() ? this.#startTag() : WAIT
  }

  #startTag (): Token {
    const { tag, depth } = this
    if (depth === OVER) throw notWellFormed('more than one root')
    if (depth >= this.#most) throw new XmlError('policy-violation', 'too deep')
    this.#elements = depth === 0 ? 1 : this.#elements + 1
    if (this.#elements > this.#mostElements) throw new XmlError('policy-violation', 'too many elements')
    if (!tag.isEmpty) {
      this.#open[2 * depth] = tag.nameStart
      this.#open[2 * depth + 1] = tag.nameEnd
      this.depth++
    }
    return this.#complete(OPEN)
  }

  #beginEndTag (): Token {
    if (this.depth <= 0 && this.#stream === NO_STREAM) throw notWellFormed('an end tag without its start tag')
    this.cursor.pos++
    return this.#endTag()
  }

  #endTag (): Token {
    const { cursor, depth } = this
    const inside = depth > 0
    const source = inside ? cursor.bytes : this.#stream
    const from = inside ? this.#open[2 * depth - 2]! : 0
    const length = inside ? this.#open[2 * depth - 1]! - from : source.length
    const passed = cursor.passSame(source, from, length, this.tagStart + '</'.length)
    return passed ? this.#endTagEnd() : this.#wait(this.#endTag)
  }

  #endTagEnd (): Token {
    const { cursor } = this
    const byte = cursor.passSpace()
    if (byte < 0) return this.#wait(this.#endTagEnd)
    if (byte !== GREATER) throw notWellFormed('an end tag without its start tag')
    cursor.pos++
    if (this.depth === 0) this.endDocument()
    else this.depth--
    return this.#complete(CLOSE)
  }

  #declaration (): Token {
    const { bytes, pos, end } = this.cursor
    const byte = pos < end ? bytes[pos]! : -1
    if (byte < 0 || byte === DASH && pos + 1 >= end) return this.#wait(this.#declaration)
    if (byte === LEFT_BRACKET) return this.depth > 0 ? this.#cdataOpening() : this.#refuseText()
    // RFC 6120 §11.1: comments and DTDs
    const restricted = byte === DASH ? bytes[pos + 1] === DASH : /[A-Z]/.test(String.fromCharCode(byte))
    throw restricted ? new XmlError('restricted-xml', 'a comment or DTD') : notWellFormed('<! without a declaration')
  }

  #cdataOpening (): Token {
    const start = this.tagStart + '<!'.length
    const passed = this.cursor.passSame(CDATA_OPENING, 0, CDATA_OPENING.length, start)
    return passed ? this.#cdata() : this.#wait(this.#cdataOpening)
  }

  #cdata (): Token {
    const { cursor } = this
    while (cursor.pass(GREATER_STOPS) >= 0) {
      const ends = this.#endsCdata()
      cursor.pos++
      if (ends) return this.#complete(ON)
    }
    return this.#wait(this.#cdata)
  }

  #xmlDeclaration (): Token {
    const { cursor } = this
    if (cursor.pass(GREATER_STOPS) < 0) return this.#wait(this.#xmlDeclaration)
    cursor.pos++
    checkXmlDeclaration(cursor.bytes.toString('latin1', this.tagStart, cursor.pos))
    return this.#complete(ON)
  }
}
