/**
 * Devices of one account on several nodes: whichever node is killed, each has the conversation that the archive has.
 */
import { setTimeout } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { hasRedis } from '../support/redis/redis.ts'
import { Device } from './device.ts'
import { NOTHING_WRONG, print, underLoad, waitUntil } from './load.ts'
import { Nodes } from './nodes.ts'
import { readArchive, Sender } from './talk.ts'
import { untilWhole } from './whole.ts'

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 2)

const timeout = 60_000 + ROUNDS * 20_000

test.skipIf(!hasRedis())('two devices, and the node of one of them is killed', { timeout }, async () => {
  await using cluster = await Nodes.start(inject('postgresUrl'))
  const { nodes: [a, b, c], balancer: { port } } = cluster
  const seconds: number[] = []
  let devices: readonly Device[] = []
  let isWhole = false

  const figures = await underLoad({ port, pairs: 1, pauseMs: 30 }, async ([pair]) => {
    if (!pair) throw new Error('nobody talks')
    const { sender: romeo, receiver: juliet } = pair
    const { jid } = juliet.account
    await waitUntil(() => juliet.received.size > 0, 10_000) // what had to wait for somebody is for the first who comes
    devices = [new Device({ jid, port }, 'phone'), new Device({ jid, port }, 'desk')]
    const answers = new Sender({ jid, port }, romeo.account.jid, { pauseMs: 30 })
    const running = devices.map(device => device.run())
    expect(await waitUntil(() => devices.every(({ conversation }) => conversation.length > 0), 10_000)).toBe(true)
    running.push(answers.run())
    for (let round = 0; round < ROUNDS; round++) {
      await setTimeout(700)
      const victim = [a, b, c][round % 3] ?? a
      await victim.kill()
      seconds.push(await untilWhole([pair]))
      await victim.start()
    }
    answers.finish()
    romeo.finish()
    isWhole = await waitUntil(() => [romeo, answers].every(sender => sender.acknowledged.size === sender.sent &&
      devices.every(device => device.has(sender.name(sender.sent)))), 15_000)
    for (const { line } of [answers, ...devices]) line.hangUp()
    await Promise.all(running)
  })

  const archive = await readArchive({ jid: 'juliet0@localhost', port })
  print('kill -9 with two devices', {
    killed: ROUNDS,
    secondsUntilWhole: Math.max(...seconds),
    archive: archive.length,
  }, figures)
  expect(isWhole).toBe(true)
  expect(figures).toMatchObject(NOTHING_WRONG)
  for (const { conversation, line } of devices) {
    const [first] = conversation
    expect(conversation).toEqual(archive.slice(archive.findIndex(({ id }) => id === first?.id)))
    expect(line.sessions).toBe(1)
  }
})
