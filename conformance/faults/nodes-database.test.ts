/** PostgreSQL is restarted behind several nodes: all connections break, and none can be made for a while. */
import { setTimeout } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { hasRedis } from '../../src/testing/redis.ts'
import { NOTHING_WRONG, print, underLoad } from './load.ts'
import { Nodes } from './nodes.ts'
import { untilWhole } from './whole.ts'

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 2)
const GONE_MS = 2_000

const timeout = 60_000 + ROUNDS * 20_000

test.skipIf(!hasRedis())('PostgreSQL goes and comes back under load', { timeout }, async () => {
  await using cluster = await Nodes.start(inject('postgresUrl'))
  const seconds: number[] = []

  const figures = await underLoad({ port: cluster.balancer.port, pauseMs: 30 }, async talk => {
    for (let round = 0; round < ROUNDS; round++) {
      await setTimeout(700)
      cluster.toDatabase.cut()
      await setTimeout(GONE_MS)
      cluster.toDatabase.open()
      seconds.push(await untilWhole(talk))
    }
  })

  print('PostgreSQL restarted', { rounds: ROUNDS, secondsUntilWhole: Math.max(...seconds) }, figures)
  expect(figures).toMatchObject(NOTHING_WRONG)
  expect(figures.acknowledged).toBe(figures.sent)
  expect(figures.anew).toBe(0)
})
