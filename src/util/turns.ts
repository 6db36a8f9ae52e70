/** A critical section per key: its tasks run one at a time, in order, and long queues in slices. */
import { neverRejects } from './background.ts'
import { isSliceOver, nextSlice } from './slices.ts'

export type Task = () => void | Promise<void>

export class Turns {
  readonly #queues = new Map<string, Task[]>()

  /** Whether a task of this key is running, so that a new one would have to wait. */
  isBusy (key: string): boolean {
    return this.#queues.has(key)
  }

  /**
   * Runs the task after the key's earlier ones: at once, and without a promise, where there are none and it is sync.
   */
  inTurn (key: string, task: Task): void | Promise<void> {
    const queue = this.#queues.get(key)
    if (queue) {
      return new Promise((resolve, reject) => {
        queue.push(() => {
          try {
            const done = task()
            if (done) return done.then(resolve, reject)
            resolve()
          } catch (error) {
            reject(error)
          }
        })
      })
    }
    const done = task()
    if (!done) return
    this.#queues.set(key, [])
    return done.finally(() => { neverRejects(this.#goOn(key)) }) // each task's own promise rejects
  }

  /** Runs tasks, which must not throw or reject, in order before all of the key that wait. */
  first (key: string, tasks: readonly Task[]): void {
    const queue = this.#queues.get(key)
    this.#queues.set(key, queue ? [...tasks, ...queue] : [...tasks])
    if (!queue) neverRejects(this.#goOn(key)) // as its tasks
  }

  async #goOn (key: string): Promise<void> {
    const next = (): void | Promise<void> => this.#queues.get(key)?.shift()?.()
    while (this.#queues.get(key)?.length) await (isSliceOver() ? nextSlice(next) : next())
    this.#queues.delete(key)
  }
}
