/** XEP-0292: a vCard4 is there as vcard-temp, too, and the other way around. */
import { describe, expect, test } from 'vitest'
import type { Element } from '../../src/extension/api.ts'
import { configures, events, request, wants } from '../../test/support/world/nodes.ts'
import { online, subscribes } from '../../test/support/world/online.ts'
import { start, world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { avatars } from '../avatars/index.ts'
import { vcard } from '../vcard/index.ts'
import { vcard4 } from './index.ts'

const NODE = 'urn:xmpp:vcard4'
const NS = 'urn:ietf:params:xml:ns:vcard-4.0'
const NS_TEMP = 'vcard-temp'
const GIF = Buffer.from('GIF89a').toString('base64')
const PHOTO = `<PHOTO><TYPE>image/gif</TYPE><BINVAL>${GIF}</BINVAL></PHOTO>`

async function publishes (client: Client, content: string): Promise<void> {
  await client.asks('set', request(`<publish node='${NODE}'><item id='current'><vcard xmlns='${NS}'>${content}</vcard></item></publish>`))
}

async function stores (client: Client, content: string): Promise<void> {
  await client.asks('set', `<vCard xmlns='${NS_TEMP}'>${content}</vCard>`)
}

/** The content of the vCard4, as somebody sees it. */
async function published ({ idle }: World, client: Client, owner?: string): Promise<string | undefined> {
  await idle()
  const answer = await client.asks('get', request(`<items node='${NODE}'/>`), owner).catch(() => undefined)
  return contentOf(answer?.getChild('items')?.getChild('item')?.getChild('vcard', NS), NS)
}

async function stored ({ idle }: World, client: Client, owner?: string): Promise<string | undefined> {
  await idle()
  return contentOf(await client.asks('get', `<vCard xmlns='${NS_TEMP}'/>`, owner), NS_TEMP)
}

function contentOf (vcard: Element | undefined, ns: string): string | undefined {
  return vcard?.getChildElements().map(one => one.toString(ns)).join('')
}

async function julietAlone (): Promise<{ server: World, juliet: Client }> {
  const server = await world(vcard, vcard4)
  return { server, juliet: await server.client('juliet@localhost/balcony') }
}

describe('a vCard', () => {
  test('that is published is there as vcard-temp', async () => {
    const { server, juliet } = await julietAlone()

    await publishes(juliet, '<fn><text>Juliet</text></fn><title><text>Lady</text></title>')

    expect(await stored(server, juliet)).toBe('<FN>Juliet</FN><TITLE>Lady</TITLE>')
  })

  test('that is kept as vcard-temp is published, for everybody', async () => {
    const { server, juliet } = await julietAlone()
    const tybalt = await server.client('tybalt@localhost/street')

    await stores(juliet, '<FN>Juliet</FN><TITLE>Lady</TITLE>')

    expect(await published(server, tybalt, 'juliet@localhost')).toBe(
      '<fn><text>Juliet</text></fn><title><text>Lady</text></title>',
    )
  })

  test('keeps what only one format can say, through changes of the other', async () => {
    const { server, juliet } = await julietAlone()
    await stores(juliet, '<FN>Juliet</FN><LABEL><LINE>Verona</LINE></LABEL>')

    await publishes(juliet, '<fn><text>J</text></fn><gender><sex><text>F</text></sex></gender>')
    const temporary = await stored(server, juliet)
    await stores(juliet, '<FN>Juliet</FN>')

    expect(temporary).toBe('<FN>J</FN><LABEL><LINE>Verona</LINE></LABEL>')
    expect(await published(server, juliet)).toBe(
      '<fn><text>Juliet</text></fn><gender><sex><text>F</text></sex></gender>',
    )
  })

  test('is told without its content, once for each change (§4.2.2)', async () => {
    const { server, juliet } = await julietAlone()
    const romeo = await online(server, 'romeo@localhost/orchard')
    await juliet.comesOnline()
    await subscribes(romeo, juliet)
    await wants(romeo, NODE)

    await stores(juliet, '<FN>Juliet</FN>')
    await stores(juliet, '<FN>Juliet</FN><CLASS><PUBLIC/></CLASS>')

    expect(await events(romeo)).toEqual([expect.stringMatching(`^${NODE} [^:]+$`)])
  })

  test('that not everybody may see is in no vcard-temp', async () => {
    const { server, juliet } = await julietAlone()
    await publishes(juliet, '<fn><text>Juliet</text></fn>')
    await server.idle()
    await configures(juliet, NODE, { access_model: 'presence' })

    await publishes(juliet, '<fn><text>J</text></fn>')

    expect(await stored(server, juliet)).toBe('<FN>Juliet</FN>')
  })

  test('from before is published', async () => {
    const before = await world(vcard)
    await stores(await before.client('juliet@localhost/balcony'), '<FN>Juliet</FN>')
    await before.core.unload()

    const server = await start([vcard, vcard4])
    const juliet = await server.client('juliet@localhost/balcony')

    expect(await published(server, juliet)).toBe('<fn><text>Juliet</text></fn>')
  })

  test('with more elements than the server reads stays what it is', async () => {
    const { server, juliet } = await julietAlone()
    await stores(juliet, '<FN>Juliet</FN>')

    await stores(juliet, '<TITLE/>'.repeat(5000))

    expect(await published(server, juliet)).toBe('<fn><text>Juliet</text></fn>')
  })
})

test('a vCard4 without a picture leaves the one that there is', async () => {
  const server = await world(vcard, avatars, vcard4)
  const juliet = await server.client('juliet@localhost/balcony')
  await stores(juliet, `<FN>Juliet</FN>${PHOTO}`)

  await publishes(juliet, '<fn><text>J</text></fn>')

  expect(await stored(server, juliet)).toBe(`<FN>J</FN>${PHOTO}`)
  const metadata = await juliet.asks('get', request("<items node='urn:xmpp:avatar:metadata'/>"))
  expect(metadata?.toString()).toContain('<info ')
})

test('the account says that it knows vCard4 (§7)', async () => {
  const { juliet } = await julietAlone()

  const info = await juliet.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>")

  expect(info?.getChildren('feature').map(({ attrs }) => attrs['var'])).toContain(NS)
})
