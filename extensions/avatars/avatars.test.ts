/** XEP-0398: one picture, in nodes, vCard and presence. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { configures, filled, request, wants } from '../../test/support/world/nodes.ts'
import { online, subscribes } from '../../test/support/world/online.ts'
import { start, world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import type { Element } from '../../src/extension/api.ts'
import { vcard } from '../vcard/index.ts'
import { avatars } from './index.ts'

const DATA = 'urn:xmpp:avatar:data'
const METADATA = 'urn:xmpp:avatar:metadata'
const UPDATE = 'vcard-temp:x:update'

interface Picture { readonly base64: string, readonly hash: string }

function picture (text: string): Picture {
  const bytes = Buffer.from(`GIF89a${text}`)
  return { base64: bytes.toString('base64'), hash: createHash('sha1').update(bytes).digest('hex') }
}

const [ROSE, LUTE] = [picture('rose'), picture('lute')]

async function publishes (client: Client, { base64, hash }: Picture, options = ''): Promise<void> {
  await client.asks('set',
    request(`<publish node='${DATA}'><item id='${hash}'><data xmlns='${DATA}'>${base64}</data></item></publish>${options}`))
  await client.asks('set', request(`<publish node='${METADATA}'><item id='${hash}'><metadata xmlns='${METADATA}'>` +
    `<info bytes='10' id='${hash}' type='image/gif'/></metadata></item></publish>`))
}

async function stores (client: Client, photo: string): Promise<void> {
  await client.asks('set', `<vCard xmlns='vcard-temp'><FN>Juliet</FN>${photo}</vCard>`)
}

function photo ({ base64 }: Picture): string {
  return `<PHOTO><TYPE>image/gif</TYPE><BINVAL>${base64}</BINVAL></PHOTO>`
}

/** What the vCard has for a picture, in Base64, and the name in it. */
async function vcardOf ({ idle }: World, client: Client, owner?: string): Promise<readonly unknown[]> {
  await idle()
  const card = await client.asks('get', "<vCard xmlns='vcard-temp'/>", owner)
  return [card?.getChild('PHOTO')?.getChildText('BINVAL'), card?.getChildText('FN')]
}

/** The hash in the metadata and the picture in the data, as somebody sees them. */
async function published ({ idle }: World, client: Client, owner?: string): Promise<readonly unknown[]> {
  await idle()
  const item = async (node: string): Promise<Element | undefined> => {
    const answer = await client.asks('get', request(`<items node='${node}'/>`), owner).catch(() => undefined)
    return answer?.getChild('items')?.getChild('item')?.getChildElements()[0]
  }
  return [(await item(METADATA))?.getChild('info')?.attrs['id'], (await item(DATA))?.text()]
}

/** The hashes in what it has been sent of presence; '' where there is no picture. */
async function hashes (client: Client): Promise<readonly (string | undefined)[]> {
  return (await client.received()).filter(xml => xml.startsWith('<presence')).map(xml =>
    xml.includes(UPDATE) ? /<photo>([^<]*)</.exec(xml)?.[1] ?? '' : undefined)
}

async function verona (): Promise<{ server: World, juliet: Client, romeo: Client }> {
  const server = await world(vcard, avatars)
  const juliet = await online(server, 'juliet@localhost/balcony')
  const romeo = await online(server, 'romeo@localhost/orchard')
  await subscribes(romeo, juliet)
  return { server, juliet, romeo }
}

