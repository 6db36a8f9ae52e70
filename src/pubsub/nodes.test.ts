/** Nodes of a server that has several processes: for whoever publishes and hears there is but one. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { streamManagement } from '../../extensions/stream-management/index.ts'
import { placeOf } from '../cluster/membership/rendezvous.ts'
import { RedisNodes } from '../../test/support/cluster/redis-cluster.ts'
import type { Node } from '../../test/support/cluster/redis-cluster.ts'
import { PATIENCE } from '../../test/support/cluster/room-nodes.ts'
import {
  creates, events, items, publishes, SERVICE, subscribes as subscribesTo, wants,
} from '../../test/support/world/nodes.ts'
import { rosterOf } from '../../test/support/world/online.ts'
import { attribute } from '../../test/support/world/software.ts'
import type { TestRedis } from '../../test/support/redis/redis.ts'
import type { Client } from '../../test/support/world/world.ts'

const TUNE = 'http://jabber.org/protocol/tune'
const SM = 'urn:xmpp:sm:3'

async function twoNodes (): Promise<readonly [Node, Node, TestRedis]> {
  const nodes = await RedisNodes.begin([streamManagement])
  const [a, b] = [await nodes.start(), await nodes.start()]
  for (const { cluster } of [a, b]) await expect.poll(() => cluster.membership.nodes.length).toBe(2)
  for (const table of ['account', 'former_account', 'pubsub_node', 'caps']) await a.db.query(`delete from ${table}`)
  return [a, b, nodes.redis]
}

/** Makes `user` a subscriber of the other's presence. */
async function sees (user: Client, contact: Client): Promise<void> {
  await user.sends(`<presence type='subscribe' to='${contact.session.account.jid}'/>`)
  await expect.poll(() => rosterOf(contact), PATIENCE).toBeDefined()
  await expect.poll(async () => (await contact.received()).join(), PATIENCE).toContain('subscribe')
  await contact.sends(`<presence type='subscribed' to='${user.session.account.jid}'/>`)
  await expect.poll(async () => (await rosterOf(user)).join(), PATIENCE).toMatch(/ (to|both)/)
}

/** All that is heard from now on until that comes. */
async function expectEvent (client: Client, last: string): Promise<readonly string[]> {
  const all: string[] = []
  await expect.poll(async () => {
    all.push(...await events(client))
    return all
  }, PATIENCE).toContain(last)
  return all
}

/**
 * From now on the node does not hear that others have taken what it sends to many; the function says that it never
 * will.
 */
function losesAnswers ({ cluster: { bus } }: Node): () => void {
  const lost: (() => void)[] = []
  const ask = bus.ask.bind(bus)
  Object.assign(bus, {
    ask: (...args: Parameters<typeof ask>) => {
      const answered = ask(...args)
      if (args[1] !== 'multicast') return answered
      return new Promise((_resolve, reject) => { lost.push(() => { reject(new Error('the node is gone')) }) })
    },
  })
  return () => { for (const one of lost) one() }
}

test('an event of an account reaches contacts at another node, once over the bus, and there who wants it', async () => {
  const [a, b] = await twoNodes()
  const juliet = await a.client('juliet@localhost/balcony')
  await juliet.comesOnline()
  const contacts: Client[] = []
  for (let n = 0; n < 5; n++) {
    const contact = await b.client(`friend${n}@localhost/phone`)
    await contact.comesOnline()
    await sees(contact, juliet)
    contacts.push(contact)
  }
  const [first, ...others] = contacts
  if (!first) throw new Error('nobody')
  await wants(first, TUNE)
  await publishes(juliet, TUNE, 'a', 'Allegro') // from here on the homes of all are known
  await expectEvent(first, `${TUNE} a: Allegro`)
  const packets: string[] = []
  const ask = a.cluster.bus.ask.bind(a.cluster.bus)
  Object.assign(a.cluster.bus, {
    ask: (...args: Parameters<typeof ask>) => {
      packets.push(args[1])
      return ask(...args)
    },
  })

  await publishes(juliet, TUNE, 'b', 'Adagio')

  expect(await expectEvent(first, `${TUNE} b: Adagio`)).toEqual([`${TUNE} b: Adagio`])
  expect(packets.filter(kind => kind === 'multicast' || kind === 'stanza')).toEqual(['multicast'])
  expect(await Promise.all(others.map(events))).toEqual([[], [], [], []])
})

