/** State that a node writes to Redis before its clients hear of what depends on it. */
import type { Membership } from '../membership/membership.ts'
import type { Refusals } from '../redis.ts'

/** The pause before a failed write is repeated: twice as long each time, less up to half of it by chance. */
const PAUSE_MS = 50
const MAX_PAUSE_MS = 1_000

export interface PersistParts {
  readonly membership: Pick<Membership, 'hasLease' | 'settledState' | 'evictions'>
  readonly refusals: Refusals
}

/**
 * Writes state to Redis, again and again while Redis fails and this node is a member. Resolves to whether clients may
 * hear of it: true when it is written, or nobody can reach Redis and go on from what is there; false where this node
 * was fenced meanwhile. `write` rejects with Redis's error; after that `rewrite` is called in its place.
 */
export async function persistOrFence (
  { membership, refusals }: PersistParts, write: () => Promise<void>, rewrite: () => Promise<void> = write,
): Promise<boolean> {
  const { evictions } = membership
  let attempt = write
  for (let pauseMs = PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    const isWritten = await attempt().then(() => true, (error: unknown) => { refusals.heard(error) })
    // After a write, too, the node may have been frozen.
    const state = isWritten && membership.hasLease ? 'active' : await membership.settledState()
    if (state === 'fenced' || membership.evictions !== evictions) return false
    if (isWritten || state === 'redis-outage') return true
    await new Promise(resolve => { setTimeout(resolve, pauseMs * (1 - Math.random() / 2)) })
    attempt = rewrite
  }
}
