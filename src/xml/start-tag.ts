/** The parser of a start tag: its name and its attributes, as offsets into the bytes. Nothing is decoded. */

import { AMPERSAND, APOSTROPHE, EQUALS, GREATER, LESS, QUOTE, SLASH, stopsAt } from './characters.ts'
import type { Cursor } from './cursor.ts'
import { Reference } from './reference.ts'
import { notWellFormed, XmlError } from './xml-error.ts'

/** `StartTag.attributes` holds this many offsets for each attribute: */
export const OFFSETS = 5
/** its name, */
export const NAME = 0
/** the colon in its name (0: none), */
export const COLON_AT = 1
/** the end of its name, */
export const NAME_END = 2
/** its value between the quotes, */
export const VALUE = 3
/** and the value's end. */
export const VALUE_END = 4

const VALUE_STOPS = stopsAt('<&"\'')

/** The outcome of a step: the end of the bytes, of an attribute, or of the tag. */
const WAIT = 0
const ON = 1
const DONE = 2
type Progress = typeof WAIT | typeof ON | typeof DONE
type Step = (this: StartTag) => Progress

export class StartTag {
  nameStart = 0
  /** 0 when there is none. */
  colon = 0
  nameEnd = 0
  /** Whether it is `<a/>`. */
  isEmpty = false
  /** The offsets of the attributes, as far as `attributesEnd`. */
  readonly attributes: number[] = []
  attributesEnd = 0
  /** For each attribute, whether its value needs no decoding. */
  readonly isPlain: boolean[] = []

  readonly #cursor: Cursor
  readonly #reference: Reference
  readonly #most: number
  #step: Step = this.#name
  #spaced = false
  #quote = 0

  constructor (cursor: Cursor, attributes: number) {
    this.#cursor = cursor
    this.#reference = new Reference(cursor)
    this.#most = attributes
  }

  /** Begins a tag at the cursor, which is behind `<`, and skips it; false at the end of the bytes. */
  begin (): boolean {
    this.#cursor.beginName()
    this.isEmpty = false
    this.attributesEnd = 0
    return this.#untilDone(this.#name())
  }

  /** Resumes the tag; false at the end of the bytes. */
  resume (): boolean {
    return this.#untilDone(this.#step())
  }

  /** Adjusts all offsets after the bytes have moved towards the beginning. */
  shift (by: number): void {
    const { attributes } = this
    this.nameStart -= by
    this.nameEnd -= by
    if (this.colon > 0) this.colon -= by
    for (let i = 0; i < attributes.length; i++) {
      const offset = attributes[i]!
      if (offset > 0) attributes[i] = offset - by
    }
  }

  #untilDone (state: Progress): boolean {
    while (state === ON) state = this.#inside()
    return state === DONE
  }

  /** Ends at the end of the bytes; `step` will resume. */
  #wait (step: Step): Progress {
    this.#step = step
    return WAIT
  }

  #name (): Progress {
    const cursor = this.#cursor
    if (!cursor.passName()) return this.#wait(this.#name)
    this.nameStart = cursor.nameStart
    this.nameEnd = cursor.pos
    this.colon = cursor.colon
    this.#spaced = false
    return ON
  }

  /** Reads an attribute or the end of the tag. */
  #inside (): Progress {
    const cursor = this.#cursor
    const before = cursor.pos
    const byte = cursor.passSpace()
    if (cursor.pos > before) this.#spaced = true
    if (byte < 0) return this.#wait(this.#inside)
    if (byte === GREATER) return this.#end()
    if (byte === SLASH) {
      cursor.pos++
      return this.#emptyEnd()
    }
    if (!this.#spaced) throw notWellFormed('no space before an attribute')
    cursor.beginName()
    return this.#attributeName()
  }

  #emptyEnd (): Progress {
    const cursor = this.#cursor
    if (cursor.pos >= cursor.end) return this.#wait(this.#emptyEnd)
    if (cursor.bytes[cursor.pos] !== GREATER) throw notWellFormed('a slash in a tag')
    this.isEmpty = true
    return this.#end()
  }

  #end (): Progress {
    this.#cursor.pos++
    return DONE
  }

  #attributeName (): Progress {
    const cursor = this.#cursor
    if (!cursor.passName()) return this.#wait(this.#attributeName)
    const { attributes, attributesEnd } = this
    if (attributesEnd >= OFFSETS * this.#most) throw new XmlError('policy-violation', 'too many attributes')
    attributes[attributesEnd + NAME] = cursor.nameStart
    attributes[attributesEnd + COLON_AT] = cursor.colon
    attributes[attributesEnd + NAME_END] = cursor.pos
    const quote = this.#usualQuote()
    if (quote === 0) return this.#equalSign()
    cursor.pos++
    return this.#beginValue(quote)
  }

  /** The quote of `="` or `='`, the usual case behind a name; 0 for anything else. */
  #usualQuote (): number {
    const { bytes, pos, end } = this.#cursor
    if (pos + 1 >= end || bytes[pos] !== EQUALS) return 0
    const quote = bytes[pos + 1]!
    return quote === QUOTE || quote === APOSTROPHE ? quote : 0
  }

  #equalSign (): Progress {
    const cursor = this.#cursor
    const byte = cursor.passSpace()
    if (byte < 0) return this.#wait(this.#equalSign)
    if (byte !== EQUALS) throw notWellFormed('an attribute without a value')
    cursor.pos++
    return this.#openingQuote()
  }

  #openingQuote (): Progress {
    const cursor = this.#cursor
    const byte = cursor.passSpace()
    if (byte < 0) return this.#wait(this.#openingQuote)
    if (byte !== QUOTE && byte !== APOSTROPHE) throw notWellFormed('an attribute without quotes')
    return this.#beginValue(byte)
  }

  #beginValue (quote: number): Progress {
    this.#quote = quote
    this.#cursor.isPlain = true
    this.attributes[this.attributesEnd + VALUE] = ++this.#cursor.pos
    return this.#value()
  }

  #value (): Progress {
    const cursor = this.#cursor
    for (;;) {
      const stop = cursor.pass(VALUE_STOPS)
      if (stop < 0) return this.#wait(this.#value)
      if (stop === this.#quote) return this.#endValue()
      if (stop === LESS) throw notWellFormed('< in an attribute')
      if (stop !== AMPERSAND) cursor.pos++
      else if (!this.#beginReference()) return this.#wait(this.#valueReference)
    }
  }

  #beginReference (): boolean {
    this.#cursor.isPlain = false
    return this.#reference.begin()
  }

  #valueReference (): Progress {
    return this.#reference.resume() ? this.#value() : WAIT
  }

  #endValue (): Progress {
    this.attributes[this.attributesEnd + VALUE_END] = this.#cursor.pos++
    this.isPlain[this.attributesEnd / OFFSETS] = this.#cursor.isPlain
    this.attributesEnd += OFFSETS
    this.#spaced = false
    return ON
  }
}
