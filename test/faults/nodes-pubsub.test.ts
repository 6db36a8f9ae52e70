/**
 * Nodes (XEP-0060, XEP-0163) outlive the processes that own them: whichever is killed, what was answered is kept, in
 * order, and subscribers end with it.
 */
import { connect } from 'node:net'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { Client } from '../../conformance/runner/client.ts'
import { register } from '../../conformance/runner/register.ts'
import { hasRedis } from '../support/redis/redis.ts'
import { filled } from '../support/world/nodes.ts'
import { software } from '../support/world/software.ts'
import { ANSWER_MS, PASSWORD } from './line.ts'
import { waitUntil } from './load.ts'
import { Nodes } from './nodes.ts'
import type { Node } from './nodes.ts'
import { ask, Listener, nameOf, Publisher, readItems } from './publish.ts'
import type { Place } from './publish.ts'

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 3)
const WHOLE_MS = 40_000
const SERVICE = 'pubsub.localhost'
const NEWS: Place = { owner: SERVICE, node: 'news' }
const MOOD = 'urn:example:mood'
const PUBLISHERS = ['romeo0@localhost', 'romeo1@localhost']
const LISTENERS = ['juliet0@localhost', 'juliet1@localhost', 'juliet2@localhost']

const timeout = 120_000 + ROUNDS * 25_000

/** As many as can be, which takes the machine's all, only where rounds are asked for. */
const PACES = process.env['FAULT_ROUNDS'] === undefined ? [15] : [15, 0]

test.skipIf(!hasRedis()).each(PACES)('kill -9 of what owns nodes, items %d ms apart: all that was answered is kept and heard', {
  timeout,
}, async paceMs => {
  await using cluster = await Nodes.start(inject('postgresUrl'))
  const { publishers, listeners, running } = await begin(cluster.balancer.port, PUBLISHERS, paceMs)
  const seconds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const victim = await ownerOf([SERVICE, PUBLISHERS[0], LISTENERS[0]][round % 3] ?? '', cluster)
    await victim.kill()
    seconds.push(await untilHeard(publishers, listeners))
    await victim.start()
    await setTimeout(500)
  }
  for (const publisher of publishers) publisher.finish()
  const isOver = (): boolean =>
    publishers.every(({ isDone }) => isDone) && unheard(publishers, listeners).length === 0
  await waitUntil(isOver, WHOLE_MS)
  const kept = new Map<string, readonly (readonly [string, string])[]>()
  for (const { publisher, place } of each(publishers)) {
    kept.set(nameOf(place), await readItems(publisher.account, place))
  }
  for (const { line } of [...publishers, ...listeners]) line.hangUp()
  await Promise.all(running)

  const sessions = [...publishers, ...listeners].map(({ line }) => line.sessions)
  console.log('kill -9 of nodes that are published to:', {
    paceMs, killed: ROUNDS, secondsUntilWhole: Math.max(...seconds),
    answered: each(publishers).map(({ answered }) => answered), again: each(publishers).map(({ again }) => again.size),
    refused: publishers.map(({ refused }) => refused), sessions, heardTwice: twice(publishers, listeners),
    missed: missed(publishers, listeners), tooLate: tooLate(publishers, listeners),
  })
  expect(seconds).not.toContain(Infinity)
  expect(publishers.flatMap(({ wrong }) => wrong)).toEqual([])
  expect(publishers.map(({ isDone }) => isDone)).toEqual(publishers.map(() => true))
  for (const { publisher, place, answered } of each(publishers)) {
    const own = kept.get(nameOf(place))?.filter(([id]) => publisher.number(id) !== undefined)
    expect(own).toEqual(Array.from({ length: answered }, (_, n) => [publisher.id(n + 1), publisher.id(n + 1)]))
  }
  expect(unheard(publishers, listeners)).toEqual([])
  expect(missed(publishers, listeners)).toEqual([])
  expect(tooLate(publishers, listeners)).toEqual([])
  expect(sessions).toEqual(sessions.map(() => 1))
})

