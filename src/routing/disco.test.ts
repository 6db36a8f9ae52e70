/** XEP-0030, XEP-0115, XEP-0128 and XEP-0157: what the server and its accounts say of themselves, and to whom. */
import { describe, expect, test } from 'vitest'
import { extension } from '../extension/api.ts'
import type { Extension } from '../extension/api.ts'
import { online, subscribes } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import type { Element } from '../xml/element.ts'
import { form, formValues, NS_FORMS } from '../xmpp/forms.ts'
import { verificationString } from './caps.ts'
import { contactFields } from './contact.ts'

const PROTOCOL = 'http://jabber.org/protocol/'
const NS_INFO = `${PROTOCOL}disco#info`
const NS_ITEMS = `${PROTOCOL}disco#items`
const INFO = `<query xmlns='${NS_INFO}'/>`
const ITEMS = `<query xmlns='${NS_ITEMS}'/>`

const lute: Extension = extension({
  name: 'lute',
  xeps: [],
  setup (host) {
    host.disco.feature('urn:example:lute')
    host.disco.feature('urn:example:lute:account', 'account')
    host.disco.info(form('result', 'urn:example:lute', [{ name: 'strings', values: ['13'] }]))
  },
})

function featuresOf (info: Element | undefined): readonly string[] {
  return info?.getChildren('feature', NS_INFO).map(({ attrs }) => attrs.var ?? '') ?? []
}

describe('disco#info', () => {
  test('of the server names it, its features, each once, and its extended information', async () => {
    const { client } = await world(lute)
    const romeo = await client('romeo@localhost/orchard')

    const info = await romeo.asks('get', INFO, 'localhost')

    expect(info?.getChild('identity', NS_INFO)?.attrs).toMatchObject({ category: 'server', type: 'im' })
    const features = featuresOf(info)
    expect(features).toEqual(expect.arrayContaining([NS_INFO, NS_ITEMS, 'urn:example:lute']))
    expect(new Set(features).size).toBe(features.length)
    const extended = info?.getChild('x', NS_FORMS)
    expect(extended && [...formValues(extended)]).toEqual([['FORM_TYPE', ['urn:example:lute']], ['strings', ['13']]])
  })

  test('of an account names it as one, with the features of accounts', async () => {
    const { client } = await world(lute)
    const romeo = await client('romeo@localhost/orchard')

    const info = await romeo.asks('get', INFO)

    expect(info?.getChild('identity', NS_INFO)?.attrs).toMatchObject({ category: 'account', type: 'registered' })
    expect(featuresOf(info)).toEqual(expect.arrayContaining([NS_INFO, 'urn:example:lute:account']))
    expect(featuresOf(info)).not.toContain('urn:example:lute')
  })

  test('of another\'s account is for those who see its presence (XEP-0030 §8)', async () => {
    const server = await world()
    const romeo = await online(server, 'romeo@localhost/orchard')
    const juliet = await online(server, 'juliet@localhost/balcony')

    await expect(romeo.asks('get', INFO, 'juliet@localhost')).rejects.toThrow('service-unavailable')
    await expect(romeo.asks('get', INFO, 'nobody@localhost')).rejects.toThrow('service-unavailable')
    await subscribes(romeo, juliet)

    expect((await romeo.asks('get', INFO, 'juliet@localhost'))?.getChild('identity', NS_INFO)).toBeDefined()
    await expect(juliet.asks('get', INFO, 'romeo@localhost')).rejects.toThrow('service-unavailable')
  })

  test.each(['localhost', 'romeo@localhost'])('of a node that %s does not have is not found', async to => {
    const { client } = await world()
    const romeo = await client('romeo@localhost/orchard')

    await expect(romeo.asks('get', `<query xmlns='${NS_INFO}' node='x'/>`, to)).rejects.toThrow('item-not-found')
    await expect(romeo.asks('get', `<query xmlns='${NS_ITEMS}' node='x'/>`, to)).rejects.toThrow('item-not-found')
  })
})

test.each([undefined, 'romeo@localhost', 'juliet@localhost', 'nobody@localhost'])(
  'disco#items of %s is an empty list',
  async to => {
    const { client } = await world()
    await client('juliet@localhost/balcony')
    const romeo = await client('romeo@localhost/orchard')

    const items = await romeo.asks('get', ITEMS, to)

    expect(items?.getNS()).toBe(NS_ITEMS)
    expect(items?.getChildElements()).toEqual([])
  })