test('last items come from accounts at another node', async () => {
  const [a, b] = await twoNodes()
  const juliet = await a.client('juliet@localhost/balcony')
  const romeo = await b.client('romeo@localhost/orchard')
  for (const one of [juliet, romeo]) await one.comesOnline()
  await sees(romeo, juliet)
  await publishes(juliet, TUNE, 'a', 'Allegro')

  await wants(romeo, TUNE).then(heard => heard.length > 0 ? heard : expectEvent(romeo, `${TUNE} a: Allegro (late)`))

  expect(await items(romeo, TUNE, 'juliet@localhost')).toEqual(['a: Allegro'])
})

test('an event whose arrival is unknown, as the node of its recipient has died, comes once', async () => {
  const [a, b] = await twoNodes()
  const juliet = await a.client('juliet@localhost/balcony')
  const romeo = await b.client('romeo@localhost/orchard')
  await romeo.sendsNonza(`<enable xmlns='${SM}' resume='true'/>`)
  const id = attribute((await romeo.received()).join(''), 'id')
  for (const one of [juliet, romeo]) await one.comesOnline()
  await sees(romeo, juliet)
  await wants(romeo, TUNE)
  const unanswered = losesAnswers(a)
  await publishes(juliet, TUNE, 'a', 'Allegro')
  await publishes(juliet, TUNE, 'b', 'Adagio')
  await expectEvent(romeo, `${TUNE} b: Adagio`)
  await b.persists()
  b.dies()
  await expect.poll(() => a.cluster.membership.isAlive(b.cluster.membership.id), PATIENCE).toBe(false)

  unanswered()
  let again: Client | undefined
  const resume = `<resume xmlns='${SM}' previd='${id}' h='0'/>`
  await expect.poll(async () => again = await a.returns('romeo@localhost/orchard', resume).catch(() => undefined),
    { timeout: 20_000 }).toBeDefined()
  await publishes(juliet, TUNE, 'c', 'Largo')

  const heard = again ? await expectEvent(again, `${TUNE} c: Largo`) : []
  expect(heard.map(event => event.replace(' (late)', ''))).toEqual(
    [`${TUNE} a: Allegro`, `${TUNE} b: Adagio`, `${TUNE} c: Largo`])
})

test('a publication is answered when its events arrive whatever becomes of the node that answers', async () => {
  const [a, b, redis] = await twoNodes()
  const juliet = await a.client('juliet@localhost/balcony')
  const romeo = await b.client('romeo@localhost/orchard')
  for (const one of [juliet, romeo]) await one.comesOnline()
  await sees(romeo, juliet)
  await wants(romeo, TUNE)
  await publishes(juliet, TUNE, 'a', 'Allegro')
  await expectEvent(romeo, `${TUNE} a: Allegro`)
  let isAnswered = false
  const stored = (): Promise<readonly unknown[]> => a.db.query("select from pubsub_item where id = 'b'")

  redis.pause()
  void publishes(juliet, TUNE, 'b', 'Adagio').then(() => { isAnswered = true }, () => {})
  await expect.poll(async () => (await stored()).length, PATIENCE).toBe(1)
  for (let turns = 0; turns < 20; turns++) await nextTurn()
  const wasAnswered = isAnswered
  redis.resume()

  await expectEvent(romeo, `${TUNE} b: Adagio`)
  expect(wasAnswered).toBe(false)
  await expect.poll(() => isAnswered, PATIENCE).toBe(true)
})

test('a publication is answered when those have its events who wait for their turn at the node that answers', async () => {
  const [a] = await twoNodes()
  const juliet = await a.client('juliet@localhost/balcony')
  const romeo = await a.client('romeo@localhost/orchard')
  for (const one of [juliet, romeo]) await one.comesOnline()
  await sees(romeo, juliet)
  await wants(romeo, TUNE)
  const turn = Promise.withResolvers<void>()
  let isAnswered = false

  const isTurnOver = a.core.accounts.turns.inTurn('romeo@localhost', () => turn.promise)
  void publishes(juliet, TUNE, 'a', 'Allegro').then(() => { isAnswered = true }, () => {})
  await expect.poll(() => a.db.query("select from pubsub_item where id = 'a'"), PATIENCE).toHaveLength(1)
  for (let turns = 0; turns < 20; turns++) await nextTurn()
  const wasAnswered = isAnswered
  turn.resolve()
  await isTurnOver

  await expectEvent(romeo, `${TUNE} a: Allegro`)
  expect(wasAnswered).toBe(false)
  await expect.poll(() => isAnswered, PATIENCE).toBe(true)
})

