/**
 * Limits of waiting bytes, in total and per sender, so that no sender fills the whole limit. Bytes are counted per
 * sender only while the total exceeds one sender's share: below that nobody can be over it.
 */

/** Bytes that are added in one or several steps and removed as one. */
export interface Portion {
  bytes: number
  /** The bytes counted per sender. */
  of?: Map<string, number>
}

export class Shares {
  readonly #most: number
  readonly #each: number
  readonly #of = new Map<string, number>()
  #bytes = 0

  /** `most` is the limit in total and `each` per sender, in bytes; the last addition may exceed them. */
  constructor (most: number, each: number) {
    this.#most = most
    this.#each = each
  }

  /** Whether the sender may add more. */
  hasRoom (sender: string): boolean {
    return this.#bytes <= this.#each || (this.#bytes <= this.#most && (this.#of.get(sender) ?? 0) <= this.#each)
  }

  add (portion: Portion, sender: string, bytes: number): void {
    portion.bytes += bytes
    this.#bytes += bytes
    if (this.#bytes <= this.#each) return
    portion.of ??= new Map()
    portion.of.set(sender, (portion.of.get(sender) ?? 0) + bytes)
    this.#of.set(sender, (this.#of.get(sender) ?? 0) + bytes)
  }

  /** Removes a portion that waits no longer. */
  remove (portion: Portion): void {
    this.#bytes -= portion.bytes
    for (const [sender, bytes] of portion.of ?? []) {
      const rest = (this.#of.get(sender) ?? 0) - bytes
      if (rest > 0) this.#of.set(sender, rest)
      else this.#of.delete(sender)
    }
  }
}
