/** XEP-0442: the archives of nodes. */
import { describe, expect, test } from 'vitest'
import { configures, creates, eventIn, publishes, request, SERVICE } from '../../test/support/world/nodes.ts'
import { online } from '../../test/support/world/online.ts'
import { parseStanza } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client } from '../../test/support/world/world.ts'
import type { Element } from '../../src/xml/element.ts'
import { archive } from './index.ts'

const NS = 'urn:xmpp:mam:2'
const RSM = 'http://jabber.org/protocol/rsm'
const NODE = 'princely_musings'

async function elsinore () {
  const server = await world(archive)
  const hamlet = await online(server, 'hamlet@localhost/elsinore')
  const horatio = await online(server, 'horatio@localhost/court')
  return { server, hamlet, horatio }
}

/** A node at the service with items of these ids, each with its id as its text. */
async function musings (...ids: readonly string[]) {
  const { server, hamlet, horatio } = await elsinore()
  await creates(hamlet, NODE)
  for (const id of ids) await publishes(hamlet, NODE, id, id, SERVICE)
  await hamlet.received()
  return { server, hamlet, horatio }
}

interface Found { readonly id: string, readonly event: string, readonly stamp: string }

interface Answer {
  readonly found: readonly Found[]
  readonly fin: Element | undefined
}

/** Queries a node's archive with a form, and with a page (XEP-0059) or else besides. */
async function query (
  client: Client, to: string | undefined, fields: Readonly<Record<string, string>> = {}, besides = '', node = NODE,
): Promise<Answer> {
  const form = Object.entries({ FORM_TYPE: NS, ...fields }).map(([name, value]) =>
    `<field var='${name}'><value>${value}</value></field>`).join('')
  const fin = await client.asks('set', `<query xmlns='${NS}' queryid='q' node='${node}'>` +
    `<x xmlns='jabber:x:data' type='submit'>${form}</x>${besides}</query>`, to)
  const found = (await client.received()).flatMap(xml => {
    const result = parseStanza(xml).getChild('result', NS)
    const wrapper = result?.getChild('forwarded', 'urn:xmpp:forward:0')
    const event = eventIn(wrapper?.getChild('message', 'jabber:client')?.toString('jabber:client') ?? '')
    const stamp = wrapper?.getChild('delay', 'urn:xmpp:delay')?.attrs['stamp'] ?? ''
    return result && event !== undefined ? [{ id: result.attrs['id'] ?? '', event, stamp }] : []
  })
  return { found, fin }
}

async function texts (...of: Parameters<typeof query>): Promise<readonly string[]> {
  return (await query(...of)).found.map(({ event }) => event)
}

function page (xml: string): string {
  return `<set xmlns='${RSM}'>${xml}</set>`
}

