/**
 * Strings from bytes through a small direct-mapped cache, since names and namespaces recur. A slot holds the last
 * string with its hash: a peer that floods the cache costs time, not memory.
 */

import { AMPERSAND, SPACE } from './characters.ts'
import { decodeAttribute } from './decode.ts'

const SLOTS = 1024
const LONGEST = 64

const strings = new Array<string>(SLOTS).fill('')
const stringBytes = new Uint8Array(SLOTS * LONGEST)

/** The name or attribute value in checked bytes, decoded and cached: for values that are likely to recur. */
export function intern (bytes: Buffer, start: number, end: number): string {
  const length = end - start
  if (length > LONGEST) return decodeValue(bytes, start, end, false)
  const slot = slotOf(bytes, start, end)
  const known = strings[slot]!
  if (known.length === length && isSame(bytes, start, length, slot * LONGEST)) return known
  if (!isPlain(bytes, start, end)) return decodeValue(bytes, start, end, false)
  strings[slot] = decodeValue(bytes, start, end, true)
  for (let i = 0; i < length; i++) stringBytes[slot * LONGEST + i] = bytes[start + i]!
  return strings[slot]
}

/** The attribute value in checked bytes, decoded: for values that are likely to be new. */
export function decodeValue (bytes: Buffer, start: number, end: number, isPlain: boolean): string {
  return isPlain ? bytes.toString('latin1', start, end) : decodeAttribute(bytes.toString('utf8', start, end))
}

/** Whether the bytes from `start` to `end` equal `expected`. */
export function isAt (bytes: Buffer, start: number, end: number, expected: Uint8Array): boolean {
  const { length } = expected
  if (end - start !== length) return false
  for (let i = 0; i < length; i++) {
    if (bytes[start + i] !== expected[i]) return false
  }
  return true
}

function slotOf (bytes: Buffer, start: number, end: number): number {
  let hash = end - start
  for (let at = start; at < end; at++) hash = Math.imul(hash, 31) + bytes[at]! | 0
  return (hash ^ hash >>> 15) & SLOTS - 1
}

function isSame (bytes: Buffer, start: number, length: number, from: number): boolean {
  for (let i = 0; i < length; i++) {
    if (bytes[start + i] !== stringBytes[from + i]) return false
  }
  return true
}

/** Whether the bytes are ASCII with nothing to decode. */
function isPlain (bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte >= 0x80 || byte < SPACE || byte === AMPERSAND) return false
  }
  return true
}
