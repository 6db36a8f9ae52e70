/**
 * The received bytes that are not parsed yet. A chunk is used in place while nothing is left over from earlier ones;
 * otherwise the rest moves once into an own buffer, which grows by doubling. Bytes of emitted frames are never
 * overwritten.
 */

const NOTHING = Buffer.alloc(0)
const WORTH_MOVING = 1024

export class ByteWindow {
  /** Changes with each `append` and `release`. */
  bytes: Buffer = NOTHING
  /** The end of the received bytes. */
  end = 0

  /** Adds a chunk, keeping the bytes from `from` on; returns by how much all offsets have decreased. */
  append (chunk: Buffer, from: number): number {
    const left = this.end - from
    if (left === 0) {
      this.#use(chunk, chunk.length)
      return from
    }
    // a chunk used in place has no free space, only an own buffer has
    const isFull = this.end + chunk.length > this.bytes.length
    const moved = isFull ? this.#move(from, left + left + chunk.length) : 0
    chunk.copy(this.bytes, this.end)
    this.end += chunk.length
    return moved
  }

  /** Releases the memory before `from` if that is worthwhile; returns by how much all offsets have decreased. */
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
