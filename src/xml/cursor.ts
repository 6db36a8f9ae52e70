/**
 * Where reading stands in the bytes that have come, and the steps of which reading is made. Each step stops where the
 * bytes end and, called again, goes on from there.
 */

import { ByteWindow } from './byte-window.ts'
import {
  characterLength, COLON, isSpace, NAME_BEGINNINGS, NAME_BYTES, nameCharacterLength, PLAIN, STOP,
} from './characters.ts'
import { notWellFormed, XmlError } from './xml-error.ts'

export class Cursor {
  /** Where the top-level element or the space before it begins; what lies before is let go. */
  start = 0
  pos = 0
  /** How far may be read now: to the end of what has come, or to the limit of the element. */
  end = 0
  bytes: Buffer
  /** Where the name that is being passed begins; and its colon, 0 while there is none. */
  nameStart = 0
  colon = 0
  /** Whether all that `pass` passed since this was set to true is ASCII without control characters. */
  isPlain = true
  readonly #window = new ByteWindow()
  readonly #nameBytes: number
  #limit: number

  constructor (elementBytes: number, nameBytes: number) {
    this.#limit = elementBytes
    this.#nameBytes = nameBytes
    this.bytes = this.#window.bytes
  }

  /** How much has come and is not let go. */
  get kept (): number {
    return this.#window.end - this.start
  }

  /** Whether the element has come to its limit. */
  get isFull (): boolean {
    return this.end - this.start >= this.#limit
  }

  /** How large an element may be; also one that has begun, when it is changed. */
  get limit (): number {
    return this.#limit
  }

  set limit (elementBytes: number) {
    this.#limit = elementBytes
    this.#findEnd()
  }

  /** Takes more bytes; returns by how much all offsets have become smaller. */
  push (chunk: Buffer): number {
    return this.#shift(this.#window.append(chunk, this.start))
  }

  /** Gives up memory that is not needed while nothing comes; returns by how much all offsets have become smaller. */
  rest (): number {
    return this.#shift(this.#window.release(this.start))
  }

  /** Lets go of all that was passed. */
  begin (): void {
    this.start = this.pos
    this.#findEnd()
  }

  /** Goes back to where the element began. */
  rewind (): void {
    this.pos = this.start
  }

  #findEnd (): void {
    this.end = Math.min(this.#window.end, this.start + this.#limit)
  }

  #shift (by: number): number {
    this.bytes = this.#window.bytes
    this.start -= by
    this.pos -= by
    this.nameStart -= by
    if (this.colon > 0) this.colon -= by
    this.#findEnd()
    return by
  }

  /** Passes over white space; returns what comes after it, -1 where the bytes end. */
  passSpace (): number {
    const { bytes, end } = this
    let pos = this.pos
    let byte = -1
    while (pos < end && isSpace(byte = bytes[pos]!)) pos++
    this.pos = pos
    return pos < end ? byte : -1
  }

  /** Passes over characters up to the next byte that is a stop in `table`; returns it, -1 where the bytes end. */
  pass (table: Uint8Array): number {
    const { bytes, end } = this
    let pos = this.pos
    for (;;) {
      let kind: number | undefined = PLAIN
      while (pos < end && (kind = table[bytes[pos]!]) === PLAIN) pos++
      this.pos = pos
      if (kind === STOP) return bytes[pos]!
      const length = kind === PLAIN ? 0 : characterLength(bytes, pos, end)
      if (length === 0) return -1
      this.isPlain = false
      pos += length
    }
  }

  /** Passes over the same bytes as are in `source` at `from`; false where the bytes end. `start` is where it began. */
  passSame (source: Buffer, from: number, length: number, start: number): boolean {
    const { bytes, end } = this
    const goal = start + length
    let pos = this.pos
    while (pos < end && pos < goal) {
      if (bytes[pos] !== source[from + pos - start]) throw notWellFormed('not what was begun')
      pos++
    }
    this.pos = pos
    return pos === goal
  }

  /** A name begins here. */
  beginName (): void {
    this.nameStart = this.pos
    this.colon = 0
  }

  /** Passes over the name that was begun, with at most one prefix; false where the bytes end. */
  passName (): boolean {
    const { bytes, end } = this
    let pos = this.pos
    for (;;) {
      let byte = 0
      while (pos < end && NAME_BYTES[byte = bytes[pos]!] === 1) pos++
      this.pos = pos
      if (pos >= end) return false
      if (byte === COLON) this.#noteColon(pos++)
      else if (byte < 0x80) return this.#checkName()
      else {
        const first = pos === this.nameStart || pos === this.colon + 1
        const length = nameCharacterLength(bytes, pos, end, first)
        if (length === 0) return false
        pos += length
      }
    }
  }

  #noteColon (at: number): void {
    // XML-NAMES §3, production 7
    if (this.colon > 0) throw notWellFormed('two colons in a name')
    this.colon = at
  }

  #checkName (): true {
    const { bytes, nameStart, colon } = this
    if (this.pos - nameStart > this.#nameBytes) throw new XmlError('policy-violation', 'a name is too long')
    if (NAME_BEGINNINGS[bytes[nameStart]!] === 0) throw notWellFormed('a name begins with what no name may')
    if (colon > 0 && NAME_BEGINNINGS[bytes[colon + 1]!] === 0) throw notWellFormed('no name behind a colon')
    return true
  }
}
