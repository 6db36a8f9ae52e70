/**
 * What a room sends, in order and so much at a time: a flood of presence takes turns with everything else that the
 * server does, and nothing that a room sends overtakes anything else that it sends.
 */

/** How many stanzas a room sends before others have their turn. */
const SLICE = 2000

interface Job {
  send (most: number): number
  readonly done: PromiseWithResolvers<void>
}

export class Outbox {
  readonly #jobs: Job[] = []
  #sentInTick = 0
  #isScheduled = false

  /**
   * Calls `deliver` with each of `recipients`, whose list must not change; a promise where that takes more than now.
   */
  send<T> (recipients: readonly T[], deliver: (recipient: T) => void): void | Promise<void> {
    if (this.#jobs.length === 0 && this.#sentInTick + recipients.length <= SLICE) {
      for (const recipient of recipients) deliver(recipient)
      this.#count(recipients.length)
      return
    }
    const done = Promise.withResolvers<void>()
    let at = 0
    this.#jobs.push({
      done,
      send (most) {
        const end = Math.min(recipients.length, at + most)
        const sent = end - at
        for (const recipient of recipients.slice(at, end)) deliver(recipient)
        at = end
        return sent
      },
    })
    this.#schedule()
    return done.promise
  }

  /** When all is sent that there is to send; nothing when it is already. */
  settled (): Promise<void> | undefined {
    return this.#jobs.at(-1)?.done.promise.catch(() => {}) // whoever wanted it sent hears what failed
  }

  #count (sent: number): void {
    this.#sentInTick += sent
    this.#schedule()
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
      const most = SLICE - this.#sentInTick
      let sent = 0
      try {
        sent = job.send(most)
      } catch (error) { // whoever wanted it sent hears of it, and what is behind it goes on
        this.#jobs.shift()
        job.done.reject(error)
        continue
      }
      this.#sentInTick += sent
      if (sent === most) return this.#schedule() // it may have just finished, which the next turn finds out
      this.#jobs.shift()
      job.done.resolve()
    }
    if (this.#sentInTick > 0) this.#schedule()
  }
}
