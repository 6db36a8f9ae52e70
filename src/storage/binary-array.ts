/**
 * PostgreSQL arrays in binary format, for parameters of many rows: without escaping or hexadecimal bytes. The driver
 * sends a Buffer parameter as it is.
 */

const TEXT_OID = 25
const INT8_OID = 20
const HEADER_BYTES = 20

/** A text[] of one dimension; undefined is null. */
export function textArray (values: readonly (string | Buffer | undefined)[]): Buffer {
  let bytes = HEADER_BYTES
  for (const value of values) {
    bytes += 4 + (value === undefined ? 0 : typeof value === 'string' ? Buffer.byteLength(value) : value.length)
  }
  const array = Buffer.allocUnsafe(bytes)
  let at = writeHeader(array, TEXT_OID, values.length)
  for (const value of values) {
    if (value === undefined) {
      at = array.writeInt32BE(-1, at)
    } else {
      const length = typeof value === 'string' ? array.write(value, at + 4) : value.copy(array, at + 4)
      at = array.writeInt32BE(length, at) + length
    }
  }
  return array
}

/** An int8[] of one dimension. */
export function int8Array (values: readonly number[]): Buffer {
  const array = Buffer.allocUnsafe(HEADER_BYTES + values.length * 12)
  let at = writeHeader(array, INT8_OID, values.length)
  for (const value of values) {
    at = array.writeInt32BE(8, at)
    at = array.writeInt32BE(Math.floor(value / 2 ** 32), at)
    at = array.writeUInt32BE(value >>> 0, at)
  }
  return array
}

function writeHeader (array: Buffer, oid: number, length: number): number {
  let at = array.writeInt32BE(1, 0) // dimensions
  at = array.writeInt32BE(1, at) // there may be nulls
  at = array.writeInt32BE(oid, at)
  at = array.writeInt32BE(length, at)
  return array.writeInt32BE(1, at) // the lower bound
}
