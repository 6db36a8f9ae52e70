/** Turns: what happens under one key happens one at a time, in the order it was asked for, and much of it in slices. */
import { neverRejects } from './background.ts'
import { isSliceOver, nextSlice } from './slices.ts'

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
    for (let task = queue?.shift(); task; task = queue?.shift()) await (isSliceOver() ? nextSlice(task) : task())
    this.#queues.delete(key)
  }
}
