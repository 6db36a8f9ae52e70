/** XEP-0402, XEP-0048, XEP-0411: bookmarks that a client keeps in one way are there in the others. */
import { describe, expect, test } from 'vitest'
import { configures, filled, request, wants } from '../../test/support/world/nodes.ts'
import { start, world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { privateStorage } from '../private-storage/index.ts'
import { bookmarks } from './index.ts'

const NS = 'urn:xmpp:bookmarks:1'
const LIST = 'storage:bookmarks'
const PRIVATE = 'jabber:iq:private'
const PLAY = 'play@conference.localhost'
const ORCHARD = 'orchard@conference.localhost'

/** A room of a list. */
function room (jid: string, more = ''): string {
  return `<conference jid='${jid}' name='Play' autojoin='true'>${more}</conference>`
}

async function publishes (client: Client, jid: string, content = '', name = 'Play'): Promise<void> {
  await client.asks('set', request(`<publish node='${NS}'><item id='${jid}'>` +
    `<conference xmlns='${NS}' name='${name}' autojoin='1'>${content}</conference></item></publish>`))
}

async function publishesList (client: Client, ...rooms: readonly string[]): Promise<void> {
  await client.asks('set', request(`<publish node='${LIST}'><item id='current'>` +
    `<storage xmlns='${LIST}'>${rooms.join('')}</storage></item></publish>`))
}

async function stores (client: Client, ...rooms: readonly string[]): Promise<void> {
  await client.asks('set', `<query xmlns='${PRIVATE}'><storage xmlns='${LIST}'>${rooms.join('')}</storage></query>`)
}

async function retracts (client: Client, jid: string): Promise<void> {
  await client.asks('set', request(`<retract node='${NS}' notify='1'><item id='${jid}'/></retract>`))
}

/** The children of the list in private data. */
async function stored (client: Client): Promise<readonly string[]> {
  const answer = await client.asks('get', `<query xmlns='${PRIVATE}'><storage xmlns='${LIST}'/></query>`)
  return (answer?.getChild('storage', LIST)?.getChildElements() ?? []).map(one => one.toString(LIST))
}

/** Those of the list in its node; nothing where that is not there. */
async function published ({ idle }: World, client: Client): Promise<readonly string[]> {
  await idle()
  const answer = await client.asks('get', request(`<items node='${LIST}'/>`)).catch(() => undefined)
  const storage = answer?.getChild('items')?.getChild('item')?.getChild('storage', LIST)
  return (storage?.getChildElements() ?? []).map(one => one.toString(LIST))
}

/** The items of rooms, by their ids. */
async function items ({ idle }: World, client: Client): Promise<Readonly<Record<string, string>>> {
  await idle()
  const answer = await client.asks('get', request(`<items node='${NS}'/>`)).catch(() => undefined)
  const all = answer?.getChild('items')?.getChildren('item') ?? []
  return Object.fromEntries(all.map(item => [item.attrs['id'], String(item.getChild('conference', NS)?.toString(NS))]))
}

const ITEM = "<conference name='Play' autojoin='true'/>"

async function romeoAlone (): Promise<{ server: World, romeo: Client }> {
  const server = await world(privateStorage, bookmarks)
  return { server, romeo: await server.client('romeo@localhost/orchard') }
}

describe("a room's notification settings (XEP-0492)", () => {
  const settings = "<notify xmlns='urn:xmpp:notification-settings:1'><never identity-category='client' " +
    "identity-type='phone'/><on-mention><advanced><rule xmlns='urn:example:rules' when='&quot;night&quot; &amp; day'>" +
    "x &lt; y<b/> <c xmlns='urn:example:c'/></rule></advanced></on-mention></notify>"
  const item = `<conference name='Play' autojoin='true'><extensions>${settings}</extensions></conference>`

  test('stay as they were where an older client rewrites either list without them', async () => {
    const { server, romeo } = await romeoAlone()
    await publishes(romeo, PLAY, `<extensions>${settings}</extensions>`)
    await server.idle()

    await stores(romeo, room(PLAY, '<nick>R</nick>'))
    const [afterStored] = Object.values(await items(server, romeo))
    await publishesList(romeo, room(PLAY), room(ORCHARD))
    const { [PLAY]: afterPublished } = await items(server, romeo)

    expect(afterStored).toBe(item.replace('<extensions>', '<nick>R</nick><extensions>'))
    expect(afterPublished).toBe(item)
  })

  test('are in the lists as they are in the item, and can be changed there', async () => {
    const { server, romeo } = await romeoAlone()
    await publishes(romeo, PLAY, `<extensions>${settings}</extensions>`)

    expect(await stored(romeo)).toEqual([room(PLAY, settings)])
    expect(await published(server, romeo)).toEqual([room(PLAY, settings)])
    await stores(romeo, room(PLAY, settings.replace('<never', '<always')))
    expect(await items(server, romeo)).toEqual({ [PLAY]: item.replace('<never', '<always') })
  })
})

describe('a room that is bookmarked', () => {
  test('as an item is in both lists (XEP-0402 §5.3.1)', async () => {
    const { server, romeo } = await romeoAlone()

    await publishes(romeo, PLAY, '<nick>R</nick>')

    expect(await stored(romeo)).toEqual([room(PLAY, '<nick>R</nick>')])
    expect(await published(server, romeo)).toEqual([room(PLAY, '<nick>R</nick>')])
  })

  test('in private data is an item, and in the list of the node (XEP-0402 §5.3.2, XEP-0411 §3)', async () => {
    const { server, romeo } = await romeoAlone()

    await stores(romeo, room(PLAY))

    expect(await items(server, romeo)).toEqual({ [PLAY]: ITEM })
    expect(await published(server, romeo)).toEqual([room(PLAY).replace('></conference>', '/>')])
  })

  test('in the list of the node is an item, and in private data (XEP-0411 §3)', async () => {
    const { server, romeo } = await romeoAlone()

    await publishesList(romeo, room(PLAY))

    expect(await items(server, romeo)).toEqual({ [PLAY]: ITEM })
    expect(await stored(romeo)).toEqual([room(PLAY).replace('></conference>', '/>')])
  })
})

describe('a bookmark that goes', () => {
  test('as an item goes from the lists', async () => {
    const { server, romeo } = await romeoAlone()
    await publishes(romeo, PLAY)
    await publishes(romeo, ORCHARD)

    await retracts(romeo, PLAY)

    expect((await stored(romeo)).map(one => one.includes(PLAY))).toEqual([false])
    expect((await published(server, romeo)).map(one => one.includes(PLAY))).toEqual([false])
  })

  test.each([['in private data', stores], ['in the node', publishesList]])(
    'from the list %s goes everywhere', async (_, writes) => {
      const { server, romeo } = await romeoAlone()
      await publishes(romeo, PLAY)
      await publishes(romeo, ORCHARD)
      await server.idle()

      await writes(romeo, room(ORCHARD))

      expect(Object.keys(await items(server, romeo))).toEqual([ORCHARD])
      expect((await stored(romeo)).map(one => one.includes(ORCHARD))).toEqual([true])
      expect((await published(server, romeo)).map(one => one.includes(ORCHARD))).toEqual([true])
    })
})

test('clients hear of what has changed in a list, and of nothing else (XEP-0402 §5.3.2, XEP-0411 §3)', async () => {
  const { server, romeo } = await romeoAlone()
  const garden = await server.client('romeo@localhost/garden')
  const balcony = await server.client('romeo@localhost/balcony')
  await stores(romeo, room(PLAY), room(ORCHARD))
  await wants(garden, NS)
  await wants(balcony, LIST)

  await stores(romeo, room(PLAY), room(ORCHARD, '<nick>R</nick>'))

  const heard = (await garden.received()).filter(xml => xml.startsWith('<message'))
  expect(heard).toHaveLength(1)
  expect(heard[0]).toContain(`<item id='${ORCHARD}'>`)
  expect((await balcony.received()).filter(xml => xml.includes(`node='${LIST}'`))).toHaveLength(1)
})

test('extensions of an item outlive a client that knows the list only (XEP-0402 §3.4)', async () => {
  const { server, romeo } = await romeoAlone()
  const state = "<state xmlns='urn:example:state' minimized='true'/>"
  await publishes(romeo, PLAY, `<extensions>${state}</extensions>`)
  await server.idle()

  await stores(romeo, room(PLAY, '<nick>R</nick>'))

  expect((await items(server, romeo))[PLAY]).toBe(
    `<conference name='Play' autojoin='true'><nick>R</nick><extensions>${state}</extensions></conference>`,
  )
})

test('pages of a list outlive changes of items', async () => {
  const { server, romeo } = await romeoAlone()
  const page = "<url name='Works' url='http://the-tech.mit.edu/Shakespeare/'/>"
  await stores(romeo, page)

  await publishes(romeo, PLAY)

  expect((await stored(romeo))[0]).toBe(page)
  expect((await published(server, romeo))[0]).toBe(page)
})

test('bookmarks from before are there in all ways (XEP-0411 §4)', async () => {
  const before = await world(privateStorage)
  await stores(await before.client('romeo@localhost/orchard'), room(PLAY))
  await before.core.unload()
  const server = await start([privateStorage, bookmarks])

  const romeo = await server.client('romeo@localhost/orchard')

  expect(await items(server, romeo)).toEqual({ [PLAY]: ITEM })
})

test('what was changed in two places at once is in all', async () => {
  const { server, romeo } = await romeoAlone()
  await publishes(romeo, PLAY)
  await server.idle()
  const rooms = ['a', 'b', 'c'].map(name => `${name}@conference.localhost`)

  await Promise.all([
    publishes(romeo, rooms[0] ?? ''), publishesList(romeo, room(PLAY), room(rooms[1] ?? '')),
    stores(romeo, room(PLAY), room(rooms[2] ?? '')),
  ])

  const all = [PLAY, ...rooms].sort()
  expect(Object.keys(await items(server, romeo)).sort()).toEqual(all)
  for (const list of [await stored(romeo), await published(server, romeo)]) {
    expect(list.map(one => /jid='([^']*)'/.exec(one)?.[1]).sort()).toEqual(all)
  }
})

describe('bookmarks are nobody else\'s (XEP-0411 §5)', () => {
  test('in a new node', async () => {
    const { romeo, server } = await romeoAlone()
    const juliet = await server.client('juliet@localhost/balcony')
    await stores(romeo, room(PLAY))

    for (const node of [NS, LIST]) {
      const asked = juliet.asks('get', request(`<items node='${node}'/>`), 'romeo@localhost')
      await expect(asked).rejects.toThrow(/closed-node|not-allowed|item-not-found|forbidden/)
    }
  })

  test('in a node that is open, nothing is put', async () => {
    const { romeo, server } = await romeoAlone()
    await publishes(romeo, PLAY)
    await server.idle()
    await configures(romeo, NS, { access_model: 'open' })

    await stores(romeo, room(PLAY), room(ORCHARD))

    expect(Object.keys(await items(server, romeo))).toEqual([PLAY])
    expect((await stored(romeo)).map(one => one.includes(ORCHARD))).toEqual([false, true])
  })
})

test('a client that publishes as XEP-0402 says finds the node so configured', async () => {
  const { romeo } = await romeoAlone()
  const options = filled('publish-options', {
    persist_items: 'true', max_items: 'max', send_last_published_item: 'never', access_model: 'whitelist',
  })
  await stores(romeo, room(PLAY))

  const answer = await romeo.asks('set', request(`<publish node='${NS}'><item id='${ORCHARD}'>` +
    `<conference xmlns='${NS}'/></item></publish><publish-options>${options}</publish-options>`))

  expect(answer?.getChild('publish')?.getChild('item')?.attrs['id']).toBe(ORCHARD)
})

test('the account says that it converts bookmarks (XEP-0402 §6, XEP-0411 §2)', async () => {
  const { romeo } = await romeoAlone()

  const info = await romeo.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>")

  expect(info?.getChildren('feature').map(({ attrs }) => attrs['var'])).toEqual(
    expect.arrayContaining([`${NS}#compat`, `${NS}#compat-pep`, 'urn:xmpp:bookmarks-conversion:0']))
})
