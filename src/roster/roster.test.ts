/** RFC 6121 §2: the roster as its owner's clients see it. Subscriptions are in `presence/`. */
import { describe, expect, test } from 'vitest'
import type { Client } from '../../test/support/world/world.ts'
import { world } from '../../test/support/world/world.ts'
import type { Element } from '../xml/element.ts'
import { NS_ROSTER } from '../xmpp/ns.ts'

const GET = `<query xmlns='${NS_ROSTER}'/>`

function set (item: string): string {
  return `<query xmlns='${NS_ROSTER}'>${item}</query>`
}

function get (version: string): string {
  return `<query xmlns='${NS_ROSTER}' ver='${version}'/>`
}

async function juliet (): Promise<Client> {
  const { client } = await world()
  return client('juliet@localhost/balcony')
}

/** Each item in a few words: address, subscription, name, groups. */
function items (roster: Element | undefined): readonly string[] {
  return (roster?.getChildElements() ?? []).map(item => {
    const { jid, subscription, name, ask, approved } = item.attrs
    const groups = item.getChildren('group', NS_ROSTER).map(group => `[${group.text()}]`)
    return [jid, subscription, name, ask, approved, ...groups].filter(word => word !== undefined).join(' ')
  })
}

describe('a roster get (RFC 6121 §2.1.3)', () => {
  test('of a new account gives an empty roster', async () => {
    const client = await juliet()

    const roster = await client.asks('get', GET)

    expect(roster?.getName()).toBe('query')
    expect(roster?.getChildElements()).toEqual([])
  })

  test('gives each contact with its name, groups and subscription', async () => {
    const client = await juliet()
    await client.asks('set', set("<item jid='nurse@example.com' name='Nurse'><group>Servants</group></item>"))
    await client.asks('set', set("<item jid='romeo@example.net'/>"))

    const roster = await client.asks('get', GET)

    expect(items(roster)).toEqual(['nurse@example.com none Nurse [Servants]', 'romeo@example.net none'])
  })

  test('for the roster of somebody else is refused', async () => {
    const { client } = await world()
    await client('juliet@localhost/balcony')
    const romeo = await client('romeo@localhost/orchard')

    await expect(romeo.asks('get', GET, 'juliet@localhost')).rejects.toThrow('service-unavailable')
  })
})

describe('a roster push (RFC 6121 §2.1.6)', () => {
  test('goes to the sessions that asked for the roster, the one that made the change among them', async () => {
    const { client } = await world()
    const balcony = await client('juliet@localhost/balcony')
    const chamber = await client('juliet@localhost/chamber')
    const garden = await client('juliet@localhost/garden')
    await balcony.asks('get', GET)
    await chamber.asks('get', GET)

    await balcony.asks('set', set("<item jid='romeo@localhost'/>"))

    expect(await balcony.receivedInBrief()).toEqual(['push romeo@localhost none'])
    expect(await chamber.receivedInBrief()).toEqual(['push romeo@localhost none'])
    expect(await garden.receivedInBrief()).toEqual([])
  })

  test('is addressed to the session, and not sent in another\'s name', async () => {
    const client = await juliet()
    await client.asks('get', GET)

    await client.asks('set', set("<item jid='romeo@localhost'/>"))

    const [push] = await client.received()
    expect(push).toContain("to='juliet@localhost/balcony'")
    expect(push).not.toMatch(/ from='(?!juliet@localhost')/)
  })
})

describe('a roster set (RFC 6121 §2.3 and §2.4)', () => {
  test.each([
    ['without an item', '', 'bad-request'],
    ['with two items', "<item jid='a@localhost'/><item jid='b@localhost'/>", 'bad-request'],
    ['of an item without an address', "<item name='Nobody'/>", 'bad-request'],
    ['of an item with a group twice', "<item jid='a@localhost'><group>A</group><group>A</group></item>", 'bad-request'],
    ['of an item with an empty group', "<item jid='a@localhost'><group/></item>", 'not-acceptable'],
    ['of an item with a name too long', `<item jid='a@localhost' name='${'x'.repeat(1024)}'/>`, 'not-acceptable'],
    ['of a group too long', `<item jid='a@localhost'><group>${'é'.repeat(512)}</group></item>`, 'not-acceptable'],
    ['of an address that is none', "<item jid='a@@localhost'/>", 'jid-malformed'],
    ['that removes who is not there', "<item jid='a@localhost' subscription='remove'/>", 'item-not-found'],
  ])('%s is refused and changes nothing', async (_, item, condition) => {
    const client = await juliet()
    await client.asks('get', GET)

    await expect(client.asks('set', set(item))).rejects.toThrow(condition)

    expect(await client.received()).toEqual([])
    expect(items(await client.asks('get', GET))).toEqual([])
  })

  test('for the roster of somebody else is forbidden (§2.3.3)', async () => {
    const { client } = await world()
    const juliet = await client('juliet@localhost/balcony')
    const romeo = await client('romeo@localhost/orchard')

    for (const owner of ['juliet@localhost', 'nobody@localhost']) {
      await expect(romeo.asks('set', set("<item jid='paris@localhost'/>"), owner), 'as if there were one').rejects
        .toThrow('forbidden')
    }

    expect(items(await juliet.asks('get', GET))).toEqual([])
  })

  test('can\'t grant itself a subscription (§2.1.2.5)', async () => {
    const client = await juliet()

    await client.asks('set', set("<item jid='romeo@localhost' subscription='both' ask='subscribe' approved='true'/>"))

    expect(items(await client.asks('get', GET))).toEqual(['romeo@localhost none'])
  })

  test('keeps contacts by their bare address, prepared', async () => {
    const client = await juliet()
    await client.asks('set', set("<item jid='ROMEO@localhost/orchard' name='R.'/>"))

    await client.asks('set', set("<item jid='romeo@LOCALHOST'/>"))

    expect(items(await client.asks('get', GET))).toEqual(['romeo@localhost none'])
  })

  test('takes the place of the name and the groups that were there', async () => {
    const client = await juliet()
    await client.asks('set', set("<item jid='romeo@localhost' name='Romeo'><group>A</group><group>B</group></item>"))

    await client.asks('set', set("<item jid='romeo@localhost'><group>B</group><group>C</group></item>"))

    expect(items(await client.asks('get', GET))).toEqual(['romeo@localhost none [B] [C]'])
  })
})

