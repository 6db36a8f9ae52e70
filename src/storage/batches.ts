/**
 * Batches reads of single keys: those requested during a load, or within some milliseconds of the last one's start,
 * form the next load. A single read does not wait; a thousand logins cost a few queries.
 */
import { neverRejects } from '../util/background.ts'

const LIMIT = 500
const SPACING_MS = 5

interface Waiter<V> {
  resolve (value: V | undefined): void
  reject (reason: unknown): void
}

/**
 * A reader of single keys over a loader of many: one load at a time, each key once. A load's error rejects its reads.
 */
export function batchedRead<K, V> (
  load: (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>,
): (key: K) => Promise<V | undefined> {
  let waiting = new Map<K, Waiter<V>[]>()
  let isLoading = false
  let nextAt = 0

  async function drain (): Promise<void> {
    isLoading = true
    while (waiting.size > 0) {
      const early = nextAt - performance.now()
      if (early > 0) await new Promise(resolve => { setTimeout(resolve, early) })
      nextAt = performance.now() + SPACING_MS
      const batch = takeBatch()
      try {
        const values = await load([...batch.keys()])
        for (const [key, waiters] of batch) for (const { resolve } of waiters) resolve(values.get(key))
      } catch (error) { // the load's
        for (const waiters of batch.values()) for (const { reject } of waiters) reject(error)
      }
    }
    isLoading = false
  }

  function takeBatch (): Map<K, Waiter<V>[]> {
    const entries = [...waiting]
    waiting = new Map(entries.slice(LIMIT))
    return new Map(entries.slice(0, LIMIT))
  }

  return key => new Promise((resolve, reject) => {
    const waiters = waiting.get(key)
    if (waiters) waiters.push({ resolve, reject })
    else waiting.set(key, [{ resolve, reject }])
    if (!isLoading) neverRejects(drain()) // errors reject the reads
  })
}
