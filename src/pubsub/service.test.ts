/** XEP-0060: the service of nodes at pubsub.HOST. */
import { describe, expect, test } from 'vitest'
import {
  affiliates, configures, creates, events, hamletAndFriends, items, ownerRequest, publication, publishes, request,
  SERVICE, subscribes, thing,
} from '../../test/support/world/nodes.ts'
import { world } from '../../test/support/world/world.ts'

describe('what is published (§7.1)', () => {
  test('reaches subscribers, and stays to be retrieved', async () => {
    const { hamlet, horatio, ophelia } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    const state = await subscribes(horatio, 'musings')

    await publishes(hamlet, 'musings', 'a', 'to be', SERVICE)
    await publishes(hamlet, 'musings', 'b', 'or not', SERVICE)

    expect(state).toBe('subscribed')
    expect(await events(horatio)).toEqual(['musings a: to be', 'musings b: or not'])
    expect(await events(ophelia)).toEqual([])
    expect(await items(ophelia, 'musings', SERVICE)).toEqual(['a: to be', 'b: or not'])
  })

  test('comes in a headline with an id, and as it was sent', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    await subscribes(horatio, 'musings')
    const payload = "<b xmlns='urn:b' c='&lt;'><d xmlns='urn:d'>&amp;</d></b>"

    await hamlet.asks('set', request(`<publish node='musings'><item id='x'>${payload}</item></publish>`), SERVICE)

    const [message = ''] = (await horatio.received()).filter(xml => xml.startsWith('<message'))
    expect(message).toMatch(/^<message from='pubsub.localhost' to='horatio@localhost' id='[^']+' type='headline'>/)
    expect(message).toContain(`<items node='musings'><item id='x'>${payload}</item></items>`)
  })

  test('in a row is told in a row, and nothing overtakes what is asked in between', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    await subscribes(horatio, 'musings')
    const retract = (id: string): Promise<unknown> =>
      hamlet.asks('set', request(`<retract node='musings'><item id='${id}'/></retract>`), SERVICE)

    const all = [
      ...['a', 'b', 'c', 'd'].map(id => publishes(hamlet, 'musings', id, '1', SERVICE)), retract('b'),
      publishes(hamlet, 'musings', 'b', '2', SERVICE), publishes(hamlet, 'musings', 'a', '2', SERVICE), retract('a'),
    ]
    const read = items(hamlet, 'musings', SERVICE)
    const last = publishes(hamlet, 'musings', 'e', '1', SERVICE)
    await Promise.all([...all, last])

    expect(await events(horatio)).toEqual(
      ['a: 1', 'b: 1', 'c: 1', 'd: 1', '-b', 'b: 2', 'a: 2', '-a', 'e: 1'].map(one => `musings ${one}`))
    expect((await read).slice(0, 3)).toEqual(['c: 1', 'd: 1', 'b: 2'])
  })

  test('that is refused takes nothing else with it', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    await subscribes(horatio, 'musings')

    const outcomes = await Promise.allSettled([
      publishes(hamlet, 'musings', 'a', '1', SERVICE), publishes(horatio, 'musings', 'b', '1', SERVICE),
      publishes(hamlet, 'musings', 'c', 'x'.repeat(200_000), SERVICE), publishes(hamlet, 'musings', 'd', '1', SERVICE),
    ])

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled'])
    expect(await events(horatio)).toEqual(['musings a: 1', 'musings d: 1'])
  })

  test('loads no account of a subscriber who is away', async () => {
    const server = await world()
    const [hamlet, horatio] = [
      await server.client('hamlet@localhost/elsinore'), await server.client('horatio@localhost/court'),
    ]
    await creates(hamlet, 'musings')
    await subscribes(horatio, 'musings')
    const again = await server.restarts()
    const back = await again.client('hamlet@localhost/elsinore')

    await publishes(back, 'musings', 'a', 'to be', SERVICE)

    expect([...again.core.accounts.atHome()].map(({ jid }) => jid.toString())).toEqual(['hamlet@localhost'])
  })

  test('takes the place of what has the same id, as the newest', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    for (const [id, text] of [['a', '1'], ['b', '2'], ['a', '3']] as const) {
      await publishes(hamlet, 'musings', id, text, SERVICE)
    }

    expect(await items(horatio, 'musings', SERVICE)).toEqual(['b: 2', 'a: 3'])
  })

  test('without an id gets one, which the publisher is told', async () => {
    const { hamlet } = await hamletAndFriends()
    await creates(hamlet, 'musings')

    const answer = await hamlet.asks('set', request(`<publish node='musings'><item>${thing('x')}</item></publish>`), SERVICE)

    const id = answer?.getChild('publish')?.getChild('item')?.attrs['id']
    expect(await items(hamlet, 'musings', SERVICE)).toEqual([`${id}: x`])
  })

  test('again by a client that was cut off before the answer is answered, and told once', async () => {
    const { client } = await world()
    const hamlet = await client('hamlet@localhost/elsinore')
    const horatio = await client('horatio@localhost/court')
    await horatio.comesOnline()
    await creates(hamlet, 'musings')
    await subscribes(horatio, 'musings')
    const stanza = `<iq type='set' id='p1' to='${SERVICE}'>` +
      `${request(`<publish node='musings'><item>${thing('x')}</item></publish>`)}</iq>`
    await hamlet.sends(stanza)
    const [first = ''] = await hamlet.received()
    hamlet.leaves(false)

    const again = await client('hamlet@localhost/ship')
    await again.sends(stanza)

    const [second = ''] = await again.received()
    const idIn = (xml: string): string | undefined => /item id='([^']+)'/.exec(xml)?.[1]
    expect(idIn(second)).toBe(idIn(first))
    expect(await events(horatio)).toHaveLength(1)
    expect(await items(again, 'musings', SERVICE)).toHaveLength(1)
  })

  test.each([
    ['without an item', 'musings', '', 'bad-request'],
    ['without a payload', 'musings', "<item id='a'/>", 'bad-request'],
    ['with two payloads', 'musings', `<item id='a'>${thing('a')}${thing('b')}</item>`, 'bad-request'],
    ['with two items', 'musings', `<item id='a'>${thing('a')}</item><item id='b'>${thing('b')}</item>`, 'bad-request'],
    ['with a payload that is too big', 'musings', `<item id='a'>${thing('x'.repeat(200_000))}</item>`, 'not-acceptable'],
  ])('%s is refused (§7.1.3)', async (_, node, item, condition) => {
    const { hamlet } = await hamletAndFriends()
    await creates(hamlet, 'musings')

    const asked = hamlet.asks('set', request(`<publish node='${node}'>${item}</publish>`), SERVICE)

    await expect(asked).rejects.toThrow(condition)
    expect(await items(hamlet, 'musings', SERVICE)).toEqual([])
  })

  test.each([
    ['publishers', 'none', false], ['publishers', 'publisher', true], ['publishers', 'publish-only', true],
    ['publishers', 'member', false], ['open', 'none', true], ['open', 'outcast', false], ['subscribers', 'none', false],
  ])('by whom is up to the node: %s, %s: %s', async (model, affiliation, isAllowed) => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings', { publish_model: model })
    if (affiliation !== 'none') await affiliates(hamlet, 'musings', 'horatio@localhost', affiliation)

    const outcome = publishes(horatio, 'musings', 'a', 'x', SERVICE).then(() => true, () => false)

    expect(await outcome).toBe(isAllowed)
  })

  test('by subscribers, once they are, where they may', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings', { publish_model: 'subscribers' })
    await subscribes(horatio, 'musings')

    await publishes(horatio, 'musings', 'a', 'x', SERVICE)

    expect(await items(hamlet, 'musings', SERVICE)).toEqual(['a: x'])
  })

  test('makes the node, where its publisher may make one (§7.1.4)', async () => {
    const { hamlet, horatio } = await hamletAndFriends()

    await publishes(hamlet, 'new', 'a', 'x', SERVICE, { max_items: '1', access_model: 'open' })

    expect(await items(horatio, 'new', SERVICE)).toEqual(['a: x'])
    await expect(publishes(horatio, 'new', 'b', 'y', SERVICE)).rejects.toThrow('forbidden')
  })
})