describe('roster versioning (RFC 6121 §2.6)', () => {
  test('begins with an empty version, which is answered with the whole roster and its version', async () => {
    const client = await juliet()
    await client.asks('set', set("<item jid='romeo@localhost'/>"))

    const roster = await client.asks('get', get(''))

    expect(roster?.attrs.ver).toMatch(/./)
    expect(items(roster)).toHaveLength(1)
  })

  test('answers a version that is not old with nothing, and pushes nothing', async () => {
    const client = await juliet()
    await client.asks('set', set("<item jid='romeo@localhost'/>"))
    const version = (await client.asks('get', get('')))?.attrs.ver ?? ''

    const roster = await client.asks('get', get(version))

    expect(roster).toBeUndefined()
    expect(await client.received()).toEqual([])
  })

  test('answers an old version with a push for each contact that changed, the last change last', async () => {
    const { client } = await world()
    const before = await client('juliet@localhost/chamber')
    await before.asks('set', set("<item jid='romeo@localhost'/>"))
    await before.asks('set', set("<item jid='nurse@localhost'/>"))
    await before.asks('set', set("<item jid='paris@localhost'/>"))
    const version = (await before.asks('get', get('')))?.attrs.ver ?? ''
    await before.asks('set', set("<item jid='paris@localhost' subscription='remove'/>"))
    await before.asks('set', set("<item jid='tybalt@localhost'/>"))
    await before.asks('set', set("<item jid='romeo@localhost' name='Romeo'/>"))
    const now = await client('juliet@localhost/balcony')

    const roster = await now.asks('get', get(version))

    expect(roster).toBeUndefined()
    expect(await now.receivedInBrief()).toEqual([
      'push paris@localhost remove', 'push tybalt@localhost none', 'push romeo@localhost none'])
    expect((await now.asks('get', get('')))?.attrs.ver).not.toBe(version)
  })

  test('says in each push the version that it leads to', async () => {
    const client = await juliet()
    await client.asks('get', get(''))
    await client.asks('set', set("<item jid='romeo@localhost'/>"))
    await client.asks('set', set("<item jid='nurse@localhost'/>"))

    const versions = (await client.received()).map(push => /ver=["']([^"']+)/.exec(push)?.[1] ?? '')

    expect(await client.asks('get', get(versions[1] ?? ''))).toBeUndefined()
    expect(await client.received()).toEqual([])
    await client.asks('get', get(versions[0] ?? ''))
    expect(await client.receivedInBrief()).toEqual(['push nurse@localhost none'])
  })

  test.each([
    '999', 'nonsense', '-1', '99999999999999999999',
  ])('answers a version that never was with the whole roster: %s', async version => {
    const client = await juliet()
    await client.asks('set', set("<item jid='romeo@localhost'/>"))

    expect(items(await client.asks('get', get(version)))).toHaveLength(1)
  })

  test('survives that the account leaves memory', async () => {
    const { client, core } = await world()
    const before = await client('juliet@localhost/balcony')
    await before.asks('set', set("<item jid='romeo@localhost'/>"))
    const version = (await before.asks('get', get('')))?.attrs.ver ?? ''
    await before.asks('set', set("<item jid='romeo@localhost' subscription='remove'/>"))
    before.leaves()
    await core.accounts.forget(before.session.account.jid)

    const after = await client('juliet@localhost/balcony')

    expect(await after.asks('get', get(version))).toBeUndefined()
    expect(await after.receivedInBrief()).toEqual(['push romeo@localhost remove'])
  })

  test('answers a version that is far behind with the whole roster, and remembers no removals that old', async () => {
    const { client, db } = await world()
    const juliet = await client('juliet@localhost/balcony')
    await juliet.asks('set', set("<item jid='romeo@localhost'/>"))
    const version = (await juliet.asks('get', get('')))?.attrs.ver ?? ''
    for (let i = 0; i < 60; i++) {
      await juliet.asks('set', set(`<item jid='guest${i}@localhost'/>`))
      await juliet.asks('set', set(`<item jid='guest${i}@localhost' subscription='remove'/>`))
    }

    const roster = await juliet.asks('get', get(version))

    expect(items(roster)).toEqual(['romeo@localhost none'])
    expect((await db.query('select contact from roster_item')).length).toBeLessThan(60)
  })

  test('remembers who is back, however long ago the removal was', async () => {
    const client = await juliet()
    await client.asks('set', set("<item jid='romeo@localhost'/>"))
    await client.asks('set', set("<item jid='romeo@localhost' subscription='remove'/>"))
    for (let i = 0; i < 99; i++) await client.asks('set', set(`<item jid='nurse@localhost' name='${i}'/>`))

    await client.asks('set', set("<item jid='romeo@localhost'/>"))

    expect(items(await client.asks('get', GET))).toContain('romeo@localhost none')
  })
})
