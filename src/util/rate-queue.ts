/** Where who is beyond a RateLimit waits for a turn, in lanes under a key: where few wait comes first, and luck chooses the rest. */
import { Lanes } from './lanes.ts'
import type { RateLimit, Taken } from './rate-limit.ts'

interface Waiter {
  readonly isGone: () => boolean
  readonly take: () => void
}

interface Queue {
  readonly waiting: Lanes<Waiter>
  timer: NodeJS.Timeout | undefined
}

export class RateQueue {
  readonly #limit: RateLimit
  readonly #patienceMs: number
  readonly #random: () => number
  readonly #queues = new Map<string, Queue>()

  constructor (limit: RateLimit, patienceMs: number, random: () => number = Math.random) {
    this.#limit = limit
    this.#patienceMs = patienceMs
    this.#random = random
  }

  /**
   * One of the limit, at once or when it is this one's turn; nothing where that has not come within the patience. Who
   * is gone when it comes is passed over.
   */
  turn (key: string, lane: string, isGone: () => boolean): Taken | Promise<Taken | undefined> {
    const taken = this.#queues.has(key) ? undefined : this.#limit.take(key)
    return taken ? this.#serving(key, taken) : this.#wait(key, lane, isGone)
  }

  /** One for whom a turn has not come. */
  overdraw (key: string): Taken {
    return this.#serving(key, this.#limit.overdraw(key))
  }

  #wait (key: string, lane: string, isGone: () => boolean): Promise<Taken | undefined> {
    return new Promise(resolve => {
      const queue = this.#queues.get(key) ?? { waiting: new Lanes<Waiter>(), timer: undefined }
      this.#queues.set(key, queue)
      const waiter: Waiter = {
        isGone,
        take: () => {
          clearTimeout(end)
          resolve(this.overdraw(key))
        },
      }
      const end = setTimeout(() => {
        queue.waiting.remove(lane, waiter)
        resolve(undefined)
        this.#serve(key)
      }, this.#patienceMs).unref()
      queue.waiting.push(lane, waiter)
      this.#serve(key)
    })
  }

  #serving (key: string, { giveBack }: Taken): Taken {
    return {
      giveBack: () => {
        giveBack()
        this.#serve(key)
      },
    }
  }

  #serve (key: string): void {
    const queue = this.#queues.get(key)
    if (!queue) return
    clearTimeout(queue.timer)
    while (!queue.waiting.isEmpty && this.#limit.waitMs(key) === 0) {
      const chosen = queue.waiting.next(count => Math.floor(this.#random() * count))
      if (chosen?.isGone() === false) chosen.take()
    }
    if (queue.waiting.isEmpty) this.#queues.delete(key)
    else queue.timer = setTimeout(() => { this.#serve(key) }, Math.ceil(this.#limit.waitMs(key))).unref()
  }
}
