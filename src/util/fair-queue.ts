/**
 * A round-robin queue of expensive work for many askers: a limited number of tasks at once, one of each asker at a
 * time, and the askers in turn, however many tasks one of them has waiting.
 */

export interface FairQueueLimits {
  /** Tasks that run at the same time. */
  readonly atOnce: number
  /** Tasks of one asker that may wait. */
  readonly waitingEach: number
}

/** The asker has too many tasks waiting. */
export class FullError extends Error {}

export class FairQueue {
  readonly #limits: FairQueueLimits
  readonly #running = new Set<string>()
  /** Waiting tasks by asker, in the order of the askers' turns. */
  readonly #waiting = new Map<string, (() => void)[]>()

  constructor (limits: FairQueueLimits) {
    this.#limits = limits
  }

  /** Whether another task of this asker would be refused. */
  isFull (asker: string): boolean {
    return (this.#waiting.get(asker)?.length ?? 0) >= this.#limits.waitingEach
  }

  /** Resolves after the asker's earlier tasks; at once where there are none, or where its queue is full. */
  async settled (asker: string): Promise<void> {
    const isIdle = !this.#running.has(asker) && !this.#waiting.has(asker)
    if (!isIdle && !this.isFull(asker)) await this.run(asker, () => Promise.resolve())
  }

  /** Runs the task in the asker's turn; rejects with FullError where too many of the asker's tasks wait. */
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
