/**
 * A limit of so many per time for each key, such as an address. It is taken before the work that it is about and given
 * back afterwards where the work did not count: there is no way to look first and count later, so that many who come at
 * once get no more than one after the other.
 */

/** What was taken counts unless it is given back, which does nothing a second time. */
export interface Taken {
  giveBack (): void
}

/** How many keys are remembered; the ones that were longest without a change are forgotten first. */
const REMEMBERED = 20_000

const NOTHING: Taken = { giveBack () {} }

export class RateLimit {
  readonly #windowMs: number
  readonly #costMs: number
  /** For each key, the time at which all that was taken is forgiven. */
  readonly #times = new Map<string, number>()

  /** `limit` are free within `windowMs`, and then one each `windowMs / limit`; 0: there is no limit. */
  constructor (limit: number, windowMs: number) {
    this.#windowMs = windowMs
    this.#costMs = limit === 0 ? 0 : windowMs / limit
  }

  /** One of the limit; nothing where none is left. */
  take (key: string): Taken | undefined {
    return this.waitMs(key) > 0 ? undefined : this.overdraw(key)
  }

  /** One whether or not one is left: the next has to wait longer for it, though not longer than a window. */
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

  /** Milliseconds until one is left, if nothing is given back before. */
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
