/**
 * The queue of a RateLimit: callers beyond the limit wait for a place, in lanes under a key. The shortest lane comes
 * first; within it, and among lanes of one length, the choice is random.
 */
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
  readonly #timeoutMs: number
  readonly #random: () => number
  readonly #queues = new Map<string, Queue>()

  constructor (limit: RateLimit, timeoutMs: number, random: () => number = Math.random) {
    this.#limit = limit
    this.#timeoutMs = timeoutMs
    this.#random = random
  }

  /**
   * A place in the limit, at once or after waiting; undefined where the timeout passes first. A caller whose `isGone`
   * returns true is skipped.
   */
  turn (key: string, lane: string, isGone: () => boolean): Taken | Promise<Taken | undefined> {
    const taken = this.#queues.has(key) ? undefined : this.#limit.take(key)
    return taken ? this.#serving(key, taken) : this.#wait(key, lane, isGone)
  }

  /** Takes a place for a caller that is served in spite of the limit. */
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
      }, this.#timeoutMs).unref()
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
