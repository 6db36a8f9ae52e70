/** Limits of nodes, what a login and a page cost, and what features on top are given. */
import { expect, test } from 'vitest'
import {
  creates, events, items, ownerRequest, publishes, request, SERVICE, wants,
} from '../../test/support/world/nodes.ts'
import { database, world, worldWithNodes } from '../../test/support/world/world.ts'
import { Written } from '../xml/written.ts'
import { Jid } from '../xmpp/jid.ts'

const TUNE = 'http://jabber.org/protocol/tune'

type Query = readonly [text: string, values?: readonly unknown[]]

/** What the database is asked from now on, outside of transactions, until `end`. */
function watchQueries (): { end (): readonly Query[] } {
  const db = database()
  const query = db.query.bind(db)
  const asked: Query[] = []
  Object.assign(db, {
    query: (...args: Query) => {
      asked.push(args)
      return query(...args)
    },
  })
  return {
    end () {
      Object.assign(db, { query })
      return asked
    },
  }
}

test('an account has so many nodes, and no more', async () => {
  const { client } = await worldWithNodes({ nodes: 2 })
  const hamlet = await client('hamlet@localhost/elsinore')
  await publishes(hamlet, 'a', '1', 'x')
  await creates(hamlet, 'b')

  await expect(publishes(hamlet, 'c', '1', 'x')).rejects.toThrow('not-allowed')
  await hamlet.asks('set', ownerRequest("<delete node='a'/>"))

  await expect(publishes(hamlet, 'c', '1', 'x')).resolves.toBeUndefined()
})

test('an account\'s items have so many bytes together, and what is replaced or taken away makes room', async () => {
  const { client } = await worldWithNodes({ bytes: 1000 })
  const hamlet = await client('hamlet@localhost/elsinore')
  await publishes(hamlet, 'a', '1', 'x'.repeat(400))
  await publishes(hamlet, 'a', '2', 'y'.repeat(400))
  await publishes(hamlet, 'b', '1', 'z'.repeat(400))

  await expect(publishes(hamlet, 'c', '1', 'x'.repeat(400))).rejects.toThrow('resource-constraint')
  await hamlet.asks('set', request("<retract node='b'><item id='1'/></retract>"))

  await expect(publishes(hamlet, 'c', '1', 'x'.repeat(400))).resolves.toBeUndefined()
})

test('what is counted of a node is what there is', async () => {
  const { client, db } = await world()
  const hamlet = await client('hamlet@localhost/elsinore')
  await creates(hamlet, 'musings', { max_items: '3' })
  for (const id of ['a', 'b', 'c', 'b', 'd', 'e', 'a']) await publishes(hamlet, 'musings', id, id.repeat(10), SERVICE)
  await hamlet.asks('set', request("<retract node='musings'><item id='e'/></retract>"), SERVICE)

  const counted = await db.query(`select items, bytes::int from pubsub_node`)

  expect(await items(hamlet, 'musings', SERVICE)).toEqual(['d: dddddddddd', 'a: aaaaaaaaaa'])
  expect(counted).toEqual(await db.query(
    'select count(*)::int as items, sum(octet_length(payload))::int as bytes from pubsub_item'))
})

test('a node has so many subscriptions', async () => {
  const { client } = await worldWithNodes({ subscriptions: 2 })
  const hamlet = await client('hamlet@localhost/elsinore')
  await creates(hamlet, 'musings')
  const subscribe = (jid: string): Promise<unknown> =>
    hamlet.asks('set', request(`<subscribe node='musings' jid='${jid}'/>`), SERVICE)

  for (const resource of ['a', 'b']) await subscribe(`hamlet@localhost/${resource}`)

  await expect(subscribe('hamlet@localhost/c')).rejects.toThrow('policy-violation')
})

test('an account has so many subscriptions of one node, by a list of its own as well', async () => {
  const { client } = await worldWithNodes({})
  const hamlet = await client('hamlet@localhost/elsinore')
  await creates(hamlet, 'musings')
  const subscribe = (from: number, to: number): Promise<unknown> => {
    const list = Array.from({ length: to - from }, (_, n) =>
      `<subscription jid='hamlet@localhost/${from + n}' subscription='subscribed'/>`).join('')
    return hamlet.asks('set', ownerRequest(`<subscriptions node='musings'>${list}</subscriptions>`), SERVICE)
  }

  await subscribe(0, 30)

  await expect(subscribe(30, 51)).rejects.toThrow('policy-violation')
  await subscribe(30, 50)
  await expect(hamlet.asks('set', request("<subscribe node='musings' jid='hamlet@localhost'/>"), SERVICE))
    .rejects.toThrow('policy-violation')
})

test.each([
  ['the name of a node', `<create node='${'x'.repeat(1024)}'/>`],
  ['the id of an item', `<publish node='a'><item id='${'x'.repeat(1024)}'><a xmlns='urn:a'/></item></publish>`],
])('%s may not be too long', async (_, payload) => {
  const { client } = await world()
  const hamlet = await client('hamlet@localhost/elsinore')

  await expect(hamlet.asks('set', request(payload), SERVICE)).rejects.toThrow('not-acceptable')
})