describe('a picture', () => {
  test('that is published is in the vCard, with all else that was there (§3.1)', async () => {
    const { server, juliet, romeo } = await verona()
    await stores(juliet, '')

    await publishes(juliet, ROSE)

    expect(await vcardOf(server, romeo, 'juliet@localhost')).toEqual([ROSE.base64, 'Juliet'])
  })

  test('of who has no vCard is in a new one', async () => {
    const { server, juliet } = await verona()

    await publishes(juliet, ROSE)

    expect(await vcardOf(server, juliet)).toEqual([ROSE.base64, null])
  })

  test('in the vCard is published, for everybody (§3.2)', async () => {
    const { server, juliet } = await verona()
    const tybalt = await server.client('tybalt@localhost/street')

    await stores(juliet, photo(ROSE))

    expect(await published(server, tybalt, 'juliet@localhost')).toEqual([ROSE.hash, ROSE.base64])
  })

  test('in the vCard is told to contacts that want to hear of it (§3.2)', async () => {
    const { juliet, romeo } = await verona()
    await wants(romeo, METADATA)

    await stores(juliet, photo(ROSE))

    expect((await romeo.received()).filter(xml => xml.includes(`<info bytes='10' id='${ROSE.hash}'`))).toHaveLength(1)
  })

  test('is replaced in both places, from whichever side', async () => {
    const { server, juliet } = await verona()
    await publishes(juliet, ROSE)
    await server.idle()

    await stores(juliet, photo(LUTE))
    const afterVcard = await published(server, juliet)
    await publishes(juliet, ROSE)

    expect(afterVcard).toEqual([LUTE.hash, LUTE.base64])
    expect(await vcardOf(server, juliet)).toEqual([ROSE.base64, 'Juliet'])
  })

  test('that is taken away in one place is gone in the other', async () => {
    const { server, juliet } = await verona()
    await publishes(juliet, ROSE)
    await server.idle()

    await stores(juliet, '')
    const [afterVcard] = await published(server, juliet)
    await publishes(juliet, LUTE)
    await juliet.asks('set', request(`<publish node='${METADATA}'><item><metadata xmlns='${METADATA}'/></item></publish>`))

    expect(afterVcard).toBeUndefined()
    expect(await vcardOf(server, juliet)).toEqual([undefined, 'Juliet'])
  })

  test('that is not for everybody is in no vCard (§7)', async () => {
    const { server, juliet } = await verona()
    const options = `<publish-options>${filled('publish-options', { access_model: 'presence' })}</publish-options>`

    await publishes(juliet, ROSE, options)

    expect(await vcardOf(server, juliet)).toEqual([undefined, null])
    await configures(juliet, DATA, { access_model: 'open' })
    await publishes(juliet, ROSE)
    expect(await vcardOf(server, juliet)).toEqual([ROSE.base64, null])
  })

  test('that is not what its hash says is in no vCard (§3.1)', async () => {
    const { server, juliet } = await verona()

    await publishes(juliet, { base64: ROSE.base64, hash: LUTE.hash })

    expect(await vcardOf(server, juliet)).toEqual([undefined, null])
  })
})

test('a picture in a vCard from before is published', async () => {
  const before = await world(vcard)
  await stores(await before.client('juliet@localhost/balcony'), photo(ROSE))
  await before.core.unload()

  const server = await start([vcard, avatars])
  const juliet = await server.client('juliet@localhost/balcony')

  expect(await published(server, juliet)).toEqual([ROSE.hash, ROSE.base64])
})

describe('presence (§4)', () => {
  test('has the hash, to contacts and to whoever it is sent directly, also after a restart', async () => {
    const { server, juliet } = await verona()
    await stores(juliet, photo(ROSE))
    const again = await server.restarts()
    const romeo = await online(again, 'romeo@localhost/orchard')
    const tybalt = await online(again, 'tybalt@localhost/street')

    const home = await again.client('juliet@localhost/balcony')
    await home.sends('<presence/>')
    await home.sends("<presence to='tybalt@localhost/street'/>")

    expect(await hashes(romeo)).toEqual([ROSE.hash])
    expect(await hashes(tybalt)).toEqual([ROSE.hash])
  })

  test('is sent again where the picture is another, or none', async () => {
    const { server, juliet, romeo } = await verona()

    await publishes(juliet, ROSE)
    await server.idle()
    await publishes(juliet, LUTE)
    await server.idle()
    await stores(juliet, '')

    expect(await hashes(romeo)).toEqual([ROSE.hash, LUTE.hash, ''])
  })

  test('of a client that says that it has no picture, or knows better, is as the section says', async () => {
    const { server, juliet, romeo } = await verona()
    await publishes(juliet, ROSE)
    await server.idle()
    await romeo.received()

    await juliet.sends(`<presence><x xmlns='${UPDATE}'/></presence>`)
    await juliet.sends(`<presence><x xmlns='${UPDATE}'><photo>abc</photo></x></presence>`)
    await juliet.sends(`<presence><x xmlns='${UPDATE}'><photo/></x></presence>`)
    await publishes(juliet, LUTE)

    expect(await hashes(romeo)).toEqual([ROSE.hash, ROSE.hash, ''])
  })

  test('of who never had a picture is as it was sent', async () => {
    const { juliet, romeo } = await verona()

    await juliet.sends('<presence/>')

    expect(await romeo.received()).toEqual(["<presence from='juliet@localhost/balcony' to='romeo@localhost'/>"])
  })
})

test('the account says that it converts pictures (§2)', async () => {
  const { juliet } = await verona()

  const info = await juliet.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>")

  expect(info?.getChildren('feature').map(({ attrs }) => attrs['var'])).toContain('urn:xmpp:pep-vcard-conversion:0')
})