describe('publish-options (§7.1.5)', () => {
  test.each([
    ['that are met', { max_items: '7', access_model: 'open' }, undefined],
    ['that are not', { max_items: '8' }, 'conflict'],
    ['that there are not', { nonsense: '1' }, 'conflict'],
  ])('%s let it pass, or not', async (_, options, condition) => {
    const { hamlet } = await hamletAndFriends()
    await creates(hamlet, 'musings', { max_items: '7' })

    const outcome = publishes(hamlet, 'musings', 'a', 'x', SERVICE, options as Record<string, string>)

    await (condition ? expect(outcome).rejects.toThrow(condition) : expect(outcome).resolves.toBeUndefined())
    expect(await items(hamlet, 'musings', SERVICE)).toEqual(condition ? [] : ['a: x'])
  })
})

describe('a full node (§7.1.2.5)', () => {
  test.each([
    ['retract-oldest', ['c: 3', '-a'], ['b: 2', 'c: 3']],
    ['discard-oldest', ['c: 3'], ['b: 2', 'c: 3']],
  ])('makes room: %s', async (whenFull, heard, left) => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings', { max_items: '2', publish_node_full: whenFull })
    await subscribes(horatio, 'musings')
    for (const [id, text] of [['a', '1'], ['b', '2']] as const) await publishes(hamlet, 'musings', id, text, SERVICE)
    await events(horatio)

    await publishes(hamlet, 'musings', 'c', '3', SERVICE)

    expect(await events(horatio)).toEqual(heard.map(one => `musings ${one}`))
    expect(await items(hamlet, 'musings', SERVICE)).toEqual(left)
  })

  test('refuses what is too much, where it is to: reject', async () => {
    const { hamlet } = await hamletAndFriends()
    await creates(hamlet, 'musings', { max_items: '1', publish_node_full: 'reject' })
    await publishes(hamlet, 'musings', 'a', '1', SERVICE)

    await expect(publishes(hamlet, 'musings', 'b', '2', SERVICE)).rejects.toThrow('conflict')
    await publishes(hamlet, 'musings', 'a', '3', SERVICE)

    expect(await items(hamlet, 'musings', SERVICE)).toEqual(['a: 3'])
  })
})

