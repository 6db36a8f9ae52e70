/**
 * The bytes and characters that XML 1.0 (fifth edition) allows. UTF-8 is checked here byte by byte, because a decoder
 * would silently replace invalid sequences.
 */

import { notWellFormed, XmlError } from './xml-error.ts'

const TAB = 0x09
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
export const SPACE = 0x20
export const EXCLAMATION = 0x21
export const QUOTE = 0x22
export const HASH = 0x23
export const AMPERSAND = 0x26
export const APOSTROPHE = 0x27
export const DASH = 0x2d
export const SLASH = 0x2f
export const COLON = 0x3a
export const SEMICOLON = 0x3b
export const LESS = 0x3c
export const EQUALS = 0x3d
export const GREATER = 0x3e
export const QUESTION = 0x3f
export const LEFT_BRACKET = 0x5b
export const RIGHT_BRACKET = 0x5d
const DELETE = 0x7f

/** The classes in a table of `stopsAt`: skip; stop; check as a character. */
export const PLAIN = 0
export const STOP = 1

const CHECK = 2

/** A class for each byte: STOP for those of `stops`, PLAIN for other ASCII, CHECK for the rest (`characterLength`). */
export function stopsAt (stops: string): Uint8Array {
  const table = new Uint8Array(256).fill(CHECK)
  table.fill(PLAIN, SPACE, DELETE + 1)
  for (const byte of Buffer.from(stops)) table[byte] = STOP
  return table
}

/** A table that stops at the end of a number in a reference. */
export const NOT_ALPHANUMERIC = new Uint8Array(256).fill(STOP)
for (const byte of Buffer.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')) {
  NOT_ALPHANUMERIC[byte] = PLAIN
}

/** 1 for the ASCII characters of a name, except the colon. */
export const NAME_BYTES = new Uint8Array(256)
/** 1 for the first byte of a name; beyond ASCII `nameCharacterLength` decides. */
export const NAME_BEGINNINGS = new Uint8Array(256).fill(1, 0x80)
for (const byte of Buffer.from('_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')) {
  NAME_BYTES[byte] = NAME_BEGINNINGS[byte] = 1
}
for (const byte of Buffer.from('-.0123456789')) NAME_BYTES[byte] = 1

/** XML 1.0 §2.3, production 3. */
export function isSpace (byte: number): boolean {
  return byte <= SPACE && (byte === SPACE || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === TAB)
}

/** The length of the character at `at` in bytes, 0 when the bytes end within it; throws when XML does not allow it. */
export function characterLength (bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at]!
  if (lead < 0x80) {
    if (lead >= SPACE || isSpace(lead)) return 1
    throw notWellFormed('a control character')
  }
  const length = lengthFromLead(lead)
  if (at + length > end) return 0
  const character = decode(bytes, at, length)
  // XML 1.0 §2.2, production 2
  if (character === 0xfffe || character === 0xffff) throw notWellFormed('U+FFFE or U+FFFF')
  return length
}

/** As `characterLength`, for a character beyond ASCII in a name; `first` at its beginning. */
export function nameCharacterLength (bytes: Uint8Array, at: number, end: number, first: boolean): number {
  const length = characterLength(bytes, at, end)
  if (length === 0) return 0
  const character = decode(bytes, at, length)
  if (isIn(NAME_START, character) || !first && isIn(NAME_MORE, character)) return length
  throw notWellFormed('a character that no name may have')
}

function lengthFromLead (lead: number): number {
  // C0 and C1 could only begin overlong forms, F5 and above what is beyond U+10FFFF (RFC 3629 §4)
  if (lead < 0xc2 || lead > 0xf4) throw notUtf8()
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
}

const LEAST = [0, 0, 0x80, 0x800, 0x10000]

function decode (bytes: Uint8Array, at: number, length: number): number {
  let character = bytes[at]! & 0x7f >> length
  for (let next = at + 1; next < at + length; next++) {
    const byte = bytes[next]!
    if ((byte & 0xc0) !== 0x80) throw notUtf8()
    character = character << 6 | byte & 0x3f
  }
  const overlong = character < LEAST[length]!
  const surrogate = character >= 0xd800 && character <= 0xdfff
  if (overlong || surrogate || character > 0x10ffff) throw notUtf8()
  return character
}

/** RFC 6120 §4.9.3.22: the rules of UTF-8 were violated. */
function notUtf8 (): XmlError {
  return new XmlError('unsupported-encoding', 'not UTF-8')
}

/** Production 2: whether a character reference may refer to this code point. */
export function isCharacter (code: number): boolean {
  return code >= 0x20 && code <= 0xd7ff || code === TAB || code === LINE_FEED || code === CARRIAGE_RETURN ||
    code >= 0xe000 && code <= 0xfffd || code >= 0x10000 && code <= 0x10ffff
}

/** Production 4, beyond ASCII: pairs of first and last. */
const NAME_START = [
  0xc0, 0xd6, 0xd8, 0xf6, 0xf8, 0x2ff, 0x370, 0x37d, 0x37f, 0x1fff, 0x200c, 0x200d, 0x2070, 0x218f, 0x2c00, 0x2fef,
  0x3001, 0xd7ff, 0xf900, 0xfdcf, 0xfdf0, 0xfffd, 0x10000, 0xeffff,
]

/** Production 4a, beyond ASCII: further characters of a name. */
const NAME_MORE = [0xb7, 0xb7, 0x300, 0x36f, 0x203f, 0x2040]

function isIn (ranges: readonly number[], character: number): boolean {
  for (let i = 0; i < ranges.length; i += 2) {
    if (character >= ranges[i]! && character <= ranges[i + 1]!) return true
  }
  return false
}
