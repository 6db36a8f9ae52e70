/**
 * What happens to nodes while their last items are being read and sent: an item that was read must not be sent behind a
 * newer event of its node, or the client would end with it.
 */
export class NewerEvents<Recipient extends object> {
  readonly #watches = new Map<Recipient, Set<Set<string>>>()

  /** Runs `work` with the keys that are noted for the recipient from now on. */
  async during (to: Recipient, work: (newer: ReadonlySet<string>) => Promise<void>): Promise<void> {
    const newer = new Set<string>()
    const watches = this.#watches.get(to) ?? new Set()
    this.#watches.set(to, watches.add(newer))
    try {
      await work(newer)
    } finally {
      watches.delete(newer)
      if (watches.size === 0) this.#watches.delete(to)
    }
  }

  /** The recipient is sent an event. */
  note (to: Recipient, key: string): void {
    for (const newer of this.#watches.get(to) ?? []) newer.add(key)
  }
}
