/**
 * Where reading stands in the bytes that have come, and the steps of which reading is made. Each step stops where the
 * bytes end and, called again, goes on from there.
 */

import { ByteWindow } from './byte-window.ts'
import {
  characterLength, COLON, isSpace, mayBeginName, nameCharacterLength, NAME_BYTES, PLAIN, STOP,
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
  readonly #window = new ByteWindow()
  readonly #nameBytes: number
  #elementBytes: number

  constructor (elementBytes: number, nameBytes: number) {
    this.#elementBytes = elementBytes
    this.#nameBytes = nameBytes
    this.bytes = this.#window.bytes
  }

  /** How much has come and is not let go. */
  get kept (): number {
    return this.#window.end - this.start
  }

  /** Whether the element has come to its limit. */
  get isFull (): boolean {
    return this.end - this.start >= this.#elementBytes
  }

  /** How large an element may be, from now on. */
  limit (elementBytes: number): void {
    this.#elementBytes = elementBytes
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
    this.end = Math.min(this.#window.end, this.start + this.#elementBytes)
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
    while (pos < end && isSpace(bytes[pos]!)) pos++
    this.pos = pos
    return pos < end ? bytes[pos]! : -1
  }

  /** Passes over characters up to the next byte that is a stop in `table`; returns it, -1 where the bytes end. */
  pass (table: Uint8Array): number {
    const { bytes, end } = this
    let pos = this.pos
    for (;;) {
      while (pos < end && table[bytes[pos]!] === PLAIN) pos++
      if (pos < end && table[bytes[pos]!] === STOP) {
        this.pos = pos
        return bytes[pos]!
      }
      const length = pos < end ? characterLength(bytes, pos, end) : 0
      if (length === 0) break
      pos += length
    }
    this.pos = pos
    return -1
  }

  /** Passes over the same bytes as are in `source` at `from`; false where the bytes end. `start` is where it began. */
  passSame (source: Buffer, from: number, length: number, start: number): boolean {
    const { bytes, end } = this
    const goal = start + length
    let pos = this.pos
    while (pos < end && pos < goal) {
      if (bytes[pos] !== source[from + pos - start]) throw notWellFormed('an end tag without its start tag')
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
    while (pos < end) {
      const byte = bytes[pos]!
      if (NAME_BYTES[byte] !== 0) pos++
      else if (byte === COLON) this.#noteColon(pos++)
      else if (byte < 0x80) {
        this.pos = pos
        this.#checkName()
        return true
      } else {
        const first = pos === this.nameStart || pos === this.colon + 1
        const length = nameCharacterLength(bytes, pos, end, first)
        if (length === 0) break
        pos += length
      }
    }
    this.pos = pos
    return false
  }

  #noteColon (at: number): void {
    // XML-NAMES §3, production 7
    if (this.colon > 0) throw notWellFormed('two colons in a name')
    this.colon = at
  }

  #checkName (): void {
    const { bytes, nameStart, colon } = this
    if (this.pos - nameStart > this.#nameBytes) throw new XmlError('policy-violation', 'a name is too long')
    if (!mayBeginName(bytes[nameStart]!)) throw notWellFormed('a name begins with what no name may')
    if (colon > 0 && !mayBeginName(bytes[colon + 1]!)) throw notWellFormed('a name has nothing behind its colon')
  }
}
