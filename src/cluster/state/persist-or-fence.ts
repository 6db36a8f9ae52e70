/** State that a node writes to Redis before its clients hear of what depends on it. */
import type { Membership } from '../membership/membership.ts'
import type { Refusals } from '../redis.ts'

export interface PersistParts {
  readonly membership: Pick<Membership, 'hasLease' | 'settledState'>
  readonly refusals: Refusals
}

/**
 * Writes state to Redis, again and again while Redis fails and this node is a member. Resolves to whether clients may
 * hear of it: true when it is written, or nobody can reach Redis and go on from what is there; false where this node
 * was fenced. `write` rejects with Redis's error; after that `rewrite` is called in its place.
 */
export async function persistOrFence (
  { membership, refusals }: PersistParts, write: () => Promise<void>, rewrite: () => Promise<void> = write,
): Promise<boolean> {
  for (let attempt = write; ; attempt = rewrite) {
    try {
      await attempt()
    } catch (error) { // Redis is away, or says no
      await refusals.heard(error)
      const state = await membership.settledState()
      if (state === 'active') continue
      return state === 'redis-outage'
    }
    return membership.hasLease || await membership.settledState() !== 'fenced' // it may have been frozen
  }
}
