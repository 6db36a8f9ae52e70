/**
 * Gives messages back to their senders, in order, and deletes their rows: a node that takes the queue over meanwhile
 * gives the rest back, or sends it after all.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../log.ts'
import { inBackground } from '../../util/background.ts'
import type { StanzaError } from '../../xmpp/errors.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import type { Kept } from './line.ts'

/** Messages that are given back at a time. */
const AT_ONCE = 50
const RETRY_MS = 1000

interface Returned { readonly kept: Kept, readonly error: StanzaError }

export interface ReturnsParts {
  readonly log: Logger
  /** Reads the stanzas that are not in memory; undefined where there is none any more. */
  readonly read: (kept: readonly Kept[]) => Promise<ReadonlyMap<Kept, Stanza>>
  /** Resolves when the sender was told, or nobody has to be; rejects where that could not be kept. */
  readonly tell: (stanza: Stanza, kept: Kept, error: StanzaError) => void | Promise<void>
  readonly done: (kept: Kept) => void
}

export class Returns {
  readonly #parts: ReturnsParts
  readonly #waiting: Returned[] = []
  #isRunning = false
  #isClosed = false

  constructor (parts: ReturnsParts) {
    this.#parts = parts
  }

  get isEmpty (): boolean {
    return this.#waiting.length === 0 && !this.#isRunning
  }

  add (all: readonly Kept[], error: StanzaError): void {
    for (const kept of all) this.#waiting.push({ kept, error })
    if (!this.#isRunning) inBackground(this.#parts.log, 'giving messages back', this.#run())
  }

  /** Ends; returns what was not given back. */
  close (): readonly Kept[] {
    this.#isClosed = true
    return this.#waiting.splice(0).map(({ kept }) => kept)
  }

  async #run (): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0 && !this.#isClosed) {
      const some = this.#waiting.splice(0, AT_ONCE)
      const failed = await this.#giveBack(some)
      if (failed.length === 0) continue
      for (const one of failed) this.#waiting.push(one)
      await sleep(RETRY_MS)
    }
    this.#isRunning = false
  }

  /** Resolves with those that could not be given back. */
  async #giveBack (some: readonly Returned[]): Promise<readonly Returned[]> {
    const { log, read, tell, done } = this.#parts
    try {
      const stanzas = await read(some.map(({ kept }) => kept))
      const told = await Promise.allSettled(some.map(async ({ kept, error }) => {
        const stanza = stanzas.get(kept)
        if (stanza) await tell(stanza, kept, error)
        done(kept)
      }))
      const failure = told.find(one => one.status === 'rejected')
      if (failure) log.warn({ event: 'federation.return_delayed', err: failure.reason }, DELAYED)
      return some.filter((_, at) => told[at]?.status === 'rejected')
    } catch (err) { // the database's
      log.warn({ event: 'federation.return_delayed', err }, DELAYED)
      return some
    }
  }
}

const DELAYED = 'federation: messages are given back later'
