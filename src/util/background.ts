/**
 * Work in the background: its failure is logged and ends the task only. The linter refuses every other floating
 * promise.
 */
import type { Logger } from '../log.ts'
import { inSlices } from './slices.ts'

/** Logs a rejection of `running` under the name `task`. */
export function inBackground (log: Logger, task: string, running: void | Promise<unknown>): void {
  running?.catch((err: unknown) => { failed(log, task, err) })
}

/**
 * Calls `run` for each of the items in order, in as many turns of the event loop as it takes; `undefined` where all is
 * done at once. Never rejects: where `run` throws, that is logged under the name `task` and costs that item.
 */
export function eachInSlices<T> (
  log: Logger, task: string, items: Iterable<T>, run: (item: T) => void,
): void | Promise<void> {
  return inSlices(attempts(log, task, items, run))
}

function * attempts<T> (log: Logger, task: string, items: Iterable<T>, run: (item: T) => void): Iterator<void> {
  for (const item of items) {
    try { run(item) } catch (error) { failed(log, task, error) }
    yield
  }
}

function failed (log: Logger, task: string, err: unknown): void {
  log.error({ event: 'task.failed', err, task }, 'task: failed in the background')
}

/** Marks a promise that can't reject, since its errors are handled elsewhere: a comment at the call says where. */
export function neverRejects (_running: void | Promise<unknown>): void {}
