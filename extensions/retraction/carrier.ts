/** Carries retractions out one after the other, whoever sends them: looking for a message is not cheap. */
import { GroupWriter } from '../../src/extension/api.ts'

/** While more than that wait, somebody makes them faster than they can be carried out. */
const MAX_WAITING = 1000

export class Carrier {
  readonly #carryOut: () => Promise<void>
  readonly #failed: (error: unknown) => void
  readonly #work = new GroupWriter<() => Promise<void>>(async tasks => {
    for (const task of tasks) await task()
  })
  #isAsked = false
  #waiting = 0

  /** `carryOut` does all that waits in the database; what it can't do waits for the next time. */
  constructor (carryOut: () => Promise<void>, failed: (error: unknown) => void) {
    this.#carryOut = carryOut
    this.#failed = failed
  }

  get isFull (): boolean {
    return this.#waiting >= MAX_WAITING
  }

  /** One more waits. */
  add (): void {
    this.#waiting++
    this.ask()
  }

  /** Has whatever waits carried out, in turn. */
  ask (): void {
    if (this.#isAsked) return
    this.#isAsked = true
    this.inTurn(async () => {
      this.#isAsked = false
      await this.#carryOut()
      this.#waiting = 0
    }).catch((error: unknown) => {
      this.#isAsked = false
      this.#failed(error)
    })
  }

  inTurn (task: () => Promise<void>): Promise<void> {
    return this.#work.add(task)
  }
}
