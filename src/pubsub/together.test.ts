/** Publications that come for a node at once: they are stored together, and come out as if they were not. */
import { describe, expect, test } from 'vitest'
import {
  creates, events, hamletAndFriends, items, publication, request, SERVICE, subscribes, thing,
} from '../../test/support/world/nodes.ts'
import { database } from '../../test/support/world/world.ts'

/** Ids come again, one payload is too big, and one is published twice by the same request. */
const PUBLICATIONS = [
  publication('NODE', 'a', '1'), publication('NODE', 'b', '2'), publication('NODE', 'a', '3'),
  publication('NODE', 'c', '4'), publication('NODE', 'd', 'x'.repeat(140_000)), publication('NODE', 'd', '5'),
  publication('NODE', 'e', '6'), publication('NODE', 'b', '7'), publication('NODE', 'b', '8'),
]
const PLAIN = PUBLICATIONS.filter(xml => xml.length < 1000)

describe.each<readonly [string, Readonly<Record<string, string>>]>([
  ['1 item', { max_items: '1' }],
  ['2 items', { max_items: '2' }],
  ['2 items, with retractions', { max_items: '2', publish_node_full: 'retract-oldest', notify_retract: '1' }],
  ['all items', { max_items: 'max' }],
  ['3 items and no more', { max_items: '3', publish_node_full: 'reject' }],
  ['no items', { persist_items: '0' }],
])('at a node with %s', (_, options) => {
  test.each([
    ['all of which are stored', PLAIN],
    ['one of which is refused', PUBLICATIONS],
  ])('publications at once, %s, come out as one by one', async (_, publications) => {
    const { hamlet, horatio } = await hamletAndFriends()
    for (const node of ['one-by-one', 'at-once']) {
      await creates(hamlet, node, options)
      await subscribes(horatio, node)
    }
    await horatio.received()
    const publish = (xml: string, node: string): Promise<string> =>
      hamlet.asks('set', xml.replace('NODE', node), SERVICE).then(() => 'stored', error => String(error))

    const expected: string[] = []
    for (const xml of publications) expected.push(await publish(xml, 'one-by-one'))
    const outcomes = await Promise.all(publications.map(xml => publish(xml, 'at-once')))

    expect(outcomes).toEqual(expected)
    const heard = await events(horatio)
    const toldOf = (node: string): readonly string[] =>
      heard.filter(event => event.startsWith(`${node} `)).map(event => event.slice(node.length + 1))
    const isItem = (event: string): boolean => event.includes(': ')
    expect(toldOf('at-once').filter(isItem)).toEqual(toldOf('one-by-one').filter(isItem))
    expect(mirrorOf(toldOf('at-once'))).toEqual(mirrorOf(toldOf('one-by-one')))
    if (options['persist_items'] !== '0') {
      expect(await items(hamlet, 'at-once', SERVICE)).toEqual(await items(hamlet, 'one-by-one', SERVICE))
    }
    const counted = await database().query('select items, bytes from pubsub_node where node = any($1)',
      [['one-by-one', 'at-once']])
    expect(counted[0]).toEqual(counted[1])
  })
})

test('publications at once are stored with few statements, and one that comes again is one', async () => {
  const { hamlet, horatio } = await hamletAndFriends()
  await creates(hamlet, 'musings', { max_items: 'max' })
  await subscribes(horatio, 'musings')
  await horatio.received()
  const send = (id: string): Promise<void> => hamlet.sends(`<iq type='set' id='${id}' to='${SERVICE}'>` +
    `${request(`<publish node='musings'><item>${thing(id)}</item></publish>`)}</iq>`)
  const ids = Array.from({ length: 12 }, (_, n) => `p${n}`)

  await Promise.all(ids.map(send))
  const [stored] = await database().query<{ readonly count: number, readonly statements: number }>(
    'select count(*)::int as count, count(distinct published_at)::int as statements from pubsub_item')
  await Promise.all(['p11', 'again', 'again'].map(send))

  expect(stored?.count).toBe(12)
  expect(stored?.statements).toBeLessThan(6)
  expect((await events(horatio)).map(event => event.split(': ')[1])).toEqual([...ids, 'again'])
  expect(await items(hamlet, 'musings', SERVICE)).toHaveLength(13)
})

test('publications at once whose commit is in doubt are all refused, and none is stored twice', async () => {
  const { hamlet } = await hamletAndFriends()
  await creates(hamlet, 'musings', { max_items: 'max' })
  const db = database()
  const query = db.query.bind(db)
  const publish = (): Promise<string> =>
    hamlet.asks('set', request(`<publish node='musings'><item>${thing('x')}</item></publish>`), SERVICE)
      .then(() => 'stored', () => 'refused')
  const first = publish()
  Object.assign(db, {
    query: async (text: string, values?: readonly unknown[]) => {
      await query(text, values)
      if (text.includes('numbered as')) throw new Error('Connection terminated unexpectedly')
    },
  })

  const outcomes = await Promise.all([first, publish(), publish(), publish()])

  Object.assign(db, { query })
  expect(outcomes).toEqual(Array(4).fill('refused'))
  expect(await items(hamlet, 'musings', SERVICE)).toHaveLength(4)
})

/** The ids of the items that a subscriber has who applies the events. */
function mirrorOf (told: readonly string[]): readonly string[] {
  const ids = new Set<string>()
  for (const event of told) {
    const [published] = event.split(': ')
    if (event.includes(': ') && published) ids.add(published)
    else for (const id of event.split(', ')) ids.delete(id.slice(1))
  }
  return [...ids].sort()
}
