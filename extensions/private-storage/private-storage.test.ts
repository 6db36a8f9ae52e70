/** XEP-0049: Private XML Storage. */
import { describe, expect, test } from 'vitest'
import type { Client } from '../../test/support/world/world.ts'
import { world } from '../../test/support/world/world.ts'
import type { Element } from '../../src/xml/element.ts'
import { privateStorage } from './index.ts'

const NS = 'jabber:iq:private'

function query (...children: readonly string[]): string {
  return `<query xmlns='${NS}'>${children.join('')}</query>`
}

async function kept (client: Client, name: string, ns: string): Promise<Element | undefined> {
  const answer = await client.asks('get', query(`<${name} xmlns='${ns}'/>`))
  expect([answer?.getName(), answer?.getNS(), answer?.getChildElements().length]).toEqual(['query', NS, 1])
  return answer?.getChild(name, ns)
}

describe('what is kept', () => {
  test('comes back to any of the user\'s devices, as it was (§2.3)', async () => {
    const { client } = await world(privateStorage)
    const orchard = await client('romeo@localhost/orchard')
    const garden = await client('romeo@localhost/garden')
    await orchard.asks('set', query("<a:prefs xmlns:a='exodus:prefs' a:n='1'><a:nick>R &amp; J</a:nick></a:prefs>"))

    const prefs = await kept(garden, 'prefs', 'exodus:prefs')

    expect(prefs?.getChildText('nick', 'exodus:prefs')).toBe('R & J')
    expect(Object.values(prefs?.attrs ?? {})).toContain('1')
  })

  test('is by name and namespace, and a new one takes the place of the old', async () => {
    const { client } = await world(privateStorage)
    const romeo = await client('romeo@localhost/orchard')
    await romeo.asks('set', query("<a xmlns='urn:a'>1</a>", "<b xmlns='urn:a'>2</b>", "<a xmlns='urn:b'>3</a>"))
    await romeo.asks('set', query("<a xmlns='urn:a'>4</a>"))

    const texts = [await kept(romeo, 'a', 'urn:a'), await kept(romeo, 'b', 'urn:a'), await kept(romeo, 'a', 'urn:b')]

    expect(texts.map(one => one?.text())).toEqual(['4', '2', '3'])
  })

  test('comes back byte by byte', async () => {
    const { client } = await world(privateStorage)
    const romeo = await client('romeo@localhost/orchard')
    const element = `<a xmlns='urn:a'>${'<b></b>'.repeat(30_000)}</a>`
    await romeo.asks('set', query(element))

    await romeo.sends(`<iq type='get' id='raw'>${query("<a xmlns='urn:a'/>")}</iq>`)

    expect(await romeo.received()).toEqual([expect.stringContaining(`>${query(element)}</iq>`)])
  })

  test('has room for so many bytes of an account\'s; what is more is refused, and what was there stays', async () => {
    const { client } = await world([privateStorage, { bytes: 100 }])
    const romeo = await client('romeo@localhost/orchard')
    await romeo.asks('set', query("<a xmlns='urn:a'>1</a>"))

    const large = romeo.asks('set', query(`<a xmlns='urn:a'>${'2'.repeat(100)}</a>`))
    await expect(large).rejects.toThrow('resource-constraint')
    const many = ['c', 'd', 'e', 'f', 'g', 'h'].map(name =>
      romeo.asks('set', query(`<${name} xmlns='urn:a'>3</${name}>`))
    )
    const outcomes = await Promise.allSettled(many)

    expect((await kept(romeo, 'a', 'urn:a'))?.text()).toBe('1')
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
  })

  test('is of so many elements at once, no more', async () => {
    const { client } = await world(privateStorage)
    const romeo = await client('romeo@localhost/orchard')
    const many = (count: number) => Array.from({ length: count }, (_, number) => `<a xmlns='urn:${number}'/>`)

    await romeo.asks('set', query(...many(100)))

    await expect(romeo.asks('set', query(...many(101)))).rejects.toThrow('policy-violation')
  })

  test('is empty where nothing was', async () => {
    const { client } = await world(privateStorage)
    const romeo = await client('romeo@localhost/orchard')

    expect((await kept(romeo, 'storage', 'storage:bookmarks'))?.children).toEqual([])
  })

  test.each(['get', 'set'] as const)('is nobody else\'s to %s (§2.3)', async type => {
    const { client } = await world(privateStorage)
    const romeo = await client('romeo@localhost/orchard')
    const juliet = await client('juliet@localhost/balcony')
    await romeo.asks('set', query("<a xmlns='urn:a'>1</a>"))

    for (const owner of ['romeo@localhost', 'nobody@localhost']) {
      await expect(juliet.asks(type, query("<a xmlns='urn:a'/>"), owner), 'as if there were one').rejects.toThrow(
        'forbidden',
      )
    }

    expect((await kept(romeo, 'a', 'urn:a'))?.text()).toBe('1')
  })
})

// §3.
test.each([
  ['get', 'without an element', [], 'bad-request'],
  ['get', 'of two elements', ["<a xmlns='urn:a'/>", "<b xmlns='urn:b'/>"], 'bad-request'],
  ['set', 'without an element', [], 'not-acceptable'],
  ['set', 'in the namespace of vCards', ["<vCard xmlns='vcard-temp'/>"], 'not-acceptable'],
  ['get', 'in a namespace of the protocol', ["<query xmlns='jabber:iq:roster'/>"], 'not-acceptable'],
  ['set', 'without a namespace of its own', ['<a/>'], 'not-acceptable'],
  ['set', 'half in such a namespace', ["<a xmlns='urn:a'>1</a>", "<vCard xmlns='vcard-temp'/>"], 'not-acceptable'],
] as const)('a %s %s is refused, and nothing is kept', async (type, _, children, condition) => {
  const { client, db } = await world(privateStorage)
  const romeo = await client('romeo@localhost/orchard')

  await expect(romeo.asks(type, query(...children))).rejects.toThrow(condition)

  expect(await db.query('select * from private_element')).toEqual([])
})
