/** A stream outlives its node: whichever node is killed, its clients go on at another, and their contacts hear nothing. */
import { setTimeout } from 'node:timers/promises'
import { describe, expect, inject, test } from 'vitest'
import { hasRedis } from '../../src/testing/redis.ts'
import { register } from '../runner/register.ts'
import { Line, PASSWORD } from './line.ts'
import { NOTHING_WRONG, print, underLoad, waitUntil } from './load.ts'
import { Nodes } from './nodes.ts'
import { Watcher } from './watcher.ts'
import { untilWhole } from './whole.ts'

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 2)
const PAIRS = 4
/** What a client that does not come back has asked for (XEP-0198 §3). */
const SHORT_SECONDS = 2
/** Nobody asks for its session: in the end one of the other nodes looks what the dead one has left. */
const FOUND_MS = 40_000

const timeout = 90_000 + ROUNDS * 20_000

describe.skipIf(!hasRedis())('nodes that are killed', () => {
  test('kill -9 under load: sessions go on elsewhere, contacts hear only of who stays away', { timeout }, async () => {
    await using cluster = await Nodes.start(inject('postgresUrl'))
    const [a, b, c] = cluster.nodes
    const { port } = cluster.balancer
    await register({ port, tls: false }, { jid: 'mercutio@localhost', password: PASSWORD })
    const away = new Line({ jid: 'mercutio@localhost', port: a.port }, 'away', SHORT_SECONDS)
    const seconds: number[] = []
    let wentBefore: readonly string[] = []
    let isFound = false

    const figures = await underLoad({ port, pairs: PAIRS }, async talk => {
      const talkers = talk.map(({ receiver }) => receiver.account.jid)
      const watcher = await Watcher.of({ jid: 'nurse@localhost', port: c.port }, [...talkers, 'mercutio@localhost'])
      const watching = watcher.run()
      await away.open()
      away.send('<presence/>')
      await waitUntil(() => new Set(watcher.came).size > talkers.length, 10_000)
      expect([...new Set(watcher.came)].sort()).toEqual(
        [...talkers.map(jid => `${jid}/receiver`), 'mercutio@localhost/away'].sort())
      for (let round = 0; round < ROUNDS; round++) {
        const victim = round % 2 === 0 ? a : b
        await victim.kill()
        if (round === 0) away.hangUp()
        seconds.push(await untilWhole(talk))
        await victim.start()
        await setTimeout(500)
      }
      isFound = await waitUntil(() => watcher.went.length > 0, FOUND_MS)
      wentBefore = [...watcher.went]
      watcher.line.hangUp()
      await watching
      expect([watcher.line.sessions, watcher.line.resumed]).toEqual([1, 0])
    })

    print('kill -9 of a node', { killed: ROUNDS, secondsUntilWhole: Math.max(...seconds) }, figures)
    console.log(cluster.nodes.map(({ name, log }) => `${name}: ${log.join('\n   ')}`).join('\n'))
    expect(figures).toMatchObject(NOTHING_WRONG)
    expect(figures.acknowledged).toBe(figures.sent)
    expect(figures.resumed).toBeGreaterThan(0)
    expect(figures.anew).toBe(0)
    expect(isFound).toBe(true)
    expect(wentBefore).toEqual(['mercutio@localhost/away'])
  })
})
