/**
 * The bytes that have come and are not dealt with yet. A chunk is used as it is while nothing is left over; what is
 * left over moves once into a buffer of our own, which grows by doubling. Bytes that were given out are never written
 * to again.
 */

const NOTHING = Buffer.alloc(0)
const WORTH_MOVING = 1024

export class ByteWindow {
  /** Read it anew after each `append` and `release`. */
  bytes: Buffer = NOTHING
  /** The end of what has come. */
  end = 0

  /** Adds a chunk behind what is kept from `from` on; returns by how much all offsets have become smaller. */
  append (chunk: Buffer, from: number): number {
    const left = this.end - from
    if (left === 0) {
      this.#use(chunk, chunk.length)
      return from
    }
    // a chunk as it came has no room; what has room is a buffer of our own
    const isFull = this.end + chunk.length > this.bytes.length
    const moved = isFull ? this.#move(from, left + left + chunk.length) : 0
    chunk.copy(this.bytes, this.end)
    this.end += chunk.length
    return moved
  }

  /** Lets go of what lies before `from`, when that is worth it; returns by how much all offsets have become smaller. */
  release (from: number): number {
    const left = this.end - from
    if (left === 0) {
      this.#use(NOTHING, 0)
      return from
    }
    return this.bytes.length > 4 * left + WORTH_MOVING ? this.#move(from, left) : 0
  }

  #move (from: number, capacity: number): number {
    const bytes = Buffer.allocUnsafeSlow(capacity)
    this.bytes.copy(bytes, 0, from, this.end)
    this.#use(bytes, this.end - from)
    return from
  }

  #use (bytes: Buffer, end: number): void {
    this.bytes = bytes
    this.end = end
  }
}
