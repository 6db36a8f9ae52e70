/** XEP-0045 §6 and §7.12: what service discovery tells of rooms, and to whom. */
import { describe, expect, test } from 'vitest'
import { changes, configures, COVEN, enters, inside, owner } from '../../../test/support/world/rooms.ts'
import type { Client } from '../../../test/support/world/world.ts'
import { world } from '../../../test/support/world/world.ts'
import { formValues, NS_FORMS } from '../../xmpp/forms.ts'

const SERVICE = 'conference.localhost'
const INFO = 'http://jabber.org/protocol/disco#info'
const ITEMS = 'http://jabber.org/protocol/disco#items'

async function items (client: Client, of: string, inner = ''): Promise<readonly string[]> {
  const query = await client.asks('get', `<query xmlns='${ITEMS}'>${inner}</query>`, of)
  return query?.getChildren('item').map(({ attrs: { jid, name } }) => [jid, name].filter(word => word).join(' ')) ?? []
}

async function features (client: Client, of: string): Promise<readonly string[]> {
  const query = await client.asks('get', `<query xmlns='${INFO}'/>`, of)
  return query?.getChildren('feature').map(({ attrs }) => attrs['var'] ?? '') ?? []
}

async function roomInfo (client: Client): Promise<ReadonlyMap<string, readonly string[]>> {
  const query = await client.asks('get', `<query xmlns='${INFO}'/>`, COVEN)
  return formValues(query?.getChild('x', NS_FORMS) ?? expect.fail('no form'))
}

test('the service is among the host\'s items, and says what it is (§6.1 and §6.2)', async () => {
  const server = await world()
  const hag = await server.client('hag66@localhost/pda')

  expect(await items(hag, 'localhost')).toContain(`${SERVICE} Rooms`)
  const info = await hag.asks('get', `<query xmlns='${INFO}'/>`, SERVICE)
  expect(info?.getChild('identity')?.attrs).toMatchObject({ category: 'conference', type: 'text' })
  expect(await features(hag, SERVICE)).toEqual(expect.arrayContaining([
    'http://jabber.org/protocol/muc', 'http://jabber.org/protocol/muc#stable_id', INFO, ITEMS]))
})

describe('the list of rooms (§6.3)', () => {
  test('has those that are public and set up', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { roomname: 'A Dark Cave' })
    await owner(server, 'hecate@localhost/broom', 'hecate', { publicroom: '0' }, `hidden@${SERVICE}`)
    await enters(crone, 'firstwitch', '', `locked@${SERVICE}`)

    expect(await items(crone, SERVICE)).toEqual([`${COVEN} A Dark Cave`])
  })

  test('comes in pages (XEP-0059)', async () => {
    const server = await world()
    const crone = await server.client('crone1@localhost/desktop')
    for (const name of ['a', 'b', 'c']) await owner(server, `crone1@localhost/${name}`, 'x', {}, `${name}@${SERVICE}`)
    const page = (after: string): Promise<readonly string[]> =>
      items(crone, SERVICE, `<set xmlns='http://jabber.org/protocol/rsm'><max>2</max>${after}</set>`)

    expect(await page('')).toEqual([`a@${SERVICE} a`, `b@${SERVICE} b`])
    expect(await page(`<after>b@${SERVICE}</after>`)).toEqual([`c@${SERVICE} c`])
  })
})