describe('items (§6.5)', () => {
  const RSM = 'http://jabber.org/protocol/rsm'
  const page = (content: string): string => `<set xmlns='${RSM}'>${content}</set>`

  test.each([
    ['all of them', '', ['1', '2', '3', '4', '5']],
    ['the first page', page('<max>2</max>'), ['1', '2']],
    ['the page behind an item', page('<max>2</max><after>2</after>'), ['3', '4']],
    ['the last page', page('<max>2</max><before/>'), ['4', '5']],
    ['the page before an item', page('<max>2</max><before>4</before>'), ['2', '3']],
  ])('come in pages: %s', async (_, set, ids) => {
    const { hamlet } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    for (const id of ['1', '2', '3', '4', '5']) await publishes(hamlet, 'musings', id, id, SERVICE)

    expect(await items(hamlet, 'musings', SERVICE, set)).toEqual(ids.map(id => `${id}: ${id}`))
  })

  test('tell how many there are, and the ends of the page', async () => {
    const { hamlet } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    for (const id of ['1', '2', '3']) await publishes(hamlet, 'musings', id, id, SERVICE)

    const answer = await hamlet.asks('get', request(`<items node='musings'/>${page('<max>2</max>')}`), SERVICE)

    const set = answer?.getChild('set', RSM)
    expect(['first', 'last', 'count'].map(name => set?.getChildText(name))).toEqual(['1', '2', '3'])
  })

  test('are the newest, where so many are asked for, or those that are named', async () => {
    const { hamlet } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    for (const id of ['1', '2', '3']) await publishes(hamlet, 'musings', id, id, SERVICE)
    const ask = async (payload: string): Promise<readonly (string | undefined)[]> => {
      const answer = await hamlet.asks('get', request(payload), SERVICE)
      return (answer?.getChild('items')?.getChildren('item') ?? []).map(({ attrs }) => attrs['id'])
    }

    const newest = await ask("<items node='musings' max_items='2'/>")
    const named = await ask("<items node='musings'><item id='1'/><item id='3'/><item id='none'/></items>")

    expect([newest, named]).toEqual([['2', '3'], ['1', '3']])
  })

  test('of a node that there is not are not found', async () => {
    const { hamlet } = await hamletAndFriends()

    await expect(items(hamlet, 'nothing', SERVICE)).rejects.toThrow('item-not-found')
    await expect(items(hamlet, 'nothing')).rejects.toThrow('item-not-found')
    await expect(items(hamlet, 'nothing', 'nobody@localhost')).rejects.toThrow('item-not-found')
  })

  test('are gone when they have expired', async () => {
    const { hamlet } = await hamletAndFriends()
    await creates(hamlet, 'musings', { item_expire: '1' })
    await publishes(hamlet, 'musings', 'a', 'x', SERVICE)

    await expect.poll(() => items(hamlet, 'musings', SERVICE), { timeout: 20_000 }).toEqual([])
  })
})

