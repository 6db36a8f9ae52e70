/**
 * The messages of a room that a session has been sent, by their numbers in the room's archive. After a failure a
 * message may come again, or behind later ones: this tells the two apart.
 */

/** Ranges that are remembered: there is one, unless messages came out of order. */
const MAX_RANGES = 16

/** The first and last number of each range, ascending. */
export type Ranges = readonly number[]

export class HeardNumbers {
  readonly #bounds: number[]

  constructor (ranges: Ranges = []) {
    this.#bounds = [...ranges]
  }

  get ranges (): Ranges { return this.#bounds }

  has (number: number): boolean {
    const at = this.#endOf(number)
    return number <= (this.#bounds[at] ?? -1)
  }

  /** Beyond the limit the lowest range is forgotten: its messages would be sent twice rather than not at all. */
  add (number: number): void {
    if (this.has(number)) return
    const at = this.#endOf(number)
    const isNext = this.#bounds[at] === number - 1
    const isBefore = this.#bounds[at + 1] === number + 1
    if (isNext && isBefore) this.#bounds.splice(at, 2)
    else if (isNext) this.#bounds[at] = number
    else if (isBefore) this.#bounds[at + 1] = number
    else this.#bounds.splice(at + 1, 0, number, number)
    if (this.#bounds.length > 2 * MAX_RANGES) this.#bounds.splice(0, 2)
  }

  /** The index of the end of the last range that does not begin behind the number; -1 where there is none. */
  #endOf (number: number): number {
    let at = this.#bounds.length - 1
    while (at > 0 && (this.#bounds[at - 1] ?? 0) > number) at -= 2
    return at
  }
}
