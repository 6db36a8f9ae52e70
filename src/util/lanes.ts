/** Who waits, in lanes: where few wait they come first, so that a crowd in one lane does not hold up the others. */

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

  /** Takes one of a lane that has the fewest; which lane of those, and which one in it, `choose` says of so many. */
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