describe('a query of a node', () => {
  test('finds its items in the order of their publication, one a message, as subscribers were sent them', async () => {
    const { hamlet, horatio } = await musings('a', 'b')
    await publishes(hamlet, NODE, 'a', 'again', SERVICE)

    const { found, fin } = await query(horatio, SERVICE)

    expect(found.map(({ event }) => event)).toEqual([`${NODE} b: b`, `${NODE} a: again`])
    expect(fin?.attrs['complete']).toBe('true')
    expect(fin?.getChild('set', RSM)?.getChildText('count', RSM)).toBe('2')
    expect(fin?.getChild('set', RSM)?.getChildText('last', RSM)).toBe(found[1]?.id)
  })

  test('gives pages forwards, backwards and flipped', async () => {
    const { horatio } = await musings('a', 'b', 'c', 'd', 'e')
    const first = await query(horatio, SERVICE, {}, page('<max>2</max>'))
    const last = first.found.at(-1)?.id ?? ''

    const next = await texts(horatio, SERVICE, {}, page(`<max>2</max><after>${last}</after>`))
    const newest = await texts(horatio, SERVICE, {}, `${page('<max>2</max><before/>')}<flip-page/>`)
    const older = await query(horatio, SERVICE, {}, page(`<max>2</max><before>${last}</before>`))

    expect(first.found.map(({ event }) => event)).toEqual([`${NODE} a: a`, `${NODE} b: b`])
    expect(first.fin?.attrs['complete']).toBeUndefined()
    expect(next).toEqual([`${NODE} c: c`, `${NODE} d: d`])
    expect(newest).toEqual([`${NODE} e: e`, `${NODE} d: d`])
    expect(older.found.map(({ event }) => event)).toEqual([`${NODE} a: a`])
    expect(older.fin?.attrs['complete']).toBe('true')
  })

  test('finds items by their archive ids, and between two of them', async () => {
    const { horatio } = await musings('a', 'b', 'c')
    const [a, b, c] = (await query(horatio, SERVICE)).found.map(({ id }) => id)

    expect(await texts(horatio, SERVICE, { ids: b ?? '' })).toEqual([`${NODE} b: b`])
    expect(await texts(horatio, SERVICE, { 'after-id': a ?? '', 'before-id': c ?? '' })).toEqual([`${NODE} b: b`])
  })

  test('finds items by time, both ends included', async () => {
    const { server, horatio } = await musings('a', 'b')
    await server.db.query("update pubsub_item set published_at = '1600-01-01T00:00:00.1234Z' where id = 'a'")
    const stamp = '1600-01-01T00:00:00.123Z'

    expect(await texts(horatio, SERVICE, { end: stamp })).toEqual([`${NODE} a: a`])
    expect(await texts(horatio, SERVICE, { start: '1600-01-01T00:00:00.124Z' })).toEqual([`${NODE} b: b`])
  })

  test('finds nothing of what was retracted, and knows its id no more', async () => {
    const { hamlet, horatio } = await musings('a', 'b')
    const [a] = (await query(horatio, SERVICE)).found
    await hamlet.asks('set', request(`<retract node='${NODE}'><item id='a'/></retract>`), SERVICE)

    expect(await texts(horatio, SERVICE)).toEqual([`${NODE} b: b`])
    await expect(query(horatio, SERVICE, { ids: a?.id ?? '' })).rejects.toThrow('item-not-found')
    await expect(query(horatio, SERVICE, {}, page(`<after>${a?.id}</after>`))).rejects.toThrow('item-not-found')
  })

  test('gives large items a few at a time', async () => {
    const { hamlet, horatio } = await musings()
    const text = 'x'.repeat(100_000)
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) await publishes(hamlet, NODE, id, text, SERVICE)

    const { found, fin } = await query(horatio, SERVICE)
    const rest = await texts(horatio, SERVICE, {}, page(`<after>${found.at(-1)?.id}</after>`))

    expect(found.length).toBe(6)
    expect(fin?.attrs['complete']).toBeUndefined()
    expect(rest).toEqual([`${NODE} g: ${text}`])
  })

  test('is for those who may retrieve its items', async () => {
    const { hamlet, horatio } = await musings('a')
    await configures(hamlet, NODE, { access_model: 'whitelist' }, SERVICE)

    expect(await texts(hamlet, SERVICE)).toEqual([`${NODE} a: a`])
    await expect(query(horatio, SERVICE)).rejects.toThrow('not-allowed')
    await expect(query(horatio, SERVICE, {}, '', 'other')).rejects.toThrow('item-not-found')
  })

  test('asks for publishers only where who asks may know them', async () => {
    const { hamlet, horatio } = await musings('a')
    await configures(hamlet, NODE, { publish_model: 'open' }, SERVICE)
    await publishes(horatio, NODE, 'b', 'b', SERVICE)

    expect(await texts(hamlet, SERVICE, { with: 'horatio@localhost' })).toEqual([`${NODE} b: b`])
    expect(await texts(hamlet, SERVICE, { with: 'hamlet@localhost/elsinore' })).toEqual([`${NODE} a: a`])
    await expect(query(horatio, SERVICE, { with: 'hamlet@localhost' })).rejects.toThrow('forbidden')
  })

  test('can be asked for its form', async () => {
    const { horatio } = await musings('a')

    const answer = await horatio.asks('get', `<query xmlns='${NS}' node='${NODE}'/>`, SERVICE)

    const fields = answer?.getChild('x', 'jabber:x:data')?.getChildren('field', 'jabber:x:data') ?? []
    expect(fields.map(field => field.attrs['var'])).toEqual(
      expect.arrayContaining(['with', 'start', 'end', 'before-id', 'after-id', 'ids']))
  })
})

describe('a query of a node of an account', () => {
  test('is answered to its owner and to contacts as the node allows', async () => {
    const { hamlet, horatio } = await elsinore()
    await creates(hamlet, NODE, { access_model: 'open', max_items: '10' }, 'hamlet@localhost')
    await publishes(hamlet, NODE, 'a', 'a')
    await publishes(hamlet, NODE, 'b', 'b')

    expect(await texts(hamlet, undefined)).toEqual([`${NODE} a: a`, `${NODE} b: b`])
    expect(await texts(horatio, 'hamlet@localhost')).toEqual([`${NODE} a: a`, `${NODE} b: b`])
    await configures(hamlet, NODE, { access_model: 'presence' })
    await expect(query(horatio, 'hamlet@localhost')).rejects.toThrow('not-authorized')
  })

  test('that does not exist is answered as that of one without nodes', async () => {
    const { horatio } = await elsinore()

    await expect(query(horatio, 'hamlet@localhost')).rejects.toThrow('item-not-found')
    await expect(query(horatio, 'nobody@localhost')).rejects.toThrow('item-not-found')
  })
})

test('a node that is made anew knows no id of the one before it', async () => {
  const { hamlet } = await musings('a')
  const [a] = (await query(hamlet, SERVICE)).found
  await hamlet.asks('set', `<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><delete node='${NODE}'/></pubsub>`,
    SERVICE)
  await creates(hamlet, NODE)
  await publishes(hamlet, NODE, 'a', 'a', SERVICE)

  await expect(query(hamlet, SERVICE, { ids: a?.id ?? '' })).rejects.toThrow('item-not-found')
})
