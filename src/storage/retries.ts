/** Writes are tried again while the database is away. */
import { setTimeout as sleep } from 'node:timers/promises'
import { within } from '../util/within.ts'

const RETRY_MS = 200
/** SQLSTATE classes of data, constraints, access and limits. */
const FINAL_CLASSES: ReadonlySet<string> = new Set(['22', '23', '42', '54'])

/** An error of a write after which another attempt would fail the same way. */
export class FinalError extends Error {}

/**
 * Calls `write`, with the number of earlier attempts, until it succeeds, fails for good, or `ms` milliseconds are over;
 * rejects with the last error. An attempt that times out goes on: whether it commits is unknown. `delayed` is told the
 * first error when there is to be another attempt.
 */
export async function withRetries<T> (
  ms: number, write: (attempt: number) => Promise<T>, delayed: (error: unknown) => void,
): Promise<T> {
  const until = performance.now() + ms
  for (let attempt = 0; ; attempt++) {
    try {
      return await within(until - performance.now(), write(attempt))
    } catch (error) { // the database's
      if (isFinal(error) || performance.now() + RETRY_MS >= until) throw error
      if (attempt === 0) delayed(error)
    }
    await sleep(RETRY_MS)
  }
}

/** The SQLSTATE of an error that the database has answered with. */
export function sqlState (error: unknown): string | undefined {
  if (!(error instanceof Error) || !('severity' in error)) return
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function isFinal (error: unknown): boolean {
  return error instanceof FinalError || FINAL_CLASSES.has(sqlState(error)?.slice(0, 2) ?? '')
}
