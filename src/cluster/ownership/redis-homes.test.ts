import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { pino } from 'pino'
import type { PostgresDatabase } from '../../storage/postgres.ts'
import { testDatabase } from '../../../test/support/run/database.ts'
import { hasRedis, startRedis } from '../../../test/support/redis/redis.ts'
import { Jid } from '../../xmpp/jid.ts'
import { message } from '../../xmpp/stanza.ts'
import { joinCluster } from '../cluster.ts'
import type { Cluster } from '../cluster.ts'

let db: PostgresDatabase

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())

const ACCOUNT = 'juliet@localhost'

async function three (): Promise<readonly [Cluster, Cluster, Cluster]> {
  const redis = await startRedis()
  onTestFinished(() => redis.stop())
  const join = async (name: string): Promise<Cluster> => {
    const cluster = await joinCluster(redis.url, db, name, pino({ level: 'silent' }))
    onTestFinished(() => cluster.leave())
    return cluster
  }
  return [await join('a'), await join('b'), await join('c')]
}

test.skipIf(!hasRedis())('an account that was given to a node is nobody else\'s, whoever asks first', async () => {
  const [a, b, c] = await three()
  await a.homes.claim(ACCOUNT)

  a.homes.release(ACCOUNT, true, b.homes.incarnation)

  expect(await a.homes.claim(ACCOUNT)).toEqual({ node: b.homes.incarnation })
  expect(await c.homes.find(ACCOUNT)).toEqual({ node: b.homes.incarnation })
  expect(await b.homes.claim(ACCOUNT)).toEqual({ before: { node: a.homes.incarnation, isInOrder: true } })
  expect(await c.homes.claim(ACCOUNT)).toEqual({ node: b.homes.incarnation })
})

test.skipIf(!hasRedis())('an account that was given to a node that is gone is for whoever comes', async () => {
  const [a, b, c] = await three()
  for (const [account, hasRecord] of [[ACCOUNT, true], ['romeo@localhost', false]] as const) {
    await a.homes.claim(account)
    a.homes.release(account, hasRecord, b.homes.incarnation)
  }
  expect(await a.homes.claim(ACCOUNT)).toEqual({ node: b.homes.incarnation })

  await b.leave()

  expect(await c.homes.claim(ACCOUNT)).toEqual({ before: { node: a.homes.incarnation, isInOrder: true } })
  expect(await c.homes.claim('romeo@localhost')).toEqual({})
})

test.skipIf(!hasRedis())('that a node has heard of a refusal comes between what it forwarded before and after', async () => {
  const [a, b] = await three()
  const seen: string[] = []
  b.bus.answer('stanza', () => {
    seen.push('stanza')
    return { isElsewhere: true }
  })
  b.homes.whenRefusalHeard((node, key) => { seen.push(`${key} heard by ${node}`) })
  for (const { bus } of [a, b]) bus.open()
  const stanza = message('chat', { to: Jid.parse(ACCOUNT) })

  const before = a.homes.forward(b.homes.incarnation, stanza)
  a.homes.confirmRefusal(b.homes.incarnation, ACCOUNT)
  await Promise.all([before, a.homes.forward(b.homes.incarnation, stanza)])

  expect(seen).toEqual(['stanza', `${ACCOUNT} heard by ${a.homes.incarnation}`, 'stanza'])
})

test.skipIf(!hasRedis())('when Redis has lost its data, a node\'s accounts stay its own', async () => {
  const [a, b] = await three()
  await b.homes.claim(ACCOUNT)
  const before = b.homes.incarnation
  const lapsed = [a, b].map(({ membership }) => new Promise(resolve => { membership.whenLeaseLost(resolve) }))
  // Each has counted more beats by now than there can be when the data are new.
  await expect.poll(() => a.redis.commands.hget('hg:data', 'beats').then(Number), { timeout: 10_000 }).toBeGreaterThan(
    12,
  )
  await a.redis.commands.flushall()
  await Promise.all(lapsed)

  const claimed = a.homes.claim(ACCOUNT)
  await a.redis.commands.ping()
  b.homes.reclaim([ACCOUNT], before, () => {})

  expect(await claimed).toEqual({ node: b.homes.incarnation })
})

test.skipIf(!hasRedis())('what is released and claimed again at once is claimed, also where Redis has no scripts any more', async () => {
  const [a, b] = await three()
  await a.homes.claim(ACCOUNT)
  a.homes.release(ACCOUNT, true)
  await a.homes.claim(ACCOUNT)
  await a.redis.commands.script('FLUSH')
  await a.homes.claim('romeo@localhost')

  a.homes.release(ACCOUNT, true)
  const claimed = await a.homes.claim(ACCOUNT)
  await a.redis.commands.ping()

  expect(claimed).toEqual({ before: { node: a.homes.incarnation, isInOrder: true } })
  expect(await b.homes.claim(ACCOUNT)).toEqual({ node: a.homes.incarnation })
})
