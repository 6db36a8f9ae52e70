/** XEP-0163: nodes of accounts. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { blocking } from '../../extensions/blocking/index.ts'
import {
  affiliates, configures, creates, events, items, ownerRequest, publishes, request, subscribes as subscribesTo, wants,
} from '../../test/support/world/nodes.ts'
import { subscribes } from '../../test/support/world/online.ts'
import { software } from '../../test/support/world/software.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, Extensions, World } from '../../test/support/world/world.ts'

const TUNE = 'http://jabber.org/protocol/tune'
const MOOD = 'http://jabber.org/protocol/mood'

interface Verona { readonly server: World, readonly juliet: Client, readonly romeo: Client, readonly tybalt: Client }

/** Juliet, who sees Romeo's presence as he sees hers, and Tybalt, who sees nobody's. */
async function verona (...extensions: Extensions): Promise<Verona> {
  const server = await world(...extensions)
  const juliet = await server.client('juliet@localhost/balcony')
  const romeo = await server.client('romeo@localhost/orchard')
  const tybalt = await server.client('tybalt@localhost/street')
  for (const one of [juliet, romeo, tybalt]) await one.comesOnline()
  await subscribes(romeo, juliet)
  await subscribes(juliet, romeo)
  return { server, juliet, romeo, tybalt }
}

describe('an event of an account (§4)', () => {
  test('is for its own devices and its contacts, of those the ones that want it', async () => {
    const { server, juliet, romeo, tybalt } = await verona()
    const phone = await server.client('romeo@localhost/phone')
    const chamber = await server.client('juliet@localhost/chamber')
    await wants(juliet, TUNE)
    await wants(chamber, MOOD)
    await wants(romeo, TUNE, MOOD)
    await wants(phone, MOOD)
    await wants(tybalt, TUNE)

    await publishes(juliet, TUNE, 'a', 'Allegro')

    expect(await Promise.all([juliet, chamber, romeo, phone, tybalt].map(events))).toEqual(
      [[`${TUNE} a: Allegro`], [], [`${TUNE} a: Allegro`], [], []])
  })

  test('comes from the account, to a full address, in a headline, with the device that it is from (§4.3.1)', async () => {
    const { juliet, romeo } = await verona()
    await wants(romeo, TUNE)

    await publishes(juliet, TUNE, 'a', 'Allegro')

    const [event = ''] = await romeo.received()
    expect(event).toMatch(/^<message from='juliet@localhost' to='romeo@localhost\/orchard' id='[^']+' type='headline'>/)
    expect(event).toContain("<address type='replyto' jid='juliet@localhost/balcony'/>")
  })

  test('reaches a device whatever its priority', async () => {
    const { juliet, romeo } = await verona()
    await wants(romeo, TUNE)
    await romeo.sends(`<presence><priority>-1</priority>${software(TUNE).c}</presence>`)
    await romeo.received()

    await publishes(juliet, TUNE, 'a', 'Allegro')

    expect(await events(romeo)).toEqual([`${TUNE} a: Allegro`])
  })

  test('is told where items go, or the node', async () => {
    const { juliet, romeo } = await verona()
    await wants(romeo, TUNE)
    await publishes(juliet, TUNE, 'a', 'Allegro')
    await events(romeo)

    await juliet.asks('set', request(`<retract node='${TUNE}' notify='1'><item id='a'/></retract>`))
    await juliet.asks('set', ownerRequest(`<purge node='${TUNE}'/>`))
    await juliet.asks('set', ownerRequest(`<delete node='${TUNE}'/>`))

    expect(await events(romeo)).toEqual([`${TUNE} -a`, `${TUNE} purge`, `${TUNE} delete`])
  })

  test('reaches nobody who is blocked, and nobody who blocks', async () => {
    const { juliet, romeo } = await verona(blocking)
    await subscribes(juliet, romeo)
    await wants(romeo, TUNE)
    await wants(juliet, TUNE)
    await juliet.asks('set', "<block xmlns='urn:xmpp:blocking'><item jid='romeo@localhost'/></block>")
    await romeo.received()

    await publishes(juliet, TUNE, 'a', 'Allegro')
    await publishes(romeo, TUNE, 'b', 'Adagio')

    expect(await events(romeo)).toEqual([`${TUNE} b: Adagio`])
    expect(await events(juliet)).toEqual([`${TUNE} a: Allegro`])
  })

  test('loads no account of a contact who is away', async () => {
    const { server, juliet } = await verona()
    await server.client('nurse@localhost/kitchen').then(async nurse => {
      await subscribes(nurse, juliet)
      nurse.closes()
    })
    const again = await server.restarts()
    const back = await again.client('juliet@localhost/balcony')

    await publishes(back, TUNE, 'a', 'Allegro')

    expect([...again.core.accounts.atHome()].map(({ jid }) => jid.toString())).toEqual(['juliet@localhost'])
  })

  test('goes to who has subscribed, once, whatever the client wants', async () => {
    const { juliet, romeo, tybalt } = await verona()
    await creates(juliet, TUNE, { access_model: 'open' }, 'juliet@localhost')
    await subscribesTo(tybalt, TUNE, 'juliet@localhost')
    await subscribesTo(romeo, TUNE, 'juliet@localhost')
    await wants(romeo, TUNE)

    await publishes(juliet, TUNE, 'a', 'Allegro')

    expect(await events(tybalt)).toEqual([`${TUNE} a: Allegro`])
    expect(await events(romeo)).toEqual([`${TUNE} a: Allegro`])
  })
})