test.skipIf(!hasRedis())('what is answered the moment before kill -9, and nothing after it, is heard', {
  timeout,
}, async () => {
  await using cluster = await Nodes.start(inject('postgresUrl'))
  const { port } = cluster.balancer
  const [jid = '', ...others] = PUBLISHERS
  const { publishers, listeners, running } = await begin(port, others, 0)
  const lost: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const place = [{ owner: jid, node: MOOD }, NEWS][round % 2] ?? NEWS
    const client = await Client.connect({ port, tls: false, patienceMs: ANSWER_MS }, { jid, password: PASSWORD, resource: 'last' })
    const publish = (id: string) => ask(client, 'set', place.owner,
      `<publish node='${place.node}'><item id='${id}'><thing xmlns='urn:example:thing'/></item></publish>`)
    const deaf = (id: string): readonly Listener[] => listeners.filter(listener => !listener.heard(place).includes(id))
    await publish(`first${round}`)
    await waitUntil(() => deaf(`first${round}`).length === 0, WHOLE_MS) // whose homes are known from here on
    const victim = await ownerOf(place.owner, cluster)
    await publish(`last${round}`)
    await victim.kill()
    client.destroy()
    await waitUntil(() => deaf(`last${round}`).length === 0, WHOLE_MS)
    lost.push(...deaf(`last${round}`).map(({ account }) => `last${round}, ${nameOf(place)}: ${account.jid}`))
    await victim.start()
    await setTimeout(500)
  }
  for (const { line } of [...publishers, ...listeners]) line.hangUp()
  await Promise.all(running)

  console.log('kill -9 after an answer:', { killed: ROUNDS, lost })
  expect(lost).toEqual([])
})

/** Some publish, and all listen and have heard of each of them. */
async function begin (port: number, publishing: readonly string[], paceMs: number): Promise<{
  readonly publishers: readonly Publisher[]
  readonly listeners: readonly Listener[]
  readonly running: readonly Promise<void>[]
}> {
  await introduce(port)
  const { c, query } = software(MOOD)
  const publishers = publishing.map(jid => new Publisher({ jid, port }, [{ owner: jid, node: MOOD }, NEWS], paceMs))
  const listeners = LISTENERS.map(jid => new Listener({ jid, port }, c, query))
  const running = [...listeners, ...publishers].map(one => one.run())
  const isHeard = (): boolean => each(publishers).every(one => listeners.every(by => numbers(one, by).length > 0))
  expect(await waitUntil(isHeard, WHOLE_MS)).toBe(true)
  return { publishers, listeners, running }
}

/** The publishers create their nodes, and the listeners subscribe to them: as contacts, and at the service. */
async function introduce (port: number): Promise<void> {
  for (const jid of [...PUBLISHERS, ...LISTENERS]) await register({ port, tls: false }, { jid, password: PASSWORD })
  for (const jid of PUBLISHERS) {
    await speak(jid, port, async client => {
      const options = { max_items: 'max', publish_model: 'open' }
      const places = jid === PUBLISHERS[0] ? [{ owner: jid, node: MOOD }, NEWS] : [{ owner: jid, node: MOOD }]
      for (const { owner, node } of places) {
        await ask(client, 'set', owner, `<create node='${node}'/><configure>${filled('node_config', options)}</configure>`)
      }
      for (const contact of LISTENERS) client.send(`<presence type='subscribed' to='${contact}'/>`) // RFC 6121 §3.4
    })
  }
  for (const jid of LISTENERS) {
    await speak(jid, port, async client => {
      for (const contact of PUBLISHERS) client.send(`<presence type='subscribe' to='${contact}'/>`)
      await ask(client, 'set', SERVICE, `<subscribe node='${NEWS.node}' jid='${jid}'/>`)
    })
  }
}

async function speak (jid: string, port: number, what: (client: Client) => Promise<void>): Promise<void> {
  const client = await Client.connect({ port, tls: false }, { jid, password: PASSWORD, resource: 'first' })
  await what(client)
  await client.disconnect()
}

