/** What an inactive client is not sent yet: of presence and of chat states the newest of each sender, in order. */
import type { Stanza } from '../../src/extension/api.ts'

/** What a stanza takes besides its content. */
const OVERHEAD = 256

export class Held {
  /** By kind and sender, the newest last. */
  readonly #stanzas = new Map<string, Stanza>()
  #bytes = 0

  /** About the bytes of memory that it takes. */
  get bytes (): number {
    return this.#bytes
  }

  get stanzas (): readonly Stanza[] {
    return [...this.#stanzas.values()]
  }

  /** Replaces an earlier one of the same kind and full address. */
  add (stanza: Stanza): void {
    const key = `${stanza.kind} ${stanza.from}`
    const before = this.#stanzas.get(key)
    if (before) {
      this.#bytes -= OVERHEAD + before.weight
      this.#stanzas.delete(key)
    }
    this.#stanzas.set(key, stanza)
    this.#bytes += OVERHEAD + stanza.weight
  }

  /** Removes and returns all, in the order in which they came. */
  take (): readonly Stanza[] {
    const { stanzas } = this
    this.#stanzas.clear()
    this.#bytes = 0
    return stanzas
  }
}
