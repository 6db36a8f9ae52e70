/**
 * What runs while nobody waits for it. Where it fails, that is logged and costs the task, never the process. The
 * linter refuses every other way to leave a promise alone.
 */
import type { Logger } from '../log.ts'

/** Lets `running` go on by itself. `task` says in the log what has failed; nothing running costs nothing. */
export function inBackground (log: Logger, task: string, running: void | Promise<unknown>): void {
  running?.catch((error: unknown) => { log.error({ event: 'task.failed', err: error, task }, 'task: failed in the background') })
}

/** For a promise that cannot reject, since all that can fail in it is somebody's already: a comment says whose. */
export function neverRejects (_running: void | Promise<unknown>): void {}
