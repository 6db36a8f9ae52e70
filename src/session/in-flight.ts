/**
 * A session's stanzas that were taken and are not handled yet: they count as handled in the order in which they came.
 */
import type { Stanza } from '../xmpp/stanza.ts'

/** Beyond this the client's stream is not read. */
const LIMIT = 64
const MAX_BYTES = 1024 * 1024

/** Called with a stanza that failed. */
export type Failed = (error: unknown, stanza: Stanza) => void

/** Consecutive stanzas that wait for the same promise; without one they are already complete. */
interface Entry {
  readonly done: Promise<void> | undefined
  readonly stanzas: (Stanza | undefined)[]
  isDone: boolean
}

export class InFlight {
  readonly #handled: () => void
  readonly #entries: Entry[] = []
  #size = 0
  #bytes = 0
  #waiting: PromiseWithResolvers<void>[] = []

  /** `handled` is called once for each stanza, in order. */
  constructor (handled: () => void) {
    this.#handled = handled
  }

  /**
   * Counts a stanza, which is handled when `done` resolves or rejects, or at once; `failed` is called on a rejection.
   */
  track (done: void | Promise<void>, stanza?: Stanza, failed?: Failed): void {
    const last = this.#entries.at(-1)
    if (!done && !last) return this.#handled()
    this.#size++
    this.#bytes += stanza?.inner.length ?? 0
    if (last && done && last.done === done) {
      last.stanzas.push(stanza)
      return
    }
    const entry: Entry = { done: done || undefined, stanzas: [stanza], isDone: !done }
    this.#entries.push(entry)
    done?.then(() => { this.#end(entry) }, error => {
      for (const stanza of entry.stanzas) if (stanza) failed?.(error, stanza)
      this.#end(entry)
    })
  }

  get size (): number {
    return this.#size
  }

  /** Resolves when another may be taken; undefined when it may be now. */
  room (): Promise<void> | undefined {
    return this.#isFull ? this.#wait() : undefined
  }

  get #isFull (): boolean {
    return this.#size >= LIMIT || this.#bytes >= MAX_BYTES
  }

  /** Resolves when none is left; undefined when that is now. */
  settled (): Promise<void> | undefined {
    return this.#size === 0 ? undefined : this.#wait().then(() => this.settled())
  }

  #wait (): Promise<void> {
    const waiter = Promise.withResolvers<void>()
    this.#waiting.push(waiter)
    return waiter.promise
  }

  #end (entry: Entry): void {
    entry.isDone = true
    while (this.#entries[0]?.isDone) {
      for (const stanza of this.#entries.shift()?.stanzas ?? []) {
        this.#size--
        this.#bytes -= stanza?.inner.length ?? 0
        this.#handled()
      }
    }
    if (this.#isFull) return
    for (const waiter of this.#waiting.splice(0)) waiter.resolve()
  }
}
