/** XEP-0054: vcard-temp. */
import { describe, expect, test } from 'vitest'
import type { Element } from '../../src/extension/api.ts'
import type { Client } from '../../test/support/world/world.ts'
import { world } from '../../test/support/world/world.ts'
import { vcard } from './index.ts'

const NS = 'vcard-temp'
const GET = `<vCard xmlns='${NS}'/>`
const ROMEO = `<vCard xmlns='${NS}' version='3.0'><FN>Romeo &amp; co</FN><N><GIVEN>Romeo</GIVEN></N>` +
  "<x:extra xmlns:x='urn:example:x' x:colour='&lt;red&gt;'/></vCard>"

/** The vCard that the server sends: the client's own, or that of somebody else. */
async function readVCard (client: Client, owner?: string): Promise<Element> {
  return await client.asks('get', GET, owner) ?? expect.unreachable('the result is empty')
}

describe('a vCard', () => {
  test('is empty for its owner while there is none (§3.1)', async () => {
    const { client } = await world(vcard)
    const romeo = await client('romeo@localhost/orchard')

    const card = await readVCard(romeo)

    expect(card.getName()).toBe('vCard')
    expect(card.getChildElements()).toEqual([])
  })

  test('is shown to its owner and to others as it was written, also by who is away (§3.2, §3.3)', async () => {
    const { client } = await world(vcard)
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    expect(await romeo.asks('set', ROMEO)).toBeUndefined()
    const own = await readVCard(romeo)
    romeo.leaves()

    const card = await readVCard(juliet, 'romeo@localhost')

    expect(card.toString()).toBe(own.toString())
    expect(card.attrs.version).toBe('3.0')
    expect(card.getChildText('FN', NS)).toBe('Romeo & co')
    expect(card.getChild('N', NS)?.getChildText('GIVEN', NS)).toBe('Romeo')
    const [extra] = card.getChildElements().slice(2)
    expect([extra?.getName(), extra?.getNS()]).toEqual(['extra', 'urn:example:x'])
    expect(Object.values(extra?.attrs ?? {})).toContain('<red>')
  })

  test('is sent as it was written, byte by byte: who asks costs the server nothing for what is in it', async () => {
    const { client } = await world(vcard)
    const romeo = await client('romeo@localhost/orchard')
    const written = `<vCard xmlns='${NS}'>${'<a></a>'.repeat(30_000)}</vCard>`
    await romeo.asks('set', written)

    await romeo.sends(`<iq type='get' id='raw'>${GET}</iq>`)

    expect(await romeo.received()).toEqual([expect.stringContaining(`>${written}</iq>`)])
  })

  test('takes the place of the one before', async () => {
    const { client } = await world(vcard)
    const romeo = await client('romeo@localhost/orchard')
    await romeo.asks('set', ROMEO)

    await romeo.asks('set', `<vCard xmlns='${NS}'><FN>Montague</FN></vCard>`)

    const card = await readVCard(romeo)
    expect(card.getChildElements().map(child => child.text())).toEqual(['Montague'])
  })

  test.each(['romeo@localhost', 'nobody@localhost'])('that %s does not have is asked for in vain (§3.3)', async to => {
    const { client } = await world(vcard)
    await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')

    await expect(juliet.asks('get', GET, to)).rejects.toThrow('service-unavailable')
  })

  test('of somebody else can\'t be changed (§3.2)', async () => {
    const { client } = await world(vcard)
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    await romeo.asks('set', ROMEO)

    for (const owner of ['romeo@localhost', 'nobody@localhost']) {
      await expect(juliet.asks('set', GET, owner), 'as if there were one').rejects.toThrow('forbidden')
    }

    expect((await readVCard(romeo)).getChildText('FN', NS)).toBe('Romeo & co')
  })
})

test.each(['localhost', 'romeo@localhost'])('disco#info of %s names vCards (§4)', async to => {
  const { client } = await world(vcard)
  const romeo = await client('romeo@localhost/orchard')

  const info = await romeo.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", to)

  expect(info?.toString()).toMatch(/var=['"]vcard-temp['"]/)
})