describe('the last items (§4.3.4)', () => {
  test('come to a device that comes online, of all whom it sees, and of its own account', async () => {
    const { juliet, romeo } = await verona()
    await publishes(juliet, TUNE, 'a', 'Allegro')
    await publishes(juliet, TUNE, 'b', 'Adagio')
    await publishes(romeo, TUNE, 'c', 'Largo')
    await publishes(juliet, MOOD, 'd', 'happy')

    const heard = await wants(romeo, TUNE)

    expect(heard).toEqual([`${TUNE} b: Adagio (late)`, `${TUNE} c: Largo (late)`])
  })

  test('come once, and again when the client wants more, of what is new', async () => {
    const { juliet, romeo } = await verona()
    await publishes(juliet, TUNE, 'a', 'Allegro')
    await publishes(juliet, MOOD, 'd', 'happy')
    await wants(romeo, TUNE)

    const again = await wants(romeo, TUNE)
    const more = await wants(romeo, TUNE, MOOD)

    expect(again).toEqual([])
    expect(more).toEqual([`${MOOD} d: happy (late)`])
  })

  test.each([
    ['presence', {}, true], ['open', { access_model: 'open' }, true],
    ['roster', { access_model: 'roster', roster_groups_allowed: 'Lovers' }, true],
    ['roster, another group', { access_model: 'roster', roster_groups_allowed: 'Foes' }, false],
    ['whitelist', { access_model: 'whitelist' }, false], ['authorize', { access_model: 'authorize' }, false],
    ['never', { send_last_published_item: 'never' }, false],
  ])('and events are for those whom the access model lets have them: %s', async (_, options, isForHim) => {
    const { juliet, romeo } = await verona()
    await juliet.asks('set', "<query xmlns='jabber:iq:roster'><item jid='romeo@localhost'><group>Lovers</group></item></query>")
    await creates(juliet, TUNE, options as Record<string, string>, 'juliet@localhost')
    await publishes(juliet, TUNE, 'a', 'Allegro')

    const last = await wants(romeo, TUNE)
    await publishes(juliet, TUNE, 'b', 'Adagio')

    expect(last).toEqual(isForHim ? [`${TUNE} a: Allegro (late)`] : [])
    if (!('send_last_published_item' in options)) {
      expect(await events(romeo)).toEqual(isForHim ? [`${TUNE} b: Adagio`] : [])
    }
  })

  test('and events are for members of a whitelist', async () => {
    const { juliet, romeo } = await verona()
    await creates(juliet, TUNE, { access_model: 'whitelist' }, 'juliet@localhost')
    await affiliates(juliet, TUNE, 'romeo@localhost', 'member', 'juliet@localhost')
    await publishes(juliet, TUNE, 'a', 'Allegro')

    const last = await wants(romeo, TUNE)
    await publishes(juliet, TUNE, 'b', 'Adagio')

    expect([last, await events(romeo)]).toEqual([[`${TUNE} a: Allegro (late)`], [`${TUNE} b: Adagio`]])
  })

  test('are not those of who has blocked them', async () => {
    const { juliet, romeo } = await verona(blocking)
    await publishes(juliet, TUNE, 'a', 'Allegro')
    await juliet.asks('set', "<block xmlns='urn:xmpp:blocking'><item jid='romeo@localhost'/></block>")

    expect(await wants(romeo, TUNE)).toEqual([])
  })
})

