/**
 * The send queue of a room: stanzas in order, so many per turn of the event loop, in the slice of all long work
 * (slices.ts), so that a flood of presence does not block the server, and nothing overtakes.
 */
import { inNextSlice, isSliceOver } from '../../util/slices.ts'

/** The limit of a turn: stanzas, each of which counts once more for every so many bytes. */
const MAX_IN_TURN = 2000
const BYTES = 2048
/** The clock is read once in so many stanzas: that costs more than the rest of the loop. */
const CLOCK_EVERY = 16

interface Job {
  readonly recipients: readonly unknown[]
  readonly deliver: (recipient: never) => number
  at: number
  readonly done: PromiseWithResolvers<void>
}

export class SendQueue {
  readonly #jobs: Job[] = []
  #sentInTurn = 0
  #isScheduled = false

  /**
   * Calls `deliver` for each of `recipients`, whose list must not change; it returns the bytes it has sent. A promise
   * where it is not done in this turn.
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

  /** Resolves when all that is in the queue now was sent, or has failed; undefined where the queue is empty. */
  settled (): Promise<void> | undefined {
    return this.#jobs.at(-1)?.done.promise.catch(() => {}) // the caller of `send` handles the failure
  }

  /** Delivers from an index on, as much as this turn allows; returns the next index. */
  #deliver<T> (recipients: readonly T[], from: number, deliver: (recipient: T) => number): number {
    let at = from
    for (; at < recipients.length && this.#sentInTurn < MAX_IN_TURN; at++) {
      if (at % CLOCK_EVERY === 0 && isSliceOver()) break
      this.#sentInTurn += 1 + Math.floor(deliver(recipients[at] as T) / BYTES) // at is within
    }
    return at
  }

  #schedule (): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    inNextSlice(() => { this.#goOn() })
  }

  #goOn (): void {
    this.#isScheduled = false
    this.#sentInTurn = 0
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
    if (this.#sentInTurn > 0) this.#schedule()
  }
}
