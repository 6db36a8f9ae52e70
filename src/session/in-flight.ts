/** The stanzas of a session that were taken and are not dealt with yet: they count as handled in the order they came. */

/** More than that, and the client's stream is read no further. */
const LIMIT = 64

export class InFlight {
  readonly #handled: () => void
  readonly #entries: { isDone: boolean }[] = []
  #waiting: PromiseWithResolvers<void>[] = []

  /** `handled` is called once for each stanza, in order. */
  constructor (handled: () => void) {
    this.#handled = handled
  }

  /** Counts a stanza that is dealt with when `done` resolves, or is already. */
  track (done: void | Promise<void>): void {
    if (!done && this.#entries.length === 0) return this.#handled()
    const entry = { isDone: !done }
    this.#entries.push(entry)
    done?.finally(() => {
      entry.isDone = true
      this.#settle()
    }).catch(() => {}) // whoever sent it heard of it
  }

  get size (): number {
    return this.#entries.length
  }

  /** Resolves when another may be taken; nothing when it may be at once. */
  room (): Promise<void> | undefined {
    return this.#entries.length < LIMIT ? undefined : this.#wait()
  }

  /** Resolves when none is left; nothing when that is now. */
  settled (): Promise<void> | undefined {
    return this.#entries.length === 0 ? undefined : this.#wait().then(() => this.settled())
  }

  #wait (): Promise<void> {
    const waiter = Promise.withResolvers<void>()
    this.#waiting.push(waiter)
    return waiter.promise
  }

  #settle (): void {
    while (this.#entries[0]?.isDone) {
      this.#entries.shift()
      this.#handled()
    }
    if (this.#entries.length >= LIMIT) return
    for (const waiter of this.#waiting.splice(0)) waiter.resolve()
  }
}