describe('a node of an account (§3, §5)', () => {
  test('is made by the first item, for contacts, and has one item', async () => {
    const { juliet, romeo, tybalt } = await verona()

    await publishes(juliet, TUNE, 'a', 'Allegro')
    await publishes(juliet, TUNE, 'b', 'Adagio')

    expect(await items(juliet, TUNE)).toEqual(['b: Adagio'])
    expect(await items(romeo, TUNE, 'juliet@localhost')).toEqual(['b: Adagio'])
    await expect(items(tybalt, TUNE, 'juliet@localhost')).rejects.toThrow('not-authorized')
  })

  test('is made as the publisher demands', async () => {
    const { juliet, tybalt } = await verona()

    await publishes(juliet, 'urn:bundle', 'a', '1', undefined, { access_model: 'open', max_items: 'max' })
    await publishes(juliet, 'urn:bundle', 'b', '2', undefined, { access_model: 'open', max_items: 'max' })

    expect(await items(tybalt, 'urn:bundle', 'juliet@localhost')).toEqual(['a: 1', 'b: 2'])
    await expect(publishes(juliet, 'urn:bundle', 'c', '3', undefined, { access_model: 'whitelist' })).rejects.toThrow(
      'conflict')
  })

  test('is nobody else\'s', async () => {
    const { juliet, romeo } = await verona()
    await publishes(juliet, TUNE, 'a', 'Allegro')

    await expect(publishes(romeo, TUNE, 'b', 'Adagio', 'juliet@localhost')).rejects.toThrow('forbidden')
    await expect(publishes(romeo, MOOD, 'b', 'sad', 'juliet@localhost')).rejects.toThrow('forbidden')
    await expect(configures(romeo, TUNE, { access_model: 'open' }, 'juliet@localhost')).rejects.toThrow('forbidden')
  })

  test('is not for anonymous accounts', async () => {
    const { server } = await verona()
    const guest = await server.guest('guest@localhost/x')

    await expect(publishes(guest, TUNE, 'a', 'Allegro')).rejects.toThrow('not-allowed')
  })

  test('is open to a contact no more when he is one no more', async () => {
    const { juliet, romeo } = await verona()
    await publishes(juliet, TUNE, 'a', 'Allegro')

    await juliet.sends("<presence type='unsubscribed' to='romeo@localhost'/>")

    await expect(items(romeo, TUNE, 'juliet@localhost')).rejects.toThrow('not-authorized')
  })

  test('ends a subscription with the contact that it came from (§7.1)', async () => {
    const { juliet, romeo } = await verona()
    await creates(juliet, TUNE, {}, 'juliet@localhost')
    await subscribesTo(romeo, TUNE, 'juliet@localhost')

    await juliet.sends("<presence type='unsubscribed' to='romeo@localhost'/>")
    await publishes(juliet, TUNE, 'a', 'Allegro')

    expect(await events(romeo)).toEqual([`${TUNE} subscription none`])
  })

  test('sends its last item to a new contact', async () => {
    const { juliet, tybalt } = await verona()
    await publishes(juliet, TUNE, 'a', 'Allegro')
    await wants(tybalt, TUNE)

    await tybalt.sends("<presence type='subscribe' to='juliet@localhost'/>")
    await juliet.sends("<presence type='subscribed' to='tybalt@localhost'/>")

    expect(await events(tybalt)).toEqual([`${TUNE} a: Allegro (late)`])
  })
})

