/** Who waits, in lanes: a crowd in one of them does not hold up the others. */

export class Lanes<T> {
  readonly #lanes = new Map<string, T[]>()
  #last = ''

  get isEmpty (): boolean {
    return this.#lanes.size === 0
  }

  push (lane: string, item: T): void {
    const items = this.#lanes.get(lane)
    if (items) items.push(item)
    else this.#lanes.set(lane, [item])
  }

  remove (lane: string, item: T): void {
    const items = this.#lanes.get(lane)
    const at = items?.indexOf(item) ?? -1
    if (!items || at < 0) return
    items.splice(at, 1)
    if (items.length === 0) this.#lanes.delete(lane)
  }

  /** Takes the one of the lane that `choose` says, each of so many; not of the lane before, where there is another. */
  next (choose: (count: number) => number): T | undefined {
    const last = this.#lanes.get(this.#last)
    if (last && this.#lanes.delete(this.#last)) this.#lanes.set(this.#last, last)
    const others = this.#lanes.size - (last && this.#lanes.size > 1 ? 1 : 0)
    const lane = [...this.#lanes.keys()][choose(others)]
    const items = lane === undefined ? undefined : this.#lanes.get(lane)
    if (lane === undefined || !items) return
    this.#last = lane
    const [item] = items.splice(choose(items.length), 1)
    if (items.length === 0) this.#lanes.delete(lane)
    return item
  }
}
