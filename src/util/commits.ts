/** Deliveries in the order of what is kept: nothing overtakes a message that waits for its commit. */

export class Commits {
  #last: Promise<void> | undefined
  #waiting = 0

  /**
   * Runs the task once `committed`, or else once all that was to be delivered before is: deliveries keep the archive's
   * order. Rejects as `committed` does; another's failed commit only ends the waiting.
   */
  inOrder (committed: Promise<void> | undefined, task: () => void | Promise<void>): void | Promise<void> {
    const wait = committed ?? this.#last
    if (!wait) return task()
    this.#last = wait
    this.#waiting++
    const done = (): void => { if (--this.#waiting === 0) this.#last = undefined }
    return wait.then(() => {
      done()
      return task()
    }, error => {
      done()
      if (committed) throw error
      return task()
    })
  }

  /** When all that was to be delivered before is; nothing when it is already. */
  settled (): Promise<void> | undefined {
    return this.#last?.catch(() => {}) // whoever sent it hears of it
  }
}
