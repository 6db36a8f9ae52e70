/** How a node claims its accounts again after a lost lease, without holding up its clients. */
import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { WriteBarrier } from '../../net/write-barrier.ts'
import type { Bus } from '../bus/bus.ts'
import type { Membership } from '../membership/membership.ts'
import { RedisHomes } from './redis-homes.ts'

const log = pino({ level: 'silent' })

/** The homes of a node that has just joined again, where every third account has another owner. */
function homes (membership: { id: string }): RedisHomes {
  let asked = 0
  const redis = { eval: () => Promise.resolve(++asked % 3 === 0 ? 0 : 1) }
  return new RedisHomes({
    redis: redis as unknown as Redis,
    bus: { whenBroken () {}, hear () {} } as unknown as Bus,
    membership: { ...membership, whenLeaseLost () {}, confirmLease () {} } as unknown as Membership,
    barrier: new WriteBarrier(log), log,
  })
}

const accounts = Array.from({ length: 1_000 }, (_, index) => `juliet${index}@localhost`)

test('many accounts are claimed again in many turns of the event loop, and the lease is not confirmed before', async () => {
  const node = homes({ id: 'b' })
  const told: [string, boolean][] = []
  let turns = 0
  let toldWhenConfirmed = 0
  const count = (): void => {
    turns++
    if (told.length < accounts.length) setImmediate(count)
  }
  count()

  node.reclaim(accounts, 'a', (account, isOurs) => {
    const until = performance.now() + 0.05
    while (performance.now() < until);
    told.push([account, isOurs])
  })
  await node.confirmLease()?.then(() => { toldWhenConfirmed = told.length })

  expect(told).toEqual(accounts.map((account, index) => [account, index % 3 !== 2]))
  expect(turns).toBeGreaterThanOrEqual(5)
  expect(toldWhenConfirmed).toBe(accounts.length)
  expect(node.confirmLease()).toBeUndefined()
})