test('a page in the middle of a large node reads so many items, and not those beside it', async () => {
  const { client, db } = await world()
  const hamlet = await client('hamlet@localhost/elsinore')
  await creates(hamlet, 'musings')
  await db.query(`insert into pubsub_item (owner, node, id, seq, publisher, published_at, payload)
    select '${SERVICE}', 'musings', n::text, n, 'hamlet@localhost', now(), '<a xmlns="urn:a"/>'
    from generate_series(1, 50000) as n`)
  await db.query('update pubsub_node set last_seq = 50000, items = 50000, bytes = 50000')
  await db.query('analyze pubsub_item')
  const asked = watchQueries()

  const answer = await hamlet.asks('get', request("<items node='musings'/>" +
    "<set xmlns='http://jabber.org/protocol/rsm'><max>20</max><before>30000</before></set>"), SERVICE)

  const [text = '', values] = asked.end().find(([text]) => text.includes('pubsub_item')) ?? []
  const [plan] = await db.query<{ readonly 'QUERY PLAN': unknown }>(`explain (analyze, format json) ${text}`, values)
  const counts = JSON.stringify(plan?.['QUERY PLAN']).matchAll(/"(?:Actual Rows|Rows Removed by Filter)":(\d+)/g)
  expect(Math.max(...[...counts].map(([, count]) => Number(count)))).toBeLessThan(50)
  expect(answer?.getChild('items')?.getChildren('item').map(({ attrs }) => Number(attrs['id']))).toEqual(
    Array.from({ length: 20 }, (_, n) => 29_980 + n))
})

test('who comes online and sees many accounts costs a few queries, and is not sent more than it reads', async () => {
  const { client, core, db } = await world()
  const romeo = await client('romeo@localhost/orchard')
  await romeo.comesOnline()
  await db.query(`insert into account select 'friend' || n || '@localhost', now(), '', '', ''
    from generate_series(1, 500) as n`)
  await db.query(`insert into roster_item (owner, contact, is_listed, groups, subscription, pending_out, approved, version)
    select 'friend' || n || '@localhost', 'romeo@localhost', true, '{}', 'both', false, false, 1
    from generate_series(1, 500) as n`)
  await db.query(`insert into pubsub_node (owner, node, creator, config, access, roster_groups, sends_last, items)
    select 'friend' || n || '@localhost', 'urn:node:' || k, 'friend' || n || '@localhost', '{}', 'presence', '{}',
      'on_sub_and_presence', 1 from generate_series(1, 500) as n, generate_series(1, 5) as k`)
  await db.query(`insert into pubsub_item (owner, node, id, seq, publisher, published_at, payload)
    select owner, node, 'x', 1, owner, now(), '<a xmlns="urn:a"/>' from pubsub_node`)
  const asked = watchQueries()

  const heard = await wants(romeo, ...[1, 2, 3, 4, 5].map(k => `urn:node:${k}`))

  const queries = asked.end()
  expect(heard).toHaveLength(2500)
  expect(new Set(heard).size).toBeGreaterThan(4)
  expect(queries.length).toBeLessThan(40)
  expect(core.accounts.peek(Jid.parse('friend1@localhost'))).toBeUndefined()
})

test('a feature gives its nodes defaults, changes and refuses what is published, and hears what came of it', async () => {
  const { client, core } = await world()
  const heard: string[] = []
  core.part('feature').pubsub.node(TUNE, {
    defaults: { 'pubsub#access_model': ['open'], 'pubsub#max_items': ['max'] },
    publishing (_account, { payload }) {
      if (payload.xml.includes('secret')) throw new Error('a bug')
      return Written.kept('thing', 'urn:example:thing', payload.xml.replace('loud', 'quiet'))
    },
    published (account, { id, payload }) { heard.push(`${account} +${id} ${payload.includes('quiet')}`) },
    retracted (account, ids) { heard.push(`${account} -${ids}`) },
  })
  const juliet = await client('juliet@localhost/balcony')
  const tybalt = await client('tybalt@localhost/street')

  await publishes(juliet, TUNE, 'a', 'loud')
  await publishes(juliet, TUNE, 'b', 'loud')
  await expect(publishes(juliet, TUNE, 'c', 'secret')).rejects.toThrow('internal-server-error')
  await juliet.asks('set', request(`<retract node='${TUNE}'><item id='a'/></retract>`))
  await juliet.asks('set', ownerRequest(`<delete node='${TUNE}'/>`))

  expect(heard).toEqual(['juliet@localhost +a true', 'juliet@localhost +b true', 'juliet@localhost -a', 'juliet@localhost -all'])
  await expect(items(tybalt, TUNE, 'juliet@localhost')).rejects.toThrow('item-not-found')
})

test('a feature publishes, reads and retracts in an account\'s name', async () => {
  const { client, core } = await world()
  const juliet = await client('juliet@localhost/balcony')
  await wants(juliet, TUNE)
  const { pubsub } = core.part('feature')
  const account = Jid.parse('juliet@localhost')

  const id = await pubsub.publish(account, TUNE, { payload: Written.kept('a', 'urn:a', "<a xmlns='urn:a'>x</a>") })
  const found = await pubsub.items(account, TUNE)
  const gone = [await pubsub.retract(account, TUNE, id), await pubsub.retract(account, TUNE, id)]

  expect(found).toMatchObject([{ id, publisher: 'juliet@localhost', payload: "<a xmlns='urn:a'>x</a>" }])
  expect(gone).toEqual([true, false])
  expect(await events(juliet)).toEqual([`${TUNE} ${id}: x`, `${TUNE} -${id}`])
  expect([await pubsub.items(account, 'urn:none'), await pubsub.retract(account, 'urn:none', 'a')]).toEqual([[], false])
})
