/** Presence of the accounts' contacts elsewhere, of which a component hears once, whoever has them for contacts. */
import type { Jid } from '../xmpp/jid.ts'
import type { Presence } from '../xmpp/stanza.ts'

const MAX_CONTACTS = 20_000
const MAX_BYTES = 32 * 1024 ** 2
const OVERHEAD_BYTES = 300

export class ContactPresences {
  /** The last presence by full address, the one that changed longest ago first. */
  readonly #last = new Map<string, Presence>()
  #bytes = 0

  /** Whether the presence is another than the last one from that address. */
  isNew (from: Jid, presence: Presence): boolean {
    const key = from.toString()
    const last = this.#last.get(key)
    if (last?.type === presence.type && last.inner.equals(presence.inner)) return false
    this.#forget(key)
    this.#last.set(key, presence.copy())
    this.#bytes += weightOf(presence)
    for (const [oldest] of this.#last) {
      if (this.#last.size <= MAX_CONTACTS && this.#bytes <= MAX_BYTES) break
      this.#forget(oldest)
    }
    return true
  }

  get available (): readonly Presence[] {
    return [...this.#last.values()].filter(({ type }) => type === 'available')
  }

  #forget (key: string): void {
    const last = this.#last.get(key)
    if (!last) return
    this.#last.delete(key)
    this.#bytes -= weightOf(last)
  }
}

function weightOf (presence: Presence): number {
  return presence.weight + OVERHEAD_BYTES
}
