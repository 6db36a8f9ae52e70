/** How many accounts one address has made within the hour. */

const HOUR = 3_600_000
/** Addresses that are remembered; the oldest is forgotten first. */
const REMEMBERED = 10_000

export class AddressQuota {
  readonly #perHour: number
  readonly #times = new Map<string, readonly number[]>()

  /** 0: no limit. */
  constructor (perHour: number) {
    this.#perHour = perHour
  }

  /** Whether the address may have one more account, which is counted at once: others may ask while it is made. */
  take (address: string): boolean {
    if (this.#perHour === 0) return true
    const recent = this.#recent(address)
    if (recent.length >= this.#perHour) return false
    this.#times.delete(address)
    this.#times.set(address, [...recent, Date.now()])
    const [oldest] = this.#times.keys()
    if (this.#times.size > REMEMBERED && oldest !== undefined) this.#times.delete(oldest)
    return true
  }

  /** The account that was taken last was not made. */
  giveBack (address: string): void {
    const times = this.#times.get(address)
    if (times) this.#times.set(address, times.slice(0, -1))
  }

  #recent (address: string): readonly number[] {
    const since = Date.now() - HOUR
    return (this.#times.get(address) ?? []).filter(time => time > since)
  }
}
