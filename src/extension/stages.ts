/**
 * The handlers of every stage, in the order they run, and the handling of their errors: a guard or rewrite that throws
 * refuses the stanza, a handler without a result is skipped, one of `write.track` ends its session. Unexpected errors
 * of handlers stop here.
 */
import type { Logger } from '../log.ts'
import { addTo } from '../util/add-to.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import { StanzaOf } from '../xmpp/stanza.ts'
import type { Point, Stages, Verdict } from './points.ts'
import type { SessionView } from './views.ts'

type AnyHandler = (...args: never[]) => unknown

// Four parameters, since `...args` would allocate an array per stanza. Handlers may take fewer.
type Run<Result> = (subject: unknown, second: unknown, third: unknown, fourth?: unknown) => Result

interface Entry<Result = unknown> { readonly extension: string, readonly run: Run<Result> }

/** Each stage is one function that runs all of its handlers. */
export class StageTable implements Stages {
  readonly #log: Logger
  readonly #entries = new Map<string, Entry[]>()

  readonly read: Stages['read'] = {
    arrived: this.#each('read.arrived'),
    handled: this.#each('read.handled'),
  }

  readonly send: Stages['send'] = {
    guard: this.#firstVerdict('send.guard'),
    rewrite: this.#pipe('send.rewrite'),
    seen: this.#each('send.seen'),
    store: this.#first('send.store'),
    fanout: this.#each('send.fanout'),
  }

  readonly receive: Stages['receive'] = {
    guard: this.#firstVerdict('receive.guard'),
    rewrite: this.#pipe('receive.rewrite'),
    redirect: this.#first('receive.redirect'),
    store: this.#first('receive.store'),
    fanout: this.#each('receive.fanout'),
  }

  readonly room = {
    guard: this.#firstVerdict('room.guard'),
    rewrite: this.#pipe('room.rewrite'),
    isDuplicate: this.#any('room.isDuplicate'),
    consume: this.#any('room.consume'),
    store: this.#first('room.store'),
    accepted: this.#each('room.accepted'),
    fanout: this.#each('room.fanout'),
    changed: this.#joined<Stages['room']['changed']>('room.changed'),
    entered: this.#each('room.entered'),
    welcome: this.#joined<Stages['room']['welcome']>('room.welcome'),
    present: this.#pipe('room.present', 'skip'),
  } satisfies Stages['room']

  readonly write: Stages['write'] = {
    hold: this.#any('write.hold'),
    track: this.#each('write.track', (_stanza, session) => {
      (session as SessionView).close(new StreamError('internal-server-error'))
    }),
  }

  constructor (log: Logger) {
    this.#log = log
  }

  /** Adds a handler behind those of the stage; the returned function removes it. */
  add<P extends Point, S extends keyof Stages[P]> (
    extension: string, point: P, stage: S, run: Stages[P][S],
  ): () => void {
    const entries = this.#entriesOf(`${point}.${String(stage)}`)
    return addTo(entries, { extension, run: run as Run<unknown> })
  }

  /** One line per stage: `point.stage: extension, extension`. */
  toString (): string {
    const namesOf = (entries: readonly Entry[]): string => entries.map(entry => entry.extension).join(', ') || '-'
    return [...this.#entries].map(([stage, entries]) => `${stage}: ${namesOf(entries)}\n`).join('')
  }

  /** Calls all handlers; one that throws is skipped, and `failed` called. */
  #each<F extends AnyHandler> (stage: string, failed?: Run<void>): F {
    const entries = this.#entriesOf<void>(stage)
    return this.#typed((a, b, c, d) => {
      for (const { extension, run } of entries) {
        try { run(a, b, c, d) } catch (error) {
          this.#report(error, extension, stage, a)
          failed?.(a, b, c)
        }
      }
    })
  }

  /** The first verdict of a handler; the verdict of one that throws is an error. */
  #firstVerdict<F extends AnyHandler> (stage: string): F {
    const entries = this.#entriesOf<Verdict>(stage)
    return this.#typed((a, b, c) => {
      for (const { extension, run } of entries) {
        try {
          const verdict = run(a, b, c)
          if (verdict) return verdict
        } catch (error) { return this.#refusal(error, extension, stage, a) }
      }
    })
  }

  /** The first result that a handler returns; throws the StanzaError of a handler that failed. */
  #first<F extends AnyHandler> (stage: string): F {
    const entries = this.#entriesOf(stage)
    return this.#typed((a, b, c) => {
      for (const { extension, run } of entries) {
        try {
          const result = run(a, b, c)
          if (result !== undefined) return result
        } catch (error) { throw this.#refusal(error, extension, stage, a) }
      }
    })
  }

  /** Passes each handler the result of the one before it. A handler that fails refuses the stanza, or is skipped. */
  #pipe<F extends AnyHandler> (stage: string, onError: 'refuse' | 'skip' = 'refuse'): F {
    const entries = this.#entriesOf(stage)
    return this.#typed((a, b, c) => {
      let rewritten = a
      for (const { extension, run } of entries) {
        try { rewritten = run(rewritten, b, c) } catch (error) {
          if (onError === 'refuse') throw this.#refusal(error, extension, stage, a)
          this.#report(error, extension, stage, a)
        }
      }
      return rewritten
    })
  }

  /** Whether a handler returns true; one that throws is skipped. */
  #any<F extends AnyHandler> (stage: string): F {
    const entries = this.#entriesOf<boolean>(stage)
    return this.#typed((a, b, c) => {
      for (const { extension, run } of entries) {
        try {
          if (run(a, b, c)) return true
        } catch (error) { this.#report(error, extension, stage, a) }
      }
      return false
    })
  }

  /** Joins the handlers' results; one that throws is skipped. */
  #joined<F extends AnyHandler> (stage: string): (...args: Parameters<F>) => string {
    const entries = this.#entriesOf<string | undefined>(stage)
    return this.#typed((a, b, c) => {
      let written = ''
      for (const { extension, run } of entries) {
        try { written += run(a, b, c) ?? '' } catch (error) { this.#report(error, extension, stage, a) }
      }
      return written
    })
  }

  #typed<F extends AnyHandler> (run: Run<unknown>): F {
    return run as AnyHandler as F
  }

  #entriesOf<Result> (stage: string): Entry<Result>[] {
    const entries = this.#entries.get(stage) ?? []
    this.#entries.set(stage, entries)
    return entries as Entry<Result>[]
  }

  // A guard fails closed: its error is logged, and the sender may try again.
  #refusal (error: unknown, extension: string, stage: string, stanza: unknown): StanzaError {
    if (error instanceof StanzaError) return error
    this.#report(error, extension, stage, stanza)
    return new StanzaError('internal-server-error', undefined, undefined, 'wait')
  }

  #report (error: unknown, extension: string, stage: string, subject: unknown): void {
    const stanza = subject instanceof StanzaOf ? subject.summary() : undefined
    this.#log.error({ event: 'extension.stage_handler_failed', err: error, extension, stage, stanza },
      'extension: stage handler failed')
  }
}
