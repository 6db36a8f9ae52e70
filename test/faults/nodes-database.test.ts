/** PostgreSQL goes away behind several nodes, and comes back. */
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { hasRedis } from '../support/redis/redis.ts'
import { NOTHING_WRONG, print, underLoad } from './load.ts'
import { Nodes } from './nodes.ts'
import { startPostgres } from './postgres.ts'
import type { MortalPostgres } from './postgres.ts'
import { untilWhole } from './whole.ts'

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 2)
const GONE_MS = 2_000

const timeout = 60_000 + ROUNDS * 20_000

const FAULTS = {
  'cut off: all connections break, and none can be made for a while': async ({ toDatabase }: Nodes) => {
    toDatabase.cut()
    await setTimeout(GONE_MS)
    toDatabase.open()
  },
  'killed, and started again': async (_: Nodes, postgres: MortalPostgres) => { postgres.kill() },
} as const

test.skipIf(!hasRedis()).for(Object.entries(FAULTS))('PostgreSQL is %s', { timeout }, async ([fault, harm]) => {
  await using postgres = await startPostgres()
  await using cluster = await Nodes.start(postgres.url)
  const seconds: number[] = []

  const figures = await underLoad({ port: cluster.balancer.port, pauseMs: 30 }, async talk => {
    for (let round = 0; round < ROUNDS; round++) {
      await setTimeout(700)
      await harm(cluster, postgres)
      seconds.push(await untilWhole(talk))
    }
  })

  print(`PostgreSQL ${fault}`, { rounds: ROUNDS, secondsUntilWhole: Math.max(...seconds) }, figures)
  expect(figures).toMatchObject(NOTHING_WRONG)
  expect(figures.acknowledged).toBe(figures.sent)
  expect(figures.anew).toBe(0)
})
