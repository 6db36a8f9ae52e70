/**
 * Redis is gone: who is at home where both are connected talks on, the others wait, and it recovers by itself; with
 * what Redis knew before, or without.
 */
import { setTimeout } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { hasRedis } from '../support/redis/redis.ts'
import { NOTHING_WRONG, print, underLoad } from './load.ts'
import type { Pair } from './load.ts'
import { Nodes } from './nodes.ts'
import { untilWhole } from './whole.ts'

const GONE_MS = Number(process.env['FAULT_REDIS_SECONDS'] ?? 8) * 1000
/** When Redis is known to be gone, what was settled before is said, and those who wait for it wait. */
const KNOWN_MS = 4_500
const MOMENT_MS = 300
/** So much may have been under way. */
const WINDOW = 20

const timeout = 90_000 + GONE_MS

/** What is done to Redis, and undone. */
const FAULTS = {
  'killed, and empty when it is back': [({ redis }: Nodes) => redis.kill(), ({ redis }: Nodes) => redis.restartEmpty()],
  'frozen with SIGSTOP': [({ redis }: Nodes) => { redis.pause() }, ({ redis }: Nodes) => { redis.resume() }],
} as const

test.skipIf(!hasRedis()).for(Object.entries(FAULTS))('Redis is %s', { timeout }, async ([fault, [begin, end]]) => {
  await using cluster = await Nodes.start(inject('postgresUrl'))
  const [a, b, c] = cluster.nodes
  let seconds = Infinity
  const local: Pair[] = []
  const isOver = Promise.withResolvers<void>()
  let progress = { between: 0, local: 0 }

  const localLoad = underLoad({ port: c.port, pairs: 1, from: 10, pauseMs: 30 }, async talk => {
    local.push(...talk)
    await isOver.promise
  })
  const figures = await underLoad({ port: a.port, receiverPort: b.port, pairs: 2, pauseMs: 30 }, async talk => {
    await setTimeout(1_000)
    await begin(cluster)
    await setTimeout(KNOWN_MS)
    const before = { between: acknowledged(talk), local: acknowledged(local) }
    await setTimeout(GONE_MS - KNOWN_MS - MOMENT_MS)
    progress = { between: acknowledged(talk) - before.between, local: acknowledged(local) - before.local }
    await end(cluster)
    seconds = await untilWhole([...talk, ...local])
    for (const node of cluster.nodes) await node.ready()
  }).finally(() => { isOver.resolve() })

  print(`Redis ${fault}`, { goneSeconds: GONE_MS / 1000, secondsUntilWhole: seconds }, figures)
  const localFigures = await localLoad
  print('  at one node', { whileItWasGone: progress.local }, localFigures)
  for (const one of [figures, localFigures]) {
    expect(one).toMatchObject(NOTHING_WRONG)
    expect(one.acknowledged).toBe(one.sent)
  }
  expect(progress.between).toBe(0)
  expect(progress.local).toBeGreaterThan(WINDOW)
  expect(localFigures.resumed + localFigures.anew).toBe(0)
  expect(figures.anew).toBe(0)
  expect((await a.status()).map(run => run.split('.')[0])).toEqual(['a', 'b', 'c'])
})

function acknowledged (talk: readonly Pair[]): number {
  return talk.reduce((total, { sender }) => total + sender.acknowledged.size, 0)
}