test('disco#items tells nobody of a node whether there is an account (XEP-0030 §8)', async () => {
  const { client } = await world()
  const romeo = await client('romeo@localhost/orchard')
  await client('juliet@localhost/balcony')
  const itemsOf = (who: string) => romeo.asks('get', `<query xmlns='${NS_ITEMS}' node='x'/>`, who)

  const [ofSomebody, ofNobody] = [await itemsOf('juliet@localhost'), await itemsOf('nobody@localhost')]

  expect(ofSomebody?.attrs.node).toBe('x')
  expect(String(ofNobody)).toBe(String(ofSomebody).replace('juliet', 'nobody'))
})

describe('capabilities (XEP-0115)', () => {
  // §5.2.
  test('hash as in the simple example', () => {
    const identities = [{ category: 'client', type: 'pc', name: 'Exodus 0.9.1' }]
    const features = new Set(['muc', 'disco#items', 'disco#info', 'caps'].map(name => PROTOCOL + name))

    expect(verificationString({ identities, features, forms: [] })).toBe('QgayPKawpkPSDYmwT/WM94uAlu0=')
  })

  // §5.3.
  test('hash as in the complex example', () => {
    const identities = [
      { lang: 'en', category: 'client', type: 'pc', name: 'Psi 0.11' },
      { lang: 'el', category: 'client', type: 'pc', name: 'Ψ 0.11' },
    ]
    const features = new Set(['caps', 'disco#info', 'disco#items', 'muc'].map(name => PROTOCOL + name))
    const software = form('result', 'urn:xmpp:dataforms:softwareinfo', [
      { name: 'ip_version', values: ['ipv6', 'ipv4'] }, { name: 'software', values: ['Psi'] },
      { name: 'software_version', values: ['0.11'] }, { name: 'os', values: ['Mac'] },
      { name: 'os_version', values: ['10.5.1'] },
    ])

    expect(verificationString({ identities, features, forms: [software] })).toBe('q07IKJEyjvHSyhy//CH0CxmKi8w=')
  })

  test('sort by octets', () => {
    const entity = (...all: readonly string[]) => ({ identities: [], features: new Set(all), forms: [] })

    // printf '\xef\xbf\xbd<\xf0\x9f\x98\x80<' | sha1sum
    expect(verificationString(entity('\u{1F600}', '\uFFFD'))).toBe('oATRqrS8LI9mA70d3TMAMM2hKjs=')
  })

  test('of the server are the hash of what it answers under their node', async () => {
    const { client, core } = await world(lute)
    const romeo = await client('romeo@localhost/orchard')
    const peer = { host: 'localhost', remoteAddress: '127.0.0.1', isSecure: true }
    const caps = core.streams.features('after-auth', peer).find(one => one.getName() === 'c')

    const node = `${caps?.attrs.node}#${caps?.attrs.ver}`
    const info = await romeo.asks('get', `<query xmlns='${NS_INFO}' node='${node}'/>`, 'localhost')

    expect(info?.attrs.node).toBe(node)
    expect(caps?.attrs.hash).toBe('sha-1')
    expect(caps?.attrs.ver).toBe(verificationString({
      identities: info?.getChildren('identity', NS_INFO).map(({ attrs: { category = '', type = '', name = '' } }) =>
        ({ category, type, name })) ?? [],
      features: new Set(featuresOf(info)),
      forms: info?.getChildren('x', NS_FORMS) ?? [],
    }))
    expect(featuresOf(info)).toContain('http://jabber.org/protocol/caps')
  })
})

describe('contact addresses (XEP-0157)', () => {
  test('are lists of addresses by kind, in a form of their type', async () => {
    const { client, core } = await world()
    core.disco.addServerFields(() => contactFields({
      abuse: ['mailto:abuse@localhost', 'xmpp:abuse@localhost'], sales: [],
    }))
    const romeo = await client('romeo@localhost/orchard')

    const info = await romeo.asks('get', INFO, 'localhost')

    const [contacts, ...others] = info?.getChildren('x', NS_FORMS) ?? []
    expect(others).toEqual([])
    expect(contacts?.attrs.type).toBe('result')
    expect(contacts && [...formValues(contacts)]).toEqual([
      ['FORM_TYPE', ['http://jabber.org/network/serverinfo']],
      ['abuse-addresses', ['mailto:abuse@localhost', 'xmpp:abuse@localhost']]])
  })

  test('are no form where there are none', async () => {
    const { client, core } = await world()
    core.disco.addServerFields(() => contactFields({ abuse: [] }))
    const romeo = await client('romeo@localhost/orchard')

    const info = await romeo.asks('get', INFO, 'localhost')

    expect(info?.getChildren('x', NS_FORMS)).toEqual([])
  })
})
