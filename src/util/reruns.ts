/** A task for each key, such as an account, that deals with whatever has changed: one at a time, after each change. */
import type { Logger } from '../log.ts'
import { inBackground } from './background.ts'
import { Turns } from './turns.ts'

export class Reruns {
  readonly #log: Logger
  readonly #task: string
  readonly #run: (key: string) => Promise<void>
  readonly #turns = new Turns()
  readonly #due = new Set<string>()

  /** `task` is its name in the log. */
  constructor (log: Logger, task: string, run: (key: string) => Promise<void>) {
    this.#log = log
    this.#task = task
    this.#run = run
  }

  /** Runs the task after the key's running one; once for all changes that come before it begins. */
  later (key: string): void {
    if (this.#due.has(key)) return
    this.#due.add(key)
    inBackground(this.#log, this.#task, this.#turns.inTurn(key, () => {
      this.#due.delete(key)
      return this.#run(key)
    }))
  }

  /** Resolves when all changes until now are dealt with. */
  async settled (key: string): Promise<void> {
    if (this.#turns.isBusy(key)) await this.#turns.inTurn(key, () => {})
  }
}
