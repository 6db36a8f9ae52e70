/** References in text or in an attribute: XML 1.0 §4.1, with the entities of RFC 6120 §11.1. */

import { HASH, isCharacter, NOT_ALPHANUMERIC, SEMICOLON } from './characters.ts'
import type { Cursor } from './cursor.ts'
import { intern } from './intern.ts'
import { isPredefined } from './decode.ts'
import { notWellFormed, XmlError } from './xml-error.ts'

/** The parser of a reference. */
export class Reference {
  readonly #cursor: Cursor

  constructor (cursor: Cursor) {
    this.#cursor = cursor
  }

  /** Begins a reference at the cursor, which is at `&`, and skips it; false at the end of the bytes. */
  begin (): boolean {
    const cursor = this.#cursor
    cursor.pos++
    cursor.beginName()
    return this.resume()
  }

  /** Resumes the reference; false at the end of the bytes. */
  resume (): boolean {
    const cursor = this.#cursor
    if (cursor.pos >= cursor.end) return false
    const numeric = cursor.bytes[cursor.nameStart] === HASH
    if (!(numeric ? this.#passNumber() : cursor.passName())) return false
    if (cursor.bytes[cursor.pos] !== SEMICOLON) throw notWellFormed('& without a reference')
    if (numeric) checkNumber(cursor.bytes.toString('latin1', cursor.nameStart + 1, cursor.pos))
    else checkEntity(intern(cursor.bytes, cursor.nameStart, cursor.pos))
    cursor.pos++
    return true
  }

  #passNumber (): boolean {
    const cursor = this.#cursor
    if (cursor.pos === cursor.nameStart) cursor.pos++
    return cursor.pass(NOT_ALPHANUMERIC) >= 0
  }
}

function checkNumber (digits: string): void {
  const isNumber = /^(?:x[0-9A-Fa-f]+|[0-9]+)$/.test(digits)
  const code = digits.startsWith('x') ? Number.parseInt(digits.slice(1), 16) : Number.parseInt(digits, 10)
  if (!isNumber || !isCharacter(code)) throw notWellFormed('a reference to no character')
}

function checkEntity (name: string): void {
  // RFC 6120 §11.1
  if (!isPredefined(name)) throw new XmlError('restricted-xml', 'a reference to an entity')
}
