/** How often something may happen: so many times a second on average, and for a while more at once. */

/** For how many seconds what was not used may be used at once. */
const BURST_SECONDS = 5

export class Rate {
  /** How much was used and is not made up for yet, at the time of the last use. */
  #used = 0
  #at = 0

  /** Takes one at that time in milliseconds, unless that is too much; 0 a second is no limit. */
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
