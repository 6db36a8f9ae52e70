/** What a client has seen and nobody has asked for yet. */
const PATIENCE_MS = 10_000

interface Waiting<Seen> {
  matches (seen: Seen): boolean
  resolve (seen: Seen): void
}

export class Inbox<Seen> {
  readonly #seen: Seen[] = []
  readonly #waiting = new Set<Waiting<Seen>>()
  readonly #patienceMs: number

  constructor (patienceMs = PATIENCE_MS) {
    this.#patienceMs = patienceMs
  }

  add (seen: Seen): void {
    for (const waiting of this.#waiting) {
      if (!waiting.matches(seen)) continue
      this.#waiting.delete(waiting)
      return waiting.resolve(seen)
    }
    this.#seen.push(seen)
  }

  /** Takes out the first that matches, be it still to come; rejects with what did come when it stays away. */
  async take (what: string, matches: (seen: Seen) => boolean): Promise<Seen> {
    const index = this.#seen.findIndex(matches)
    const [found] = index === -1 ? [] : this.#seen.splice(index, 1)
    if (found !== undefined) return found
    const { promise, resolve, reject } = Promise.withResolvers<Seen>()
    const waiting = { matches, resolve }
    this.#waiting.add(waiting)
    const timer = setTimeout(() => {
      this.#waiting.delete(waiting)
      reject(new Error(`${what} did not come; there are: ${this.#seen.map(seen => String(seen)).join('\n') || 'none'}`))
    }, this.#patienceMs)
    return promise.finally(() => clearTimeout(timer))
  }
}
