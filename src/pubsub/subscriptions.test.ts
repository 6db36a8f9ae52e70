/** XEP-0060: who may read a node, and subscriptions to it. */
import { describe, expect, test } from 'vitest'
import {
  affiliates, configures, creates, events, filled, hamletAndFriends, items, ownerRequest, publishes, request, SERVICE,
  subscribes,
} from '../../test/support/world/nodes.ts'

describe('access models (§4.5)', () => {
  test.each([
    ['open', 'none', undefined], ['open', 'outcast', 'forbidden'], ['open', 'publish-only', 'forbidden'],
    ['whitelist', 'none', 'not-allowed'], ['whitelist', 'member', undefined], ['authorize', 'none', 'not-authorized'],
    ['authorize', 'member', undefined], ['presence', 'none', 'not-authorized'], ['roster', 'none', 'not-authorized'],
    ['presence', 'publisher', undefined],
  ])('%s, for %s', async (model, affiliation, condition) => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings', { access_model: model })
    await publishes(hamlet, 'musings', 'a', 'x', SERVICE)
    if (affiliation !== 'none') await affiliates(hamlet, 'musings', 'horatio@localhost', affiliation)

    const read = items(horatio, 'musings', SERVICE)

    await (condition ? expect(read).rejects.toThrow(condition) : expect(read).resolves.toEqual(['a: x']))
  })

  test('a whitelist that comes later ends subscriptions, and tells', async () => {
    const { hamlet, horatio, ophelia } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    await subscribes(horatio, 'musings')
    await subscribes(ophelia, 'musings')
    await affiliates(hamlet, 'musings', 'ophelia@localhost', 'member')

    await configures(hamlet, 'musings', { access_model: 'whitelist' }, SERVICE)
    await publishes(hamlet, 'musings', 'a', 'x', SERVICE)

    expect(await events(horatio)).toEqual(['musings subscription none'])
    expect(await events(ophelia)).toEqual(['musings a: x'])
  })

  test('authorize: an owner is asked, and decides (§8.6)', async () => {
    const { hamlet, horatio, ophelia } = await hamletAndFriends()
    await creates(hamlet, 'musings', { access_model: 'authorize' })
    const states = [await subscribes(horatio, 'musings'), await subscribes(ophelia, 'musings')]
    const asked = (await hamlet.received()).filter(xml => xml.includes('subscribe_authorization'))
    const answer = (jid: string, allow: string): string => `<message to='${SERVICE}'>${
      filled('subscribe_authorization', { node: 'musings', subscriber_jid: jid, allow })}</message>`

    await hamlet.sends(answer('horatio@localhost', 'true'))
    await hamlet.sends(answer('ophelia@localhost', '0'))
    await publishes(hamlet, 'musings', 'a', 'x', SERVICE)

    expect(states).toEqual(['pending', 'pending'])
    expect(asked).toHaveLength(2)
    expect(await events(horatio)).toEqual(['musings subscription subscribed', 'musings a: x'])
    expect(await events(ophelia)).toEqual(['musings subscription none'])
    await expect(items(ophelia, 'musings', SERVICE)).rejects.toThrow('not-authorized')
  })

  test('authorize: an owner may ask for what waits, and is asked again (§8.7)', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings', { access_model: 'authorize' })
    await subscribes(horatio, 'musings')
    await hamlet.received()
    const command = (content: string): string => "<command xmlns='http://jabber.org/protocol/commands' " +
      `node='http://jabber.org/protocol/pubsub#get-pending'>${content}</command>`

    const offered = await hamlet.asks('set', command(''), SERVICE)
    const toOthers = await horatio.asks('set', command(''), SERVICE)
    await hamlet.asks('set', command(filled('subscribe_authorization', { node: 'musings' })), SERVICE)

    expect(offered?.toString()).toContain("<option label='musings'>")
    expect(toOthers?.toString()).not.toContain('musings')
    expect((await hamlet.received()).join()).toMatch(/subscriber_jid.*horatio@localhost/)
    await expect(horatio.asks('set', command(filled('subscribe_authorization', { node: 'musings' })), SERVICE))
      .rejects.toThrow('forbidden')
  })

  test('authorize: nobody but an owner decides', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings', { access_model: 'authorize' })
    await subscribes(horatio, 'musings')

    await horatio.sends(`<message to='${SERVICE}'>${
      filled('subscribe_authorization', { node: 'musings', subscriber_jid: 'horatio@localhost', allow: '1' })}</message>`)

    expect((await horatio.received()).join()).toContain('forbidden')
    await expect(items(horatio, 'musings', SERVICE)).rejects.toThrow('not-authorized')
  })
})

