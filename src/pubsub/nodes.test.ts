/** Nodes of a server that has several processes: for whoever publishes and hears there is but one. */
import { expect, test } from 'vitest'
import { streamManagement } from '../../extensions/stream-management/index.ts'
import { placeOf } from '../cluster/membership/rendezvous.ts'
import { RedisNodes } from '../../test/support/cluster/redis-cluster.ts'
import type { Node } from '../../test/support/cluster/redis-cluster.ts'
import { PATIENCE } from '../../test/support/cluster/room-nodes.ts'
import {
  creates, events, items, publishes, SERVICE, subscribes as subscribesTo, wants,
} from '../../test/support/world/nodes.ts'
import { rosterOf } from '../../test/support/world/online.ts'
import type { Client } from '../../test/support/world/world.ts'

const TUNE = 'http://jabber.org/protocol/tune'

async function twoNodes (): Promise<readonly [Node, Node]> {
  const nodes = await RedisNodes.begin([streamManagement])
  const [a, b] = [await nodes.start(), await nodes.start()]
  for (const { cluster } of [a, b]) await expect.poll(() => cluster.membership.nodes.length).toBe(2)
  await a.db.query('delete from account')
  await a.db.query('delete from former_account')
  await a.db.query('delete from pubsub_node')
  return [a, b]
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
