/**
 * Waiting items in lanes: those of the shortest lane come first, so that a crowded lane does not hold up the others.
 */

export class Lanes<T> {
  readonly #lanes = new Map<string, T[]>()

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

  /**
   * Takes an item of a shortest lane. `choose(count)` returns the index of the lane among those, and of the item in it.
   */
  next (choose: (count: number) => number): T | undefined {
    let fewest: string[] = []
    let count = Infinity
    for (const [lane, { length }] of this.#lanes) {
      if (length < count) fewest = []
      if (length <= count) fewest.push(lane)
      count = Math.min(count, length)
    }
    const lane = fewest[choose(fewest.length)]
    const items = lane === undefined ? undefined : this.#lanes.get(lane)
    if (lane === undefined || !items) return
    const [item] = items.splice(choose(items.length), 1)
    if (items.length === 0) this.#lanes.delete(lane)
    return item
  }
}
