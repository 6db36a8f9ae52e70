/**
 * Work in the background: its failure is logged and ends the task only. The linter refuses every other floating
 * promise.
 */
import type { Logger } from '../log.ts'

/** Logs a rejection of `running` under the name `task`. */
export function inBackground (log: Logger, task: string, running: void | Promise<unknown>): void {
  running?.catch((err: unknown) => { log.error({ event: 'task.failed', err, task }, 'task: failed in the background') })
}

/** Marks a promise that can't reject, since its errors are handled elsewhere: a comment at the call says where. */
export function neverRejects (_running: void | Promise<unknown>): void {}
