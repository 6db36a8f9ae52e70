/**
 * A stream outlives its node: whichever node is killed, its clients go on at another, and their contacts hear nothing.
 */
import { setTimeout } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { hasRedis } from '../support/redis/redis.ts'
import { register } from '../../conformance/runner/register.ts'
import { Line, PASSWORD } from './line.ts'
import { NOTHING_WRONG, print, underLoad, waitUntil } from './load.ts'
import type { Pair } from './load.ts'
import { Nodes } from './nodes.ts'
import { Watcher } from './watcher.ts'
import { untilWhole } from './whole.ts'

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 2)
/** Who does not come back, and for how long the session waits: as that client has asked for (XEP-0198 §3). */
const AWAY = 'mercutio@localhost'
const AWAY_SECONDS = 2
/** Nobody asks for what it has left: in the end one of the other nodes looks after it. */
const FOUND_MS = 40_000

const timeout = 90_000 + ROUNDS * 20_000

test.skipIf(!hasRedis())('kill -9 under load: contacts hear only of who does not come back', { timeout }, async () => {
  await using cluster = await Nodes.start(inject('postgresUrl'))
  const [a, b, c] = cluster.nodes
  const { port } = cluster.balancer
  await register({ port, tls: false }, { jid: AWAY, password: PASSWORD })
  const away = new Line({ jid: AWAY, port: a.port }, 'away', AWAY_SECONDS)
  await away.open()
  away.send('<presence/>')
  const seconds: number[] = []
  let watcher: Watcher | undefined

  const figures = await underLoad({ port, pauseMs: 30 }, async talk => {
    watcher = await watch(talk, c.port)
    for (let round = 0; round < ROUNDS; round++) {
      const victim = round % 2 === 0 ? a : b
      await victim.kill()
      away.hangUp()
      seconds.push(await untilWhole(talk))
      await victim.start()
      await setTimeout(500)
    }
  })
  await waitUntil(() => watcher?.went.length !== 0, FOUND_MS)

  print('kill -9 of a node', { killed: ROUNDS, secondsUntilWhole: Math.max(...seconds) }, figures)
  expect(figures).toMatchObject(NOTHING_WRONG)
  expect(figures.acknowledged).toBe(figures.sent)
  expect(figures.resumed).toBeGreaterThan(0)
  expect(figures.anew).toBe(0)
  expect(watcher).toMatchObject({ went: [`${AWAY}/away`], line: { sessions: 1, resumed: 0 } })
  watcher?.line.hangUp()
})

/** A contact of all of them, who has seen that they are there. */
async function watch (talk: readonly Pair[], port: number): Promise<Watcher> {
  const receivers = talk.map(({ receiver }) => receiver.account.jid)
  const watcher = await Watcher.of({ jid: 'nurse@localhost', port }, [...receivers, AWAY])
  void watcher.run()
  const present = [...receivers.map(jid => `${jid}/receiver`), `${AWAY}/away`]
  expect(await waitUntil(() => present.every(jid => watcher.came.includes(jid)), 10_000)).toBe(true)
  return watcher
}
