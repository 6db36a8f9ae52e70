/**
 * A node that was away without knowing it does no harm when it is back: its clients go on elsewhere, and it joins anew.
 */
import { setTimeout } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { hasRedis } from '../support/redis/redis.ts'
import { NOTHING_WRONG, print, underLoad } from './load.ts'
import { Nodes } from './nodes.ts'
import { untilWhole } from './whole.ts'

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 1)
/** For longer than the others wait for a node that says nothing. */
const AWAY_MS = 6_000

const timeout = 60_000 + ROUNDS * 30_000

/** What is done to the first node, and undone. */
const FAULTS = {
  'frozen with SIGSTOP': [({ nodes: [node] }: Nodes) => {
    node.freeze()
  }, ({ nodes: [node] }: Nodes) => {
    node.thaw()
  }],
  'cut off from Redis, and not told': [({ toRedis }: Nodes) => {
    toRedis.block()
  }, ({ toRedis }: Nodes) => {
    toRedis.open()
  }],
} as const

test.skipIf(!hasRedis()).for(Object.entries(FAULTS))('a node is %s', { timeout }, async ([fault, [begin, end]]) => {
  await using cluster = await Nodes.start(inject('postgresUrl'))
  const [node, other] = cluster.nodes
  const seconds: number[] = []
  const runs = new Set(await other.status())

  const figures = await underLoad({ port: cluster.balancer.port, pauseMs: 30 }, async talk => {
    for (let round = 0; round < ROUNDS; round++) {
      await setTimeout(1_000)
      expect(cluster.balancer.countAt(node)).toBeGreaterThan(0)
      begin(cluster)
      const [whole] = await Promise.all([untilWhole(talk), setTimeout(AWAY_MS)])
      seconds.push(whole)
      end(cluster)
      await setTimeout(500)
      await untilWhole(talk)
      await node.ready()
      for (const run of await node.status()) runs.add(run)
      cluster.balancer.breakAll() // it gets its share of clients again
      await untilWhole(talk)
    }
  })

  print(`a node ${fault}`, { rounds: ROUNDS, secondsUntilWhole: Math.max(...seconds) }, figures)
  expect(figures).toMatchObject(NOTHING_WRONG)
  expect(figures.acknowledged).toBe(figures.sent)
  expect(figures.anew).toBe(0)
  expect([...runs].filter(run => run.startsWith('a.'))).toHaveLength(1 + ROUNDS)
  expect((await other.status()).map(run => run.split('.')[0])).toEqual(['a', 'b', 'c'])
})
