/**
 * Work that is asked for by many, and costs more than asking for it: so much at once, one task at a time for each who
 * asks, and each in turn however much the others ask for.
 */

export interface FairQueueLimits {
  /** Tasks that run at the same time. */
  readonly atOnce: number
  /** Tasks of one who asks that may wait for their turn. */
  readonly waitingEach: number
}

/** One who asks has too much waiting already. */
export class FullError extends Error {}

export class FairQueue {
  readonly #limits: FairQueueLimits
  readonly #running = new Set<string>()
  /** What waits, by who asks; whose turn is next comes first. */
  readonly #waiting = new Map<string, (() => void)[]>()

  constructor (limits: FairQueueLimits) {
    this.#limits = limits
  }

  /** Whether what this one asks for now would be too much. */
  isFull (asker: string): boolean {
    return (this.#waiting.get(asker)?.length ?? 0) >= this.#limits.waitingEach
  }

  /** When all that this one has asked for by now is done; at once where that is nothing, or too much. */
  async settled (asker: string): Promise<void> {
    if ((this.#running.has(asker) || this.#waiting.has(asker)) && !this.isFull(asker)) await this.run(asker, () => Promise.resolve())
  }

  /** Runs the task when it is the turn of whoever asks; rejects with FullError when too much of theirs waits already. */
  async run<T> (asker: string, task: () => Promise<T>): Promise<T> {
    const turn = this.#turn(asker)
    if (turn) await turn
    try {
      return await task()
    } finally {
      this.#running.delete(asker)
      this.#next()
    }
  }

  #turn (asker: string): Promise<void> | undefined {
    if (this.#running.size < this.#limits.atOnce && !this.#running.has(asker)) {
      this.#running.add(asker)
      return
    }
    const turns = this.#waiting.get(asker) ?? []
    if (this.isFull(asker)) throw new FullError(`${turns.length} tasks wait already`)
    this.#waiting.set(asker, turns)
    return new Promise(resolve => { turns.push(resolve) })
  }

  #next (): void {
    for (const [asker, turns] of this.#waiting) {
      if (this.#running.size >= this.#limits.atOnce) return
      if (this.#running.has(asker)) continue
      this.#waiting.delete(asker)
      const start = turns.shift()
      if (turns.length > 0) this.#waiting.set(asker, turns) // behind the others
      this.#running.add(asker)
      start?.()
    }
  }
}
