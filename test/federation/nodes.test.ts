/** Several nodes that are one server, and another server: which node has what is nobody else's business. */
import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { hasRedis } from '../support/redis/redis.ts'
import { clusterIn } from './cluster.ts'
import { Federation, START_MS, whyNoPeers } from './federation.ts'
import { Person } from './person.ts'
import { OURS } from './sides.ts'

const EJABBERD = 'ejabberd.example'
const SINGLE = 'single.example'
const MESSAGES = 200
const PAUSE_MS = 10

describe.skipIf(!hasRedis() || whyNoPeers() !== undefined)('A node', { timeout: START_MS }, () => {
  test('hears what was taken of what it sent, also where the other server tells another node', async () => {
    await using federation = await Federation.start('certificate', 'ejabberd')
    await using cluster = await clusterIn(federation)
    const owner = await cluster.owner(EJABBERD)
    const listener = cluster.other(owner)
    cluster.listenAt(listener)
    const romeo = await Person.arrive(owner.port, `romeo@${OURS}`)
    const juliet = await federation.arrive('juliet', EJABBERD)

    for (const body of ['one', 'two', 'three']) romeo.say(juliet.fullJid, body)
    for (const body of ['one', 'two', 'three']) await juliet.expectSeen('message', { id: body })

    const row = new RegExp(`^${EJABBERD} +${OURS} +out +certificate +TLSv1.3 +0 `, 'm')
    await expect.poll(() => owner.report()).toMatch(row)
    expect(await listener.report()).toMatch(new RegExp(`^${EJABBERD} +${OURS} +in `, 'm'))
    romeo.leave()
  })

  test('that is killed while it sends to another server loses nothing, and nothing comes twice', async () => {
    await using federation = await Federation.start('certificate')
    await federation.add('heliograph', SINGLE)
    await using cluster = await clusterIn(federation)
    const owner = await cluster.owner(SINGLE)
    const survivor = cluster.other(owner)
    cluster.listenAt(survivor)
    const romeo = await Person.arrive(survivor.port, `romeo@${OURS}`)
    const juliet = await federation.arrive('juliet', SINGLE)
    const ids = Array.from({ length: MESSAGES }, () => randomUUID()) // what comes again is told by a unique id only
    romeo.say(juliet.fullJid, 'first')
    await juliet.expectSeen('message', { id: 'first' })
    expect(await owner.report()).toMatch(new RegExp(`^${SINGLE} +${OURS} +(out|both) `, 'm'))

    for (const id of ids) {
      romeo.say(juliet.fullJid, id)
      if (id === ids[MESSAGES / 2]) await owner.kill()
      await setTimeout(PAUSE_MS)
    }

    await expect.poll(() => juliet.messageIds, { timeout: 60_000 }).toEqual(['first', ...ids])
    romeo.leave()
  })
})
