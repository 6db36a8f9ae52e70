/** Reads that gather themselves: what is asked for while one load is under way goes together in the next. */

const LIMIT = 500

interface Waiter<V> {
  resolve (value: V | undefined): void
  reject (reason: unknown): void
}

/**
 * A reader of single keys over a loader of many: one load at a time, each key once in it; a load that fails, fails for
 * those whose keys it had.
 */
export function batchedRead<K, V> (
  load: (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>,
): (key: K) => Promise<V | undefined> {
  let waiting = new Map<K, Waiter<V>[]>()
  let isLoading = false

  async function drain (): Promise<void> {
    isLoading = true
    while (waiting.size > 0) {
      const batch = takeBatch()
      try {
        const values = await load([...batch.keys()])
        for (const [key, waiters] of batch) for (const { resolve } of waiters) resolve(values.get(key))
      } catch (error) { // the load's; it belongs to those who asked
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
    if (!isLoading) void drain()
  })
}