describe('owners (§8)', () => {
  test('take items away, all of them, and the node; subscribers hear of each', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    await subscribes(horatio, 'musings')
    for (const id of ['a', 'b']) await publishes(hamlet, 'musings', id, id, SERVICE)
    await events(horatio)

    await hamlet.asks('set', request("<retract node='musings'><item id='a'/></retract>"), SERVICE)
    const left = await items(hamlet, 'musings', SERVICE)
    await hamlet.asks('set', ownerRequest("<purge node='musings'/>"), SERVICE)
    const purged = await items(hamlet, 'musings', SERVICE)
    await hamlet.asks('set', ownerRequest("<delete node='musings'/>"), SERVICE)

    expect([left, purged]).toEqual([['b: b'], []])
    expect(await events(horatio)).toEqual(['musings -a', 'musings purge', 'musings delete'])
    await expect(items(hamlet, 'musings', SERVICE)).rejects.toThrow('item-not-found')
  })

  test.each([
    ["<configure node='musings'/>", 'get'], ["<delete node='musings'/>", 'set'], ["<purge node='musings'/>", 'set'],
    ["<affiliations node='musings'/>", 'set'],
  ] as const)('alone may do %s', async (payload, type) => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings', { publish_model: 'open' })

    await expect(horatio.asks(type, ownerRequest(payload), SERVICE)).rejects.toThrow('forbidden')
  })

  test('see the configuration as it is, and change a part of it', async () => {
    const { hamlet } = await hamletAndFriends()
    await creates(hamlet, 'musings', { title: 'Musings', max_items: '5' })

    await configures(hamlet, 'musings', { max_items: 'max', roster_groups_allowed: ['a', 'b'] }, SERVICE)

    const form = await hamlet.asks('get', ownerRequest("<configure node='musings'/>"), SERVICE)
    const valueOf = (name: string): string | undefined =>
      new RegExp(`var='pubsub#${name}'[^>]*>((?:<value>[^<]*</value>)*)`).exec(form?.toString() ?? '')?.[1]
    expect([valueOf('title'), valueOf('max_items'), valueOf('roster_groups_allowed')]).toEqual(
      ['<value>Musings</value>', '<value>max</value>', '<value>a</value><value>b</value>'])
  })

  test('take away what is too much by setting how much is kept', async () => {
    const { hamlet } = await hamletAndFriends()
    await creates(hamlet, 'musings', { max_items: '5' })
    for (const id of ['a', 'b', 'c']) await publishes(hamlet, 'musings', id, id, SERVICE)

    await configures(hamlet, 'musings', { max_items: '2' }, SERVICE)
    const fewer = await items(hamlet, 'musings', SERVICE)
    await configures(hamlet, 'musings', { persist_items: '0' }, SERVICE)
    await configures(hamlet, 'musings', { persist_items: '1' }, SERVICE)

    expect(fewer).toEqual(['b: b', 'c: c'])
    expect(await items(hamlet, 'musings', SERVICE)).toEqual([])
  })

  test('are not without one', async () => {
    const { hamlet } = await hamletAndFriends()
    await creates(hamlet, 'musings')

    await expect(affiliates(hamlet, 'musings', 'hamlet@localhost', 'none')).rejects.toThrow('not-acceptable')
  })

  test('have nodes without a name of their own (§8.1)', async () => {
    const { hamlet } = await hamletAndFriends()

    const answer = await hamlet.asks('set', request('<create/>'), SERVICE)

    const node = answer?.getChild('create')?.attrs['node'] ?? ''
    expect(await items(hamlet, node, SERVICE)).toEqual([])
    await expect(creates(hamlet, node)).rejects.toThrow('conflict')
  })

  test('are no strangers: those who may not create nodes', async () => {
    const { guest } = await world()
    const stranger = await guest('stranger@localhost/x')

    await expect(creates(stranger, 'musings')).rejects.toThrow('forbidden')
  })
})