describe('subscriptions (§6)', () => {
  test('are of the sender\'s own addresses', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings')

    const foreign = horatio.asks('set', request("<subscribe node='musings' jid='hamlet@localhost'/>"), SERVICE)
    const strange = horatio.asks('set', request("<unsubscribe node='musings' jid='hamlet@localhost'/>"), SERVICE)

    await expect(foreign).rejects.toThrow('bad-request')
    await expect(strange).rejects.toThrow('forbidden')
  })

  test('end when they are told to', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    await subscribes(horatio, 'musings')
    const unsubscribe = (): Promise<unknown> =>
      horatio.asks('set', request("<unsubscribe node='musings' jid='horatio@localhost'/>"), SERVICE)

    await unsubscribe()
    await publishes(hamlet, 'musings', 'a', 'x', SERVICE)

    expect(await events(horatio)).toEqual([])
    await expect(unsubscribe()).rejects.toThrow('unexpected-request')
  })

  test('begin with the last item, late (§6.1.7)', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    await publishes(hamlet, 'musings', 'a', '1', SERVICE)
    await publishes(hamlet, 'musings', 'b', '2', SERVICE)

    await subscribes(horatio, 'musings')

    expect(await events(horatio)).toEqual(['musings b: 2 (late)'])
  })

  test('have options, with which events stop (§6.3)', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    await subscribes(horatio, 'musings')
    const attributes = "node='musings' jid='horatio@localhost'"

    await horatio.asks('set', request(`<options ${attributes}>${
      filled('subscribe_options', { deliver: '0' })}</options>`), SERVICE)
    await publishes(hamlet, 'musings', 'a', 'x', SERVICE)

    const shown = await horatio.asks('get', request(`<options ${attributes}/>`), SERVICE)
    expect(await events(horatio)).toEqual([])
    expect(shown?.toString()).toMatch(/pubsub#deliver'[^>]*><value>0</)
    await expect(horatio.asks('get', request("<options node='musings'/>"), SERVICE)).rejects.toThrow('bad-request')
  })

  test('can\'t be had for somebody who has not asked for it, by owners either', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    await horatio.received()
    const list = (jid: string): string => ownerRequest(
      `<subscriptions node='musings'><subscription jid='${jid}' subscription='subscribed'/></subscriptions>`)

    await expect(hamlet.asks('set', list('horatio@localhost'), SERVICE)).rejects.toThrow('not-allowed')
    await hamlet.asks('set', list('hamlet@localhost'), SERVICE)
    await publishes(hamlet, 'musings', '1', 'to be', SERVICE)

    expect(await events(horatio)).toEqual([])
    expect((await events(hamlet)).at(-1)).toBe('musings 1: to be')
  })

  test('are listed for who has them, and for owners; affiliations, too (§5.6, §5.7, §8.8)', async () => {
    const { hamlet, horatio } = await hamletAndFriends()
    await creates(hamlet, 'musings')
    await affiliates(hamlet, 'musings', 'horatio@localhost', 'publisher')
    await subscribes(horatio, 'musings')

    const own = await horatio.asks('get', request('<subscriptions/>'), SERVICE)
    const affiliations = await horatio.asks('get', request('<affiliations/>'), SERVICE)
    const all = await hamlet.asks('get', ownerRequest("<subscriptions node='musings'/>"), SERVICE)
    const members = await hamlet.asks('get', ownerRequest("<affiliations node='musings'/>"), SERVICE)

    expect(own?.getChild('subscriptions')?.getChild('subscription')?.attrs).toMatchObject(
      { node: 'musings', jid: 'horatio@localhost', subscription: 'subscribed' })
    expect(affiliations?.getChild('affiliations')?.getChild('affiliation')?.attrs).toMatchObject(
      { node: 'musings', affiliation: 'publisher' })
    expect(all?.toString()).toContain("jid='horatio@localhost' subscription='subscribed'")
    expect(members?.toString()).toMatch(/hamlet@localhost' affiliation='owner'.*horatio@localhost' affiliation='publisher'/)
    await expect(horatio.asks('get', ownerRequest("<affiliations node='musings'/>"), SERVICE)).rejects.toThrow('forbidden')
  })
})
