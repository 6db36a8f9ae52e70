/** Turns: what happens under one key happens one at a time, in the order it was asked for. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { neverRejects } from './background.ts'

/** How long the tasks of one key may go on, one behind the other, until it is everybody else's turn, in milliseconds. */
const SLICE_MS = 5

export type Task = () => void | Promise<void>

export class Turns {
  readonly #queues = new Map<string, Task[]>()

  /** Whether a task of this key is under way, so that a new one would have to wait. */
  isBusy (key: string): boolean {
    return this.#queues.has(key)
  }

  /** Runs the task when those before it are done: at once, and without a promise, when none is and it needs none. */
  inTurn (key: string, task: Task): void | Promise<void> {
    const queue = this.#queues.get(key)
    if (queue) {
      return new Promise((resolve, reject) => {
        queue.push(() => {
          try {
            const done = task()
            if (done) return done.then(resolve, reject)
            resolve()
          } catch (error) { // whatever the task threw belongs to who asked for it
            reject(error)
          }
        })
      })
    }
    const done = task()
    if (!done) return
    this.#queues.set(key, [])
    return done.finally(() => { neverRejects(this.#goOn(key)) }) // whoever asked for a task hears of it
  }

  async #goOn (key: string): Promise<void> {
    const queue = this.#queues.get(key)
    let since = performance.now()
    for (let task = queue?.shift(); task; task = queue?.shift()) {
      await task()
      if (queue?.length === 0 || performance.now() - since < SLICE_MS) continue
      await nextTurn()
      since = performance.now()
    }
    this.#queues.delete(key)
  }
}