/** The process that owns an account or a service: Redis knows. */
async function ownerOf (address: string, { nodes, redis }: Nodes): Promise<Node> {
  const socket = connect(Number(new URL(redis.url).port), '127.0.0.1')
  socket.write(`GET hg:home:${address}\r\n`)
  const [answer] = await once(socket, 'data') as [Buffer]
  socket.destroy()
  const owner = nodes.find(({ name }) => answer.includes(`\n${name}`))
  if (!owner) throw new Error(`nobody owns ${address}: ${answer}`)
  return owner
}

type Each = Publisher['series'][number] & { readonly publisher: Publisher }

/** What each publisher publishes to each node. */
function each (publishers: readonly Publisher[]): readonly Each[] {
  return publishers.flatMap(publisher => publisher.series.map(one => ({ ...one, publisher })))
}

/** The numbers of the publisher's items that somebody heard of, in the order in which they came. */
function numbers ({ publisher, place }: Each, listener: Listener): readonly number[] {
  return listener.heard(place).flatMap(id => publisher.number(id) ?? [])
}

/** The seconds until everybody has heard of an item of each publisher in each node that is not published yet. */
async function untilHeard (publishers: readonly Publisher[], listeners: readonly Listener[]): Promise<number> {
  const since = Date.now()
  const next = each(publishers).map(({ publisher, place, published }) => ({ place, id: publisher.id(published + 1) }))
  const isHeard = (): boolean => next.every(({ place, id }) =>
    listeners.every(listener => listener.heard(place).includes(id)))
  return await waitUntil(isHeard, WHOLE_MS) ? Math.round((Date.now() - since) / 100) / 10 : Infinity
}

/** What is said of each publisher's items in each node, as each listener heard of them. */
function say (
  publishers: readonly Publisher[], listeners: readonly Listener[],
  what: (numbers: readonly number[], one: Each) => readonly string[],
): readonly string[] {
  return each(publishers).flatMap(one => listeners.flatMap(listener =>
    what(numbers(one, listener), one).map(text =>
      `${text}: ${listener.account.jid}, of ${one.publisher.account.jid}, ${nameOf(one.place)}`)))
}

/** Who did not hear of a publisher's last item in a node, or of another one behind it. */
function unheard (publishers: readonly Publisher[], listeners: readonly Listener[]): readonly string[] {
  return say(publishers, listeners, (numbers, { answered }) =>
    numbers.at(-1) === answered ? [] : [`${numbers.at(-1)} in place of ${answered}`])
}

/** What somebody did not hear of who had heard of an earlier one, and heard of a later one. */
function missed (publishers: readonly Publisher[], listeners: readonly Listener[]): readonly string[] {
  return say(publishers, listeners, numbers => {
    const heard = new Set(numbers)
    const [first, last] = [Math.min(...heard), Math.max(...heard)]
    return Array.from({ length: Math.max(0, last - first) }, (_, n) => first + n).filter(n => !heard.has(n)).map(String)
  })
}

/**
 * What somebody heard of for the first time behind a later one, though it was published once. A node that had passed a
 * request on to the owner that was killed passes it on to the next, who makes it again and tells it again
 * (docs/pubsub.md): several of them come again in their order.
 */
function tooLate (publishers: readonly Publisher[], listeners: readonly Listener[]): readonly string[] {
  return say(publishers, listeners, (numbers, { again }) => numbers.flatMap((number, at) => {
    const last = numbers[at - 1] ?? 0
    const isRepeat = again.has(number) || numbers.indexOf(number) < at
    return number >= last || isRepeat ? [] : `${number} behind ${last}`
  }))
}

/** What somebody heard of twice, though it was published once. */
function twice (publishers: readonly Publisher[], listeners: readonly Listener[]): readonly string[] {
  return say(publishers, listeners, (numbers, { again }) =>
    numbers.filter((number, at) => numbers.indexOf(number) < at && !again.has(number)).map(String))
}
