/** What an inactive client is not sent yet: of presence and of chat states the newest of each sender, in order. */
import type { Portion, Shares, Stanza } from '../../src/extension/api.ts'

/** What a stanza takes besides its content. */
const OVERHEAD = 256

export class Held {
  /** By kind and sender, the newest last. */
  readonly #stanzas = new Map<string, { readonly stanza: Stanza, readonly portion: Portion }>()
  readonly #shares: Shares | undefined
  readonly #account: string
  #bytes = 0

  /** What it takes counts as that account's. */
  constructor (shares?: Shares, account = '') {
    this.#shares = shares
    this.#account = account
  }

  /** About the bytes of memory that it takes. */
  get bytes (): number {
    return this.#bytes
  }

  get stanzas (): readonly Stanza[] {
    return Array.from(this.#stanzas.values(), ({ stanza }) => stanza)
  }

  /** Replaces an earlier one of the same kind and full address. */
  add (stanza: Stanza): void {
    const key = `${stanza.kind} ${stanza.from}`
    this.#remove(key)
    const portion: Portion = { bytes: 0 }
    this.#stanzas.set(key, { stanza, portion })
    this.#bytes += OVERHEAD + stanza.weight
    this.#shares?.add(portion, this.#account, OVERHEAD + stanza.weight)
  }

  #remove (key: string): void {
    const before = this.#stanzas.get(key)
    if (!before) return
    this.#stanzas.delete(key)
    this.#bytes -= OVERHEAD + before.stanza.weight
    this.#shares?.remove(before.portion)
  }

  /** Removes and returns all, in the order in which they came. */
  take (): readonly Stanza[] {
    const { stanzas } = this
    for (const key of this.#stanzas.keys()) this.#remove(key)
    return stanzas
  }
}