describe('service discovery (§5)', () => {
  const INFO = 'http://jabber.org/protocol/disco#info'
  const ITEMS = 'http://jabber.org/protocol/disco#items'

  test('finds the service, its nodes, what each is, and its items', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings', { title: 'Musings' })
    await creates(hamlet, 'secrets', { access_model: 'whitelist' })
    await publishes(hamlet, 'musings', 'a', 'x', SERVICE)

    const services = await horatio.asks('get', `<query xmlns='${ITEMS}'/>`, 'localhost')
    const service = await horatio.asks('get', `<query xmlns='${INFO}'/>`, SERVICE)
    const nodes = await horatio.asks('get', `<query xmlns='${ITEMS}'/>`, SERVICE)
    const node = await horatio.asks('get', `<query xmlns='${INFO}' node='musings'/>`, SERVICE)
    const found = await horatio.asks('get', `<query xmlns='${ITEMS}' node='musings'/>`, SERVICE)

    expect(services?.toString()).toContain(`jid='${SERVICE}'`)
    expect(service?.toString()).toMatch(/<identity category='pubsub' type='service'\/>.*pubsub#publish'/)
    expect(nodes?.getChildren('item').map(({ attrs }) => [attrs['node'], attrs['name']])).toEqual([['musings', 'Musings']])
    expect(node?.toString()).toMatch(/<identity category='pubsub' type='leaf' name='Musings'\/>.*pubsub#meta-data/)
    expect(found?.getChildren('item').map(({ attrs }) => [attrs['name'], attrs['node']])).toEqual([['a', undefined]])
    await expect(horatio.asks('get', `<query xmlns='${INFO}' node='secrets'/>`, SERVICE)).rejects.toThrow('item-not-found')
  })
})

test('nodes and what is in them end with the account whose they are', async () => {
  const { client, core, db } = await world()
  const hamlet = await client('hamlet@localhost/elsinore')
  const horatio = await client('horatio@localhost/court')
  await creates(hamlet, 'musings')
  await creates(horatio, 'letters')
  await subscribes(hamlet, 'letters')
  await affiliates(horatio, 'letters', 'hamlet@localhost', 'member')
  await publishes(hamlet, 'mood', 'current', 'gloomy')

  await core.commands.remove(hamlet.session.account.jid)

  expect(await db.query('select node from pubsub_node')).toEqual([{ node: 'letters' }])
  const members = await horatio.asks('get', ownerRequest("<affiliations node='letters'/>"), SERVICE)
  const subscribers = await horatio.asks('get', ownerRequest("<subscriptions node='letters'/>"), SERVICE)
  expect([members, subscribers].map(one => one?.toString().includes('hamlet'))).toEqual([false, false])
})

test('what one process remembers of a node gives way to what another has made of it', async () => {
  const { client, db } = await world()
  const hamlet = await client('hamlet@localhost/elsinore')
  const horatio = await client('horatio@localhost/court')
  await creates(hamlet, 'musings')
  await publishes(hamlet, 'musings', 'a', 'x', SERVICE)
  await items(horatio, 'musings', SERVICE)

  await db.query(`update pubsub_node set config = config || '{"access_model": ["whitelist"], "publish_model": ["open"]}',
    access = 'whitelist', version = nextval('pubsub_version')`)

  await expect(items(horatio, 'musings', SERVICE)).rejects.toThrow('not-allowed')
  await expect(horatio.asks('set', publication('musings', 'b', 'y'), SERVICE)).resolves.toBeDefined()
})
