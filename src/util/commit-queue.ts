/** Deliveries in the order of an archive: no delivery overtakes a message that waits for its commit. */
import { isSliceOver, nextSlice } from './slices.ts'

/** The deliveries that wait for one commit. */
interface Deliveries {
  readonly committed: Promise<void>
  /** In order; one that is added while they run is run, too. */
  readonly tasks: (() => void)[]
  /** For each of them, whether it is of another message, and runs even if the commit fails. */
  readonly isOther: boolean[]
  readonly done: Promise<void>
}

export class CommitQueue {
  #last: Deliveries | undefined
  /** Deliveries that take more than one turn of the event loop. */
  #underWay: Promise<void> | undefined

  /** Whether a delivery waits for a commit, so that later ones have to wait, too. */
  get isWaiting (): boolean {
    return this.#last !== undefined
  }

  /**
   * Runs the task after `committed`, or without it after all earlier deliveries. Rejects as `committed` does; the
   * failed commit of another message only ends the waiting. Returns undefined where the task ran at once.
   */
  afterCommit (committed: Promise<void> | undefined, task: () => void): void | Promise<void> {
    const wait = committed ?? this.#last?.committed
    if (!wait) return task()
    if (this.#last?.committed !== wait) this.#last = this.#waitFor(wait)
    const { tasks, isOther, done } = this.#last
    tasks.push(task)
    isOther.push(!committed)
    if (committed) return done
    return done.catch(() => {}) // handled by the caller whose commit it is
  }

  /** Resolves after all earlier deliveries; undefined where there are none. */
  settled (): Promise<void> | undefined {
    return this.#last?.done.catch(() => {}) // handled by the callers of `afterCommit`
  }

  /** One promise for all deliveries of a commit, since they are many. */
  #waitFor (committed: Promise<void>): Deliveries {
    const tasks: (() => void)[] = []
    const isOther: boolean[] = []
    const over = (): void => { if (this.#last === deliveries) this.#last = undefined }
    const done = committed.then(() => this.#run(tasks, undefined, over), async error => {
      await this.#run(tasks, isOther, over)
      throw error
    })
    const deliveries = { committed, tasks, isOther, done }
    return deliveries
  }

  /** Runs the tasks, or of them those that `may`, behind those of earlier commits; `over` when no more can be added. */
  #run (tasks: readonly (() => void)[], may: readonly boolean[] | undefined, over: () => void): void | Promise<void> {
    const running = this.#underWay ? this.#underWay.then(() => runAll(tasks, may, over)) : runAll(tasks, may, over)
    if (!running) return
    const underWay = running.catch(() => {}).then(() => { // handled by the caller whose commit it is
      if (this.#underWay === underWay) this.#underWay = undefined
    })
    this.#underWay = underWay
    return running
  }
}

/** Runs all tasks, or those that `may`, in slices; throws, or rejects with, the first error of a task. */
function runAll (
  tasks: readonly (() => void)[], may: readonly boolean[] | undefined, over: () => void,
): void | Promise<void> {
  const failures: unknown[] = []
  let n = 0
  function go (): void | Promise<void> {
    for (; n < tasks.length; n++) {
      if (isSliceOver()) return nextSlice(go)
      if (may?.[n] === false) continue
      try { tasks[n]?.() } catch (error) { failures.push(error) } // a bug: it is thrown below
    }
    over()
    if (failures.length > 0) throw failures[0]
  }
  return go()
}
