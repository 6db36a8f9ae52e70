/** Leaving in good order: each node of three is restarted under load, and clients go on with their sessions. */
import { setTimeout } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { hasRedis } from '../support/redis/redis.ts'
import { NOTHING_WRONG, print, underLoad, waitUntil } from './load.ts'
import { Nodes } from './nodes.ts'
import { Watcher } from './watcher.ts'
import { untilWhole } from './whole.ts'

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 1)

const timeout = 60_000 + ROUNDS * 60_000

test.skipIf(!hasRedis())('three nodes are restarted one after the other under load', { timeout }, async () => {
  await using cluster = await Nodes.start(inject('postgresUrl'))
  const { nodes, balancer: { port } } = cluster
  const codes: (number | null)[] = []
  const seconds: number[] = []
  let wentMeanwhile: readonly string[] = []
  let comings = 0

  const figures = await underLoad({ port, pauseMs: 30 }, async talk => {
    const receivers = talk.map(({ receiver }) => receiver.account.jid)
    const watcher = await Watcher.of({ jid: 'nurse@localhost', port }, receivers)
    const watching = watcher.run()
    expect(await waitUntil(() => receivers.every(jid => watcher.came.includes(`${jid}/receiver`)), 10_000)).toBe(true)
    for (let restart = 0; restart < ROUNDS * nodes.length; restart++) {
      const node = nodes[restart % nodes.length] ?? nodes[0]
      codes.push(await node.drain(restart === 1 ? 'command' : 'signal'))
      seconds.push(await untilWhole(talk))
      await node.start()
      await setTimeout(500)
    }
    wentMeanwhile = [...watcher.went]
    comings = watcher.line.sessions
    watcher.line.hangUp()
    await watching
  })

  print('rolling restart', { restarted: codes.length, secondsUntilWhole: Math.max(...seconds) }, figures)
  expect(figures).toMatchObject(NOTHING_WRONG)
  expect(figures.acknowledged).toBe(figures.sent)
  expect(figures.resumed).toBeGreaterThan(0)
  expect({ anew: figures.anew, wentMeanwhile, comings }).toEqual({ anew: 0, wentMeanwhile: [], comings: 1 })
  expect(codes).toEqual(codes.map(() => 0))
})