describe('service discovery (§6)', () => {
  test('shows a service at each account, and the nodes that are for the asker', async () => {
    const { juliet, romeo, tybalt } = await verona()
    await publishes(juliet, TUNE, 'a', 'Allegro')
    await publishes(juliet, 'urn:open', 'a', 'x', undefined, { access_model: 'open' })
    await publishes(juliet, 'urn:closed', 'a', 'x', undefined, { access_model: 'whitelist' })
    const nodes = async (asker: Client): Promise<readonly (string | undefined)[]> => {
      const answer = await asker.asks('get', "<query xmlns='http://jabber.org/protocol/disco#items'/>", 'juliet@localhost')
      return (answer?.getChildren('item') ?? []).map(({ attrs }) => attrs['node'])
    }

    const info = await juliet.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>")

    expect(info?.toString()).toMatch(/<identity category='pubsub' type='pep'\/>.*pubsub#auto-create'/)
    expect(await Promise.all([juliet, romeo, tybalt].map(nodes))).toEqual(
      [[TUNE, 'urn:closed', 'urn:open'], [TUNE, 'urn:open'], ['urn:open']])
  })
})

test('a payload may be large, and have many elements', async () => {
  const { juliet } = await verona()
  const payload = `<a xmlns='urn:a'>${'<b/>'.repeat(10_000)}</a>`

  await juliet.asks('set', request(`<publish node='urn:a'><item id='a'>${payload}</item></publish>`))

  await juliet.sends(`<iq type='get' id='g'>${request("<items node='urn:a'/>")}</iq>`)
  const [answer = ''] = (await juliet.received()).filter(xml => xml.startsWith('<iq'))
  expect(answer).toContain(payload)
})

test('a last item that waits for its turn does not come behind what has taken its place, and waits before it', async () => {
  const { server, juliet, romeo } = await verona()
  await publishes(juliet, TUNE, 'a', 'Allegro')
  await wants(romeo, MOOD)
  const turn = Promise.withResolvers<void>()
  const read = Promise.withResolvers<void>()
  const withheld = Promise.withResolvers<void>()
  server.core.pubsub.addWithholding(async () => {
    withheld.resolve()
    await read.promise
    return new Set()
  })
  const both = wants(romeo, MOOD, TUNE)
  await withheld.promise

  const isTurnOver = server.core.accounts.turns.inTurn('romeo@localhost', () => turn.promise)
  await publishes(juliet, TUNE, 'b', 'Adagio')
  read.resolve()
  await nextTurn()
  turn.resolve()
  await isTurnOver

  expect([...await both, ...await events(romeo)]).toEqual([`${TUNE} b: Adagio`])
})

test('a last item does not come behind what has taken its place meanwhile', async () => {
  const { server, juliet, romeo } = await verona()
  await publishes(juliet, TUNE, 'a', 'Allegro')
  await wants(romeo, MOOD)
  const reading = Promise.withResolvers<void>()
  const withheld = Promise.withResolvers<void>()
  server.core.pubsub.addWithholding(async () => {
    withheld.resolve()
    await reading.promise
    return new Set()
  })

  const both = wants(romeo, MOOD, TUNE)
  await withheld.promise // it is read, and not sent
  await publishes(juliet, TUNE, 'b', 'Adagio')
  reading.resolve()

  expect([...await both, ...await events(romeo)]).toEqual([`${TUNE} b: Adagio`])
})
