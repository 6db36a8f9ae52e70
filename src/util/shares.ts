/**
 * Bytes that wait for something, and whose they are: one may take his share of the room, and no more, so that nobody
 * takes the room of all. Whose they are is counted only while more waits than one share: before, it does not matter.
 */

/** What somebody adds to at once or piece by piece, and takes away as a whole. */
export interface Portion {
  bytes: number
  /** How much of it was counted as whose. */
  of?: Map<string, number>
}

export class Shares {
  readonly #most: number
  readonly #each: number
  readonly #of = new Map<string, number>()
  #bytes = 0

  /** All may let `most` bytes wait, and of these each may let `each` wait; the last that has room may go beyond. */
  constructor (most: number, each: number) {
    this.#most = most
    this.#each = each
  }

  /** Whether he may let more wait. */
  hasRoom (who: string): boolean {
    return this.#bytes <= this.#each || (this.#bytes <= this.#most && (this.#of.get(who) ?? 0) <= this.#each)
  }

  add (portion: Portion, who: string, bytes: number): void {
    portion.bytes += bytes
    this.#bytes += bytes
    if (this.#bytes <= this.#each) return
    portion.of ??= new Map()
    portion.of.set(who, (portion.of.get(who) ?? 0) + bytes)
    this.#of.set(who, (this.#of.get(who) ?? 0) + bytes)
  }

  /** It does not wait any more. */
  remove (portion: Portion): void {
    this.#bytes -= portion.bytes
    for (const [who, bytes] of portion.of ?? []) {
      const left = (this.#of.get(who) ?? 0) - bytes
      if (left > 0) this.#of.set(who, left)
      else this.#of.delete(who)
    }
  }
}
