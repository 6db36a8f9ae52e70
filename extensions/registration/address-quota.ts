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

  mayHaveOneMore (address: string): boolean {
    return this.#perHour === 0 || this.#recent(address).length < this.#perHour
  }

  count (address: string): void {
    if (this.#perHour === 0) return
    const times = [...this.#recent(address), Date.now()]
    this.#times.delete(address)
    this.#times.set(address, times)
    const [oldest] = this.#times.keys()
    if (this.#times.size > REMEMBERED && oldest !== undefined) this.#times.delete(oldest)
  }

  #recent (address: string): readonly number[] {
    const since = Date.now() - HOUR
    return (this.#times.get(address) ?? []).filter(time => time > since)
  }
}
