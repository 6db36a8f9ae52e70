/** Records of many accounts at once. */
import type { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { openLog } from '../../log.ts'
import type { WriteBarrier } from '../../net/write-barrier.ts'
import { Account } from '../../session/account.ts'
import { Session } from '../../session/session.ts'
import { StageTable } from '../../extension/stages.ts'
import { Jid } from '../../xmpp/jid.ts'
import { RedisRecords } from './session-records.ts'

const log = await openLog({ level: 'silent' })
const MANY = 500

/** A Redis that takes all records, and fails to take the first entry of the journal. */
function redisThatMissesANote (): Redis {
  let entries = 0
  const batch = {
    sadd: () => batch,
    hset: () => batch,
    exec: () => new Promise(resolve => { setImmediate(resolve, []) }),
  }
  const redis = {
    pipeline: () => batch,
    xadd: () => entries++ === 0 ? Promise.reject(new Error('Redis is away')) : Promise.resolve('1-0'),
    xtrim: () => Promise.resolve(0),
  }
  return redis as unknown as Redis
}

/**
 * Records of a node, its accounts, each of which takes a while to describe, and how many were described in each turn.
 */
function node (): {
  readonly records: RedisRecords
  readonly accounts: readonly Account[]
  readonly perTurn: number[]
} {
  const stages = new StageTable(log)
  const accounts = Array.from({ length: MANY }, (_, number) => {
    const account = new Account(Jid.of(`a${number}`, 'localhost'))
    account.add(new Session(account.jid.withResource('orchard'), account, stages))
    return account
  })
  const perTurn = [0]
  const records = new RedisRecords({
    redis: redisThatMissesANote(), id: () => 'a', log,
    barrier: { beforeClientWrites () {} } as unknown as WriteBarrier, // the test flushes
    membership: { hasLease: true, evictions: 0, settledState: () => Promise.resolve('active') },
  })
  records.start(() => {
    perTurn.push((perTurn.pop() ?? 0) + 1)
    for (const until = performance.now() + 0.1; performance.now() < until;);
    return { sessions: [], states: {} }
  })
  onTestFinished(() => records.stop())
  return { records, accounts, perTurn }
}

async function untilAllAreDescribed (perTurn: number[]): Promise<void> {
  while (perTurn.reduce((sum, one) => sum + one, 0) < MANY) {
    await new Promise(resolve => { setImmediate(resolve) })
    perTurn.push(0)
  }
}

test('records of many accounts that change together do not hold up the event loop', async () => {
  const { records, accounts, perTurn } = node()

  for (const account of accounts) records.touch(account)
  await untilAllAreDescribed(perTurn)

  expect(Math.max(...perTurn)).toBeLessThanOrEqual(100)
})

test('records in place of a journal that misses something do not hold up the event loop', async () => {
  const { records, accounts, perTurn } = node()

  for (const account of accounts) records.append(account, 'extension', 'note')
  const mayBeSaid = records.flush()
  await untilAllAreDescribed(perTurn)

  expect(await mayBeSaid).toBe(true)
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(100)
})
