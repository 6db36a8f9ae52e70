/**
 * What a room sends, in order and so much at a time: a flood of presence takes turns with everything else that the
 * server does, and nothing that a room sends overtakes anything else that it sends.
 */

/** What a room sends before others have their turn: stanzas, each of which counts once more for so many bytes. */
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
   * Calls `deliver` with each of `recipients`, whose list must not change; it returns how many bytes it has sent. A
   * promise where that takes more than now.
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

  /** When all is sent that there is to send; nothing when it is already. */
  settled (): Promise<void> | undefined {
    return this.#jobs.at(-1)?.done.promise.catch(() => {}) // whoever wanted it sent hears what failed
  }

  /** Delivers from there on until the slice is full; returns up to where. */
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
      } catch (error) { // whoever wanted it sent hears of it, and what is behind it goes on
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
