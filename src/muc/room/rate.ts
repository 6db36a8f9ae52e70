/** A rate limit: an average per second, with bursts. */

/** The seconds for which unused allowance accumulates. */
const BURST_SECONDS = 5

export class Rate {
  /** Allowance in use at the time of the last take. */
  #used = 0
  #at = 0

  /** Takes one at that time in milliseconds, unless beyond the limit; 0 per second is no limit. */
  take (perSecond: number, now: number): boolean {
    if (perSecond === 0) return true
    const used = Math.max(0, this.#used - (now - this.#at) / 1000 * perSecond)
    this.#at = now
    if (used + 1 > perSecond * BURST_SECONDS) {
      this.#used = used
      return false
    }
    this.#used = used + 1
    return true
  }
}
