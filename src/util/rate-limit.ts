/**
 * A rate limit per key, such as an address. A place is taken before the work and given back afterwards where the work
 * does not count. There is no check without taking, so concurrent callers get no more than sequential ones.
 */

/** A place in the limit; to give it back a second time does nothing. */
export interface Taken {
  giveBack (): void
}

/** The most keys remembered; the least recently changed are forgotten first. */
const REMEMBERED = 20_000

const NOTHING: Taken = { giveBack () {} }

export class RateLimit {
  readonly #windowMs: number
  readonly #costMs: number
  /** For each key, the time at which the whole limit is available again (GCRA). */
  readonly #times = new Map<string, number>()

  /** Allows a burst of `limit`, and then one each `windowMs / limit`; 0 means no limit. */
  constructor (limit: number, windowMs: number) {
    this.#windowMs = windowMs
    this.#costMs = limit === 0 ? 0 : windowMs / limit
  }

  /** Takes a place; undefined where none is left. */
  take (key: string): Taken | undefined {
    return this.waitMs(key) > 0 ? undefined : this.overdraw(key)
  }

  /** Takes a place even where none is left: the next has to wait longer, by at most a window. */
  overdraw (key: string): Taken {
    if (this.#costMs === 0) return NOTHING
    const now = performance.now()
    this.#set(key, Math.min(Math.max(this.#times.get(key) ?? 0, now) + this.#costMs, now + 2 * this.#windowMs))
    let isTaken = true
    return {
      giveBack: () => {
        if (isTaken) this.#giveBack(key)
        isTaken = false
      },
    }
  }

  /** Milliseconds until a place is left, if none is given back before. */
  waitMs (key: string): number {
    if (this.#costMs === 0) return 0
    return Math.max(0, (this.#times.get(key) ?? 0) + this.#costMs - this.#windowMs - performance.now())
  }

  #giveBack (key: string): void {
    const time = this.#times.get(key)
    if (time === undefined) return
    if (time - this.#costMs > performance.now()) this.#times.set(key, time - this.#costMs)
    else this.#times.delete(key)
  }

  #set (key: string, time: number): void {
    this.#times.delete(key)
    this.#times.set(key, time)
    if (this.#times.size <= REMEMBERED) return
    const { value: oldest } = this.#times.keys().next()
    if (oldest !== undefined) this.#times.delete(oldest)
  }
}