describe('a room (§6.4)', () => {
  test.each([
    [{}, ['muc_open', 'muc_unmoderated', 'muc_semianonymous', 'muc_unsecured', 'muc_temporary', 'muc_public']],
    [{
      membersonly: '1',
      moderatedroom: '1',
      whois: 'anyone',
      passwordprotectedroom: '1',
      roomsecret: 'x',
      persistentroom: '1',
      publicroom: '0',
    }, [
      'muc_membersonly',
      'muc_moderated',
      'muc_nonanonymous',
      'muc_passwordprotected',
      'muc_persistent',
      'muc_hidden',
    ]],
  ])('set up as %j says so', async (values, expected) => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, values)

    const said = await features(crone, COVEN)

    expect(said.filter(feature => feature.startsWith('muc_')).sort()).toEqual([...expected].sort())
    for (const name of ['stable_id', 'register', 'roomconfig', 'roominfo'])
      expect(said).toContain(`http://jabber.org/protocol/muc#${name}`)
    expect(said).toContain('http://jabber.org/protocol/muc#self-ping-optimization')
  })

  test('tells what goes on in it, unless it is hidden and who asks has no part in it (§14.4)', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, {
      roomdesc: 'The place for all good witches',
      changesubject: '1',
    })
    await crone.sends(`<message to='${COVEN}' type='groupchat'><subject>Toil</subject></message>`)
    const hag = await server.client('hag66@localhost/pda')

    const open = await roomInfo(hag)
    expect([...open]).toEqual(expect.arrayContaining([
      ['FORM_TYPE', ['http://jabber.org/protocol/muc#roominfo']],
      ['muc#roominfo_description', ['The place for all good witches']],
      ['muc#roominfo_subject', ['Toil']], ['muc#roominfo_occupants', ['1']], ['muc#roominfo_subjectmod', ['1']]]))

    await configures(crone, { publicroom: '0' })
    expect((await roomInfo(hag)).has('muc#roominfo_subject')).toBe(false)
    expect((await roomInfo(crone)).has('muc#roominfo_subject')).toBe(true)
  })

  test('names its owners to those who may know their real addresses, and to nobody else (§16.5.4, §10.5)', async () => {
    const server = await world()
    const crone = await owner(server)
    const member = await server.client('wiccarocks@localhost/laptop')
    const hag = await inside(server, 'hag66@localhost/pda', 'thirdwitch')
    await changes(crone, [{ jid: 'wiccarocks@localhost', affiliation: 'member' }])
    const told = async (): Promise<readonly unknown[]> =>
      Promise.all([crone, member, hag].map(async client => (await roomInfo(client)).get('muc#roominfo_contactjid')))

    const semiAnonymous = await told()
    await configures(crone, { whois: 'anyone', getmemberlist: 'moderator' })
    const nonAnonymous = await told()

    expect(semiAnonymous).toEqual([['crone1@localhost'], undefined, undefined])
    expect(nonAnonymous).toEqual([['crone1@localhost'], ['crone1@localhost'], undefined])
  })

  test('that is not there, or not yet, is not found', async () => {
    const server = await world()
    const crone = await server.client('crone1@localhost/desktop')
    const hag = await server.client('hag66@localhost/pda')
    await expect(features(hag, COVEN)).rejects.toThrow('item-not-found')

    await enters(crone, 'firstwitch')

    await expect(features(hag, COVEN)).rejects.toThrow('item-not-found')
    await expect(items(hag, COVEN)).rejects.toThrow('item-not-found')
    expect(await features(crone, COVEN)).toContain('muc_public')
  })

  test('keeps who is in to itself, unless its owner has it otherwise (§6.5)', async () => {
    const server = await world()
    const crone = await owner(server)
    await inside(server, 'hag66@localhost/pda', 'thirdwitch')

    expect(await items(crone, COVEN)).toEqual([])
    await configures(crone, { public_list: '1' })
    expect(await items(crone, COVEN)).toEqual([`${COVEN}/firstwitch`, `${COVEN}/thirdwitch`])
  })
})

test('a page of rooms has a number of rooms (XEP-0059 §2.1)', async () => {
  const server = await world()
  const crone = await server.client('crone1@localhost/desktop')

  for (const max of ['-2', '1.5', 'many']) {
    await expect(items(crone, SERVICE, `<set xmlns='http://jabber.org/protocol/rsm'><max>${max}</max></set>`)).rejects
      .toThrow('bad-request')
  }
})

test('somebody\'s own nick is found before and after he comes in (§7.12)', async () => {
  const server = await world()
  const crone = await owner(server)
  const hag = await server.client('hag66@localhost/pda')
  const own = async (): Promise<string | undefined> => {
    const query = await hag.asks('get', `<query xmlns='${INFO}' node='x-roomuser-item'/>`, COVEN)
    return query?.getChild('identity')?.attrs['name']
  }

  expect(await own()).toBeUndefined()
  await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'member', nick: 'thirdwitch' }])

  expect(await own()).toBe('thirdwitch')
})
