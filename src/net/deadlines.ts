/** Timeouts of many items with one timer, instead of one per connection. */

/** Expires each item between once and twice `ms` after it was added. */
export class Deadlines<T> {
  readonly #ms: number
  readonly #expire: (item: T) => void
  #young = new Set<T>()
  #old = new Set<T>()
  #timer: NodeJS.Timeout | undefined

  constructor (ms: number, expire: (item: T) => void) {
    this.#ms = ms
    this.#expire = expire
  }

  add (item: T): void {
    this.#young.add(item)
    this.#timer ??= setInterval(() => this.#turn(), this.#ms).unref()
  }

  delete (item: T): void {
    this.#young.delete(item)
    this.#old.delete(item)
  }

  #turn (): void {
    const due = this.#old
    this.#old = this.#young
    this.#young = new Set()
    if (this.#old.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    for (const item of due) this.#expire(item)
  }
}
