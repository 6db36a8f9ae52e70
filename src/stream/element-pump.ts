/**
 * Processes a stream's elements one at a time and in order: while one takes time the next ones wait, and much of them
 * is spread over turns of the event loop.
 */
import { inNextSlice, isSliceOver } from '../util/slices.ts'

/** The stream that the elements are for. */
export interface ElementSource {
  /**
   * Processes the next element; false where there is none, or the stream is over. A promise means that the one behind
   * has to wait.
   */
  next (): void | Promise<void> | false
  /** What `next` threw, or its promise rejected with. */
  fail (error: unknown): void
  /** All elements are processed. Called after those that took time. */
  rest (): void
}

export class ElementPump {
  readonly #source: ElementSource
  #isBusy = false

  constructor (source: ElementSource) {
    this.#source = source
  }

  /** Whether elements are still to be processed, or may be. */
  get isBusy (): boolean { return this.#isBusy }

  /** There are more elements. */
  wake (): void {
    if (!this.#isBusy) this.#run()
  }

  #run (): void {
    try {
      for (let done = this.#source.next(); done !== false; done = this.#source.next()) {
        if (done) {
          this.#isBusy = true
          done.then(() => { if (!this.#waitsInLine()) this.#goOn() }, error => { this.#source.fail(error) })
          return
        }
        if (this.#waitsInLine()) return
      }
    } catch (error) {
      this.#source.fail(error)
    }
  }

  /** Whether the rest waits for another turn of the event loop, also what comes while this one lasts. */
  #waitsInLine (): boolean {
    if (!isSliceOver()) return false
    this.#isBusy = true
    inNextSlice(() => { this.#goOn() })
    return true
  }

  #goOn (): void {
    this.#isBusy = false
    this.#run()
    if (!this.#isBusy) this.#source.rest()
  }
}
