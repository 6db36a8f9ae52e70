/**
 * The position in the received bytes, and the basic steps of the parser. Each step stops at the end of the bytes and
 * resumes there at the next call.
 */

import { ByteWindow } from './byte-window.ts'
import {
  characterLength, COLON, isSpace, NAME_BEGINNINGS, NAME_BYTES, nameCharacterLength, PLAIN, STOP,
} from './characters.ts'
import { notWellFormed, XmlError } from './xml-error.ts'

export class Cursor {
  /** The beginning of the top-level element, or of the space before it; earlier bytes are released. */
  start = 0
  pos = 0
  /** The end of the received bytes, or the limit of the element. */
  end = 0
  bytes: Buffer
  /** The beginning of the current name, and its colon; 0 while there is none. */
  nameStart = 0
  colon = 0
  /** Whether the bytes skipped by `pass` since this was set to true are ASCII without control characters. */
  isPlain = true
  readonly #window = new ByteWindow()
  readonly #nameBytes: number
  #limit: number

  constructor (elementBytes: number, nameBytes: number) {
    this.#limit = elementBytes
    this.#nameBytes = nameBytes
    this.bytes = this.#window.bytes
  }

  /** The bytes received and not released. */
  get kept (): number {
    return this.#window.end - this.start
  }

  /** Whether the element has reached its limit. */
  get isFull (): boolean {
    return this.end - this.start >= this.#limit
  }

  /** The limit of an element in bytes; a change also applies to the current one. */
  get limit (): number {
    return this.#limit
  }

  set limit (elementBytes: number) {
    this.#limit = elementBytes
    this.#findEnd()
  }

  /** Adds received bytes; returns by how much all offsets have decreased. */
  push (chunk: Buffer): number {
    return this.#shift(this.#window.append(chunk, this.start))
  }

  /** Releases memory until more bytes come; returns by how much all offsets have decreased. */
  rest (): number {
    return this.#shift(this.#window.release(this.start))
  }

  /** Begins an element here, and releases the bytes before it. */
  begin (): void {
    this.start = this.pos
    this.#findEnd()
  }

  /** Returns to the beginning of the element. */
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

  /** Skips white space; returns the byte behind it, -1 at the end of the bytes. */
  passSpace (): number {
    const { bytes, end } = this
    let pos = this.pos
    let byte = -1
    while (pos < end && isSpace(byte = bytes[pos]!)) pos++
    this.pos = pos
    return pos < end ? byte : -1
  }

  /** Skips characters up to the next byte that is a STOP in `table`; returns it, -1 at the end of the bytes. */
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

  /** Skips the same bytes as in `source` at `from`; `start` is where they begin here. False at the end of the bytes. */
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

  beginName (): void {
    this.nameStart = this.pos
    this.colon = 0
  }

  /** Skips the name that was begun, with at most one prefix; false at the end of the bytes. */
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
