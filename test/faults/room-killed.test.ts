/**
 * A room outlives its nodes: whichever is killed, its occupants stay in and have what was said, once and in one order.
 */
import { setTimeout } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { hasRedis } from '../support/redis/redis.ts'
import { Client } from '../../conformance/runner/client.ts'
import { register } from '../../conformance/runner/register.ts'
import { PASSWORD } from './line.ts'
import { outOfOrder, waitUntil } from './load.ts'
import { Nodes } from './nodes.ts'
import { entry, readArchive, Receiver, Sender } from './talk.ts'

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 3)
const PEOPLE = 3
const ROOM = 'coven@conference.localhost'
const WHOLE_MS = 40_000
const NS_OWNER = 'http://jabber.org/protocol/muc#owner'

const timeout = 120_000 + ROUNDS * 20_000

/**
 * Milliseconds from one message of a sender to the next; without any, which takes the machine's all, only where rounds
 * are asked for.
 */
const PACES = process.env['FAULT_ROUNDS'] === undefined ? [15] : [15, 0]

test.skipIf(!hasRedis()).each(PACES)('kill -9 of nodes under load, %d ms apart: a room loses nobody and nothing', {
  timeout,
}, async paceMs => {
  await using cluster = await Nodes.start(inject('postgresUrl'))
  const { port } = cluster.balancer
  await openRoom(port)
  const senders = await people('romeo', port, account => new Sender(account, ROOM, { isInRoom: true, paceMs }))
  const receivers = await people('juliet', port, account => new Receiver(account, entry(ROOM, account.jid), ROOM))
  const listening = receivers.map(receiver => receiver.run())
  expect(await waitUntil(() => receivers.every(({ hasPresence }) => hasPresence), WHOLE_MS)).toBe(true)
  const running = [...listening, ...senders.map(sender => sender.run())]
  const seconds = [await untilHeard(senders, receivers)]
  for (let round = 0; round < ROUNDS; round++) {
    const victim = cluster.nodes[round % cluster.nodes.length]
    await victim?.kill()
    seconds.push(await untilHeard(senders, receivers))
    await victim?.start()
    await setTimeout(500)
  }
  for (const sender of senders) sender.finish()
  const isWhole = (): boolean => senders.every(({ acknowledged, sent }) => acknowledged.size === sent) &&
    receivers.every(receiver => missing(senders, receiver).length === 0)
  await waitUntil(isWhole, WHOLE_MS)
  const archive = await readArchive({ jid: 'juliet0@localhost', port }, ROOM)
  const lost = receivers.map(receiver => missing(senders, receiver))
  if (lost.flat().length > 0) {
    const kept = new Set(archive.map(({ body }) => body))
    console.log('lost:', lost, 'of them archived:', lost.flat().filter(id => kept.has(id)),
      cluster.nodes.map(({ name, log }) => [name, log]))
  }
  for (const { line } of [...receivers, ...senders]) line.hangUp()
  await Promise.all(running)

  const sessions = [...receivers, ...senders].map(({ line }) => line.sessions)
  console.log('kill -9 in a room:', {
    paceMs,
    killed: ROUNDS,
    secondsUntilWhole: Math.max(...seconds.slice(1)),
    kept: archive.length,
    sessions,
  })
  expect(lost).toEqual(receivers.map(() => []))
  expect(senders.map(({ acknowledged }) => acknowledged.size)).toEqual(senders.map(({ sent }) => sent))
  expect(senders.flatMap(({ wrong }) => wrong)).toEqual([])
  expect(senders.flatMap(sender => outOfOrder(sender, archive.map(({ body }) => body)))).toEqual([])
  expect(new Set(archive.map(({ id }) => id)).size).toBe(archive.length)
  expect(new Set(archive.map(({ body }) => body)).size).toBe(archive.length)
  for (const receiver of receivers) expect(heard(receiver)).toEqual(archive)
  expect(sessions).toEqual(sessions.map(() => 1))
})

async function people<Person> (
  name: string,
  port: number,
  meet: (account: { jid: string, port: number }) => Person,
): Promise<readonly Person[]> {
  const all: Person[] = []
  for (let number = 0; number < PEOPLE; number++) {
    const jid = `${name}${number}@localhost`
    await register({ port, tls: false }, { jid, password: PASSWORD })
    all.push(meet({ jid, port }))
  }
  return all
}

async function openRoom (port: number): Promise<void> {
  const jid = 'nurse@localhost'
  await register({ port, tls: false }, { jid, password: PASSWORD })
  const client = await Client.connect({ port, tls: false }, { jid, password: PASSWORD, resource: 'owner' })
  const field = "<field var='muc#roomconfig_persistentroom'><value>1</value></field>"
  client.send(entry(ROOM, 'nurse'))
  client.send(
    `<iq type='set' id='open' to='${ROOM}'><query xmlns='${NS_OWNER}'><x xmlns='jabber:x:data' type='submit'>${field}</x></query></iq>`,
  )
  for (let answer = await client.receive(); answer.name !== 'iq';) answer = await client.receive()
  await client.disconnect()
}

/** The seconds until everybody has a message of each sender that is not written yet. */
async function untilHeard (senders: readonly Sender[], receivers: readonly Receiver[]): Promise<number> {
  const since = Date.now()
  const next = senders.map(sender => ({ sender, id: sender.name(sender.sent + 1) }))
  const isHeard = (): boolean => next.every(({ sender, id }) =>
    sender.acknowledged.has(id) && receivers.every(({ received }) => received.has(id)))
  return await waitUntil(isHeard, WHOLE_MS) ? Math.round((Date.now() - since) / 100) / 10 : Infinity
}

/** What was acknowledged and did not come. */
function missing (senders: readonly Sender[], { received }: Receiver): readonly string[] {
  return senders.flatMap(({ acknowledged }) => [...acknowledged].filter(id => !received.has(id)))
}

/** All that came to somebody, in the order in which it came. */
function heard ({ received }: Receiver): readonly { readonly id: string, readonly body: string }[] {
  return [...received].flatMap(([body, receipts]) => receipts.map(({ archiveId }) => ({ id: archiveId, body })))
}