describe('a client that goes on at another node, and has not read all last items yet,', () => {
  const NODES = ['urn:1', 'urn:2', 'urn:3']

  /** Romeo at the first node, who has read one of three last items, and how he comes back at the second. */
  async function halfGreeted (): Promise<{
    readonly a: Node
    readonly romeo: Client
    readonly readsOn: () => void
    readonly comesBack: () => Promise<Client>
  }> {
    const [a, b] = await twoNodes()
    const romeo = await a.client('romeo@localhost/orchard')
    await romeo.sendsNonza(`<enable xmlns='${SM}' resume='true'/>`)
    const id = attribute((await romeo.received()).join(''), 'id')
    await romeo.comesOnline()
    for (const node of NODES) await publishes(romeo, node, 'a', 'old')
    const readsOn = romeo.hasEnough()
    const heard = await wants(romeo, ...NODES)
    await expect.poll(async () => heard.concat(await events(romeo)).length, PATIENCE).toBeGreaterThan(0)
    const comesBack = (): Promise<Client> =>
      b.returns('romeo@localhost/orchard', `<resume xmlns='${SM}' previd='${id}' h='0'/>`)
    return { a, romeo, readsOn, comesBack }
  }

  test('as its node has died, is sent them', async () => {
    const { a, comesBack } = await halfGreeted()
    await a.persists()
    a.dies()

    let again: Client | undefined
    await expect.poll(async () => again = await comesBack().catch(() => undefined), { timeout: 20_000 }).toBeDefined()

    const heard: string[] = []
    await expect.poll(async () => {
      heard.push(...again ? await events(again) : [])
      return [...new Set(heard)].sort()
    }, PATIENCE).toEqual(NODES.map(node => `${node} a: old (late)`))
  })

  test('and whose account has moved, is sent them, and none behind a newer one', async () => {
    const { a, romeo, readsOn, comesBack } = await halfGreeted()
    romeo.leaves()
    await a.core.accounts.giveUp(romeo.session.account)
    const again = await comesBack()
    const heard: string[] = []
    type View = (heard: readonly string[]) => readonly unknown[]
    const hears = async (what: View, all: readonly unknown[]): Promise<void> =>
      expect.poll(async () => {
        heard.push(...await events(again))
        return what(heard)
      }, PATIENCE).toEqual(all)
    await hears(heard => [...new Set(heard)].sort(), NODES.map(node => `${node} a: old (late)`))
    for (const node of NODES) await publishes(again, node, 'a', 'new')

    readsOn()
    await a.idle()
    await publishes(again, 'urn:3', 'z', 'last')

    await hears(heard => heard.slice(-4), [...NODES.map(node => `${node} a: new`), 'urn:3 z: last'])
  })
})

test('the service has one owner for all, and goes on at another node with all that was answered', async () => {
  const [a, b] = await twoNodes()
  const place = placeOf(SERVICE, [a, b].map(({ cluster }) => cluster.membership.id))
  const [owner, other] = place === a.cluster.membership.id ? [a, b] : [b, a]
  const hamlet = await other.client('hamlet@localhost/elsinore')
  const horatio = await other.client('horatio@localhost/court')
  await horatio.comesOnline()
  await creates(hamlet, 'musings')
  await subscribesTo(horatio, 'musings')
  await publishes(hamlet, 'musings', 'a', '1', SERVICE)
  await expectEvent(horatio, 'musings a: 1')
  const homes = [owner, other].map(({ core }) => core.pubsub.service.atHome())

  owner.dies()

  await expect.poll(() => publishes(hamlet, 'musings', 'b', '2', SERVICE).then(() => 'published', String),
    { timeout: 30_000, interval: 200 }).toBe('published')
  expect(homes).toEqual([[SERVICE], []])
  expect(other.core.pubsub.service.atHome()).toEqual([SERVICE])
  expect((await expectEvent(horatio, 'musings b: 2')).filter(one => one === 'musings b: 2')).toHaveLength(1)
  expect(await items(hamlet, 'musings', SERVICE)).toEqual(['a: 1', 'b: 2'])
})
