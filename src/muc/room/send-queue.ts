/**
 * The send queue of a room: stanzas in order, a slice per turn of the event loop, so that a flood of presence does not
 * block the server, and nothing overtakes.
 */

/** The size of a slice: stanzas, each of which counts once more for every so many bytes. */
const SLICE = 2000
const BYTES = 2048

interface Job {
  readonly recipients: readonly unknown[]
  readonly deliver: (recipient: never) => number
  at: number
  readonly done: PromiseWithResolvers<void>
}

export class SendQueue {
  readonly #jobs: Job[] = []
  #sentInTick = 0
  #isScheduled = false

  /**
   * Calls `deliver` for each of `recipients`, whose list must not change; it returns the bytes it has sent. A promise
   * where one slice is not enough.
   */
  send<T> (recipients: readonly T[], deliver: (recipient: T) => number): void | Promise<void> {
    const isNext = this.#jobs.length === 0
    const at = isNext ? this.#deliver(recipients, 0, deliver) : 0
    this.#schedule()
    if (isNext && at === recipients.length) return
    const done = Promise.withResolvers<void>()
    this.#jobs.push({ recipients, deliver, at, done })
    return done.promise
  }

  /** Resolves when the queue is empty; undefined where it is. */
  settled (): Promise<void> | undefined {
    return this.#jobs.at(-1)?.done.promise.catch(() => {}) // the caller of `send` handles the failure
  }

  /** Delivers from an index on until the slice is full; returns the next index. */
  #deliver<T> (recipients: readonly T[], from: number, deliver: (recipient: T) => number): number {
    let at = from
    for (; at < recipients.length && this.#sentInTick < SLICE; at++) {
      this.#sentInTick += 1 + Math.floor(deliver(recipients[at] as T) / BYTES) // at is within
    }
    return at
  }

  #schedule (): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => { this.#goOn() })
  }

  #goOn (): void {
    this.#isScheduled = false
    this.#sentInTick = 0
    for (let job = this.#jobs[0]; job; job = this.#jobs[0]) {
      try {
        job.at = this.#deliver(job.recipients as readonly never[], job.at, job.deliver)
      } catch (error) { // the caller of `send` gets it, and the queue goes on
        this.#jobs.shift()
        job.done.reject(error)
        continue
      }
      if (job.at < job.recipients.length) return this.#schedule()
      this.#jobs.shift()
      job.done.resolve()
    }
    if (this.#sentInTick > 0) this.#schedule()
  }
}
