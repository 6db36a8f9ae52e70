/** What has happened, for the extensions that want to know: one list of handlers per event. */
import type { Events } from '../extension/points.ts'
import type { Logger } from '../log.ts'
import { addTo } from '../util/add-to.ts'

/** The events whose handlers return a `Result`. */
type Returning<Result> = { [E in keyof Events]: ReturnType<Events[E]> extends Result ? E : never }[keyof Events]

// Two parameters: `...args` would be an array per message and device. The overloads say what an event takes.
type Handler = (first: unknown, second?: unknown) => unknown

const NONE: readonly Handler[] = []

export class EventTable {
  readonly #handlers = new Map<keyof Events, Handler[]>()
  readonly #log: Logger

  constructor (log: Logger) {
    this.#log = log
  }

  /** What is returned takes the handler away again. */
  add<E extends keyof Events> (event: E, handler: Events[E]): () => void {
    const handlers = this.#handlers.get(event) ?? []
    this.#handlers.set(event, handlers)
    return addTo(handlers, handler as Handler)
  }

  /** Tells all; one that throws is skipped. */
  emit<E extends Returning<void>> (event: E, ...args: Parameters<Events[E]>): void
  emit (event: keyof Events, first: unknown, second?: unknown): void {
    for (const handler of this.#handlers.get(event) ?? NONE) {
      try { handler(first, second) } catch (error) { this.#report(error, event) }
    }
  }

  /** The first answer; one that throws is skipped. */
  ask<E extends 'session.ending' | 'message.unacked'> (
    event: E, ...args: Parameters<Events[E]>
  ): ReturnType<Events[E]> | undefined
  ask (event: keyof Events, first: unknown, second?: unknown): unknown {
    for (const handler of this.#handlers.get(event) ?? NONE) {
      try {
        const answer = handler(first, second)
        if (answer !== undefined) return answer
      } catch (error) { this.#report(error, event) }
    }
  }

  /** Tells all at once, and resolves when all are done; one that fails is skipped. */
  async emitAll<E extends Returning<Promise<void>>> (event: E, ...args: Parameters<Events[E]>): Promise<void>
  async emitAll (event: keyof Events, first: unknown, second?: unknown): Promise<void> {
    await Promise.all((this.#handlers.get(event) ?? NONE).map(async handler => {
      try { await handler(first, second) } catch (error) { this.#report(error, event) }
    }))
  }

  /** Tells one after the other; rejects where one fails. */
  async emitStrictly<E extends 'room.forgotten'> (event: E, ...args: Parameters<Events[E]>): Promise<void>
  async emitStrictly (event: keyof Events, first: unknown, second?: unknown): Promise<void> {
    for (const handler of this.#handlers.get(event) ?? NONE) await handler(first, second)
  }

  #report (error: unknown, event: string): void {
    this.#log.error(
      { event: 'extension.event_handler_failed', err: error, handler: event },
      'extension: event handler failed',
    )
  }
}
