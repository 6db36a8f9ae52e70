/** Deliveries in the order of what is kept: nothing overtakes a message that waits for its commit. */
import { inSlices } from './slices.ts'

/** What is delivered after one commit. */
interface Deliveries {
  readonly committed: Promise<void>
  /** In their order; one that is added while they run is run, too. */
  readonly tasks: (() => void)[]
  /** Those that are run even if the commit fails. */
  readonly others: Set<() => void>
  readonly done: Promise<void>
}

export class CommitQueue {
  #last: Deliveries | undefined
  /** Deliveries of a commit that take more than one turn. */
  #underWay: Promise<void> | undefined

  /** Whether something is to be delivered after a commit, and so all else after it. */
  get isWaiting (): boolean {
    return this.#last !== undefined
  }

  /**
   * Runs the task once `committed`, or else once all that was to be delivered before is: deliveries keep the archive's
   * order. Rejects as `committed` does; another's failed commit only ends the waiting.
   */
  afterCommit (committed: Promise<void> | undefined, task: () => void): void | Promise<void> {
    const wait = committed ?? this.#last?.committed
    if (!wait) return task()
    if (this.#last?.committed !== wait) this.#last = this.#waitFor(wait)
    const { tasks, others, done } = this.#last
    tasks.push(task)
    if (committed) return done
    others.add(task)
    return done.catch(() => {}) // whose commit it is hears of it
  }

  /** When all that was to be delivered before is; nothing when it is already. */
  settled (): Promise<void> | undefined {
    return this.#last?.done.catch(() => {}) // whoever sent it hears of it
  }

  /** A promise for all deliveries of a commit, since there are many of them. */
  #waitFor (committed: Promise<void>): Deliveries {
    const tasks: (() => void)[] = []
    const others = new Set<() => void>()
    const over = (): void => { if (this.#last === deliveries) this.#last = undefined }
    const done = committed.then(() => this.#run(tasks, over), async error => {
      await this.#run(others, over)
      throw error
    })
    const deliveries = { committed, tasks, others, done }
    return deliveries
  }

  /** Runs them all behind those of earlier commits; `over` is called in the moment from which no more can be added. */
  #run (tasks: Iterable<() => void>, over: () => void): void | Promise<void> {
    const running = this.#underWay ? this.#underWay.then(() => runAll(tasks, over)) : runAll(tasks, over)
    if (!running) return
    const underWay = running.catch(() => {}).then(() => { // whose commit it is hears of it
      if (this.#underWay === underWay) this.#underWay = undefined
    })
    this.#underWay = underWay
    return running
  }
}

/** Runs them all, in as many turns as that needs; throws, or rejects with, the first thing that one of them threw. */
function runAll (tasks: Iterable<() => void>, over: () => void): void | Promise<void> {
  const failures: unknown[] = []
  const throwFirst = (): void => { if (failures.length > 0) throw failures[0] }
  const rest = inSlices(each(tasks, failures, over))
  return rest ? rest.then(throwFirst) : throwFirst()
}

function * each (tasks: Iterable<() => void>, failures: unknown[], over: () => void): Iterator<void> {
  for (const task of tasks) {
    try { task() } catch (error) { failures.push(error) } // a mistake of ours: it is thrown on
    yield
  }
  over()
}
