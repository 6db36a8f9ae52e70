/** XEP-0317: Hats. */
import { expect, test } from 'vitest'
import { changes, configures, COVEN, enters, inside, owner, parseStanza } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client } from '../../test/support/world/world.ts'
import { escapeText } from '../../src/xml/write.ts'
import { hats } from './index.ts'

const HAG = 'hag66@localhost/pda'
const BREWER = 'urn:example:hats#brewer'

async function stage () {
  const server = await world(hats)
  const crone = await owner(server, undefined, undefined, { persistentroom: '1' })
  const hag = await inside(server, HAG, 'thirdwitch')
  await crone.received()
  return { server, crone, hag }
}

async function runs (client: Client, command: string, values: Readonly<Record<string, string>> = {}): Promise<void> {
  const fields = Object.entries(values).map(([name, value]) =>
    `<field var='hats#${name}'><value>${escapeText(value)}</value></field>`
  ).join('')
  await client.asks(
    'set',
    `<command xmlns='http://jabber.org/protocol/commands' node='urn:xmpp:hats:commands:${command}'>` +
    `<x xmlns='jabber:x:data' type='submit'>${fields}</x></command>`, COVEN)
}

/** A hat, on the third witch. */
async function crowned () {
  const stages = await stage()
  await runs(stages.crone, 'create', { title: 'Brewer & cook', uri: BREWER, hue: '327.25' })
  await runs(stages.crone, 'assign', { jid: 'hag66@localhost', uri: BREWER })
  return stages
}

/** Of the presences that came, each with the titles of the hats in it. */
async function seen (client: Client): Promise<readonly string[]> {
  return (await client.received()).map(parseStanza).filter(({ name }) => name === 'presence').map(presence => {
    const titles = presence.getChildren('hats', 'urn:xmpp:hats:0').flatMap(one => one.getChildren('hat')).map(hat =>
      hat.attrs['title']
    )
    return [presence.attrs['from']?.split('/')[1], ...titles].join(' ')
  })
}

test('who is given a hat is seen with it by all, also by who comes later, with its URI and hue (§3.1, §3.5)', async () => {
  const { server, crone } = await crowned()

  const [before = '', xml = ''] = await crone.received()
  expect(before).toContain("code='104'")
  expect(xml).toContain(
    `<hats xmlns='urn:xmpp:hats:0'><hat uri='${BREWER}' title='Brewer &amp; cook' hue='327.25'/></hats>`,
  )
  const wicca = await server.client('wiccarocks@localhost/laptop')
  await wicca.sends(`<presence to='${COVEN}/secondwitch'><x xmlns='http://jabber.org/protocol/muc'/></presence>`)
  expect(await seen(wicca)).toContain('thirdwitch Brewer & cook')
})

test('a hat that is taken off, or destroyed, is seen no more (§3.3, §3.6)', async () => {
  const { crone, hag } = await crowned()
  await crone.received()

  await runs(crone, 'unassign', { jid: 'hag66@localhost', uri: BREWER })
  await runs(crone, 'assign', { jid: HAG, uri: BREWER })
  await runs(crone, 'destroy', { uri: BREWER })

  expect(await seen(crone)).toEqual(['thirdwitch', 'thirdwitch Brewer & cook', 'thirdwitch'])
  await hag.sends(`<presence to='${COVEN}/thirdwitch'><show>away</show></presence>`)
  expect(await seen(crone)).toEqual(['thirdwitch'])
  await runs(crone, 'create', { title: 'Chef', uri: BREWER })
  await hag.sends(`<presence to='${COVEN}/thirdwitch'><show>dnd</show></presence>`)
  expect(await seen(crone)).toEqual(['thirdwitch'])
})

test('a hat that is made again looks as it was made last, on whoever wears it (§3.2)', async () => {
  const { crone } = await crowned()
  await crone.received()

  await runs(crone, 'create', { title: 'Chef', uri: BREWER })

  expect(await seen(crone)).toEqual(['thirdwitch Chef'])
})

test('nobody puts on a hat himself (§3.1)', async () => {
  const { crone, hag } = await stage()

  await hag.sends(
    `<presence to='${COVEN}/thirdwitch'><hats xmlns='urn:xmpp:hats:0'><hat title='Queen' uri='urn:example:queen'/></hats></presence>`,
  )

  expect(await seen(crone)).toEqual(['thirdwitch'])
})

test('only admins deal with hats', async () => {
  const { crone, hag } = await crowned()
  const attempts = [['create', { title: 'x', uri: 'y' }], ['destroy', { uri: BREWER }], ['assign', {
    jid: 'hag66@localhost',
    uri: BREWER,
  }]] as const

  for (const [command, values] of attempts) await expect(runs(hag, command, values)).rejects.toThrow('forbidden')
  await changes(crone, [{ affiliation: 'admin', jid: 'hag66@localhost' }])
  for (const [command, values] of attempts.slice(0, 2)) await runs(hag, command, values)
})

test('what makes no sense is refused', async () => {
  const { crone } = await crowned()

  await expect(runs(crone, 'create', { title: '', uri: 'y' })).rejects.toThrow('bad-request')
  await expect(runs(crone, 'create', { title: 'x', uri: 'y', hue: 'red' })).rejects.toThrow('bad-request')
  await expect(runs(crone, 'assign', { jid: 'hag66@localhost', uri: 'nope' })).rejects.toThrow('item-not-found')
  await expect(runs(crone, 'assign', { jid: '@', uri: BREWER })).rejects.toThrow('bad-request')
})

/** The lists of `<item/>`s, each as its values in the order of the columns. */
async function lists (client: Client, command: string): Promise<readonly string[]> {
  const answer = await client.asks(
    'set',
    `<command xmlns='http://jabber.org/protocol/commands' node='urn:xmpp:hats:commands:${command}' action='execute'/>`,
    COVEN,
  )
  expect(answer?.attrs['status']).toBe('completed')
  const x = answer?.getChild('x', 'jabber:x:data')
  const columns = x?.getChild('reported')?.getChildren('field').map(field => field.attrs['var'])
  return (x?.getChildren('item') ?? []).map(item => {
    expect(item.getChildren('field').map(field => field.attrs['var'])).toEqual(columns)
    return item.getChildren('field').map(field => field.getChildText('value') ?? '-').join(' ')
  })
}

test('who is in is told which hats there are, at once (§3.4)', async () => {
  const { crone, hag, server } = await crowned()
  await runs(crone, 'create', { title: 'Chef', uri: 'urn:example:hats#chef' })

  expect(await lists(hag, 'list')).toEqual([`Brewer & cook ${BREWER} 327.25`, 'Chef urn:example:hats#chef -'])
  await expect(lists(await server.client('stranger@localhost/x'), 'list')).rejects.toThrow('forbidden')
})

test('who may know real addresses is told who wears which hat (§3.7)', async () => {
  const { crone, hag } = await crowned()

  expect(await lists(crone, 'list-assigned')).toEqual([`hag66@localhost ${BREWER} Brewer & cook 327.25`])
  await expect(lists(hag, 'list-assigned')).rejects.toThrow('forbidden')
  await configures(crone, { whois: 'anyone' })
  expect(await lists(hag, 'list-assigned')).toHaveLength(1)
})

test('what a form must have is marked (§3.2)', async () => {
  const { crone } = await stage()

  const answer = await crone.asks(
    'set',
    "<command xmlns='http://jabber.org/protocol/commands' node='urn:xmpp:hats:commands:create'/>",
    COVEN,
  )

  const fields = answer?.getChild('x', 'jabber:x:data')?.getChildren('field') ?? []
  expect(fields.filter(field => field.getChild('required')).map(field => field.attrs['var'])).toEqual([
    'hats#title',
    'hats#uri',
  ])
})

test('hats outlive the server, and the room tells a hash of their list (§2)', async () => {
  const { server, crone } = await crowned()
  const before = await hashOf(crone)

  const again = await server.restarts()
  const hag = await inside(again, HAG, 'thirdwitch')
  await hag.sends(`<presence to='${COVEN}/thirdwitch'><show>away</show></presence>`)

  expect(await seen(hag)).toEqual(['thirdwitch Brewer & cook'])
  expect(before).toMatch(/^[0-9a-f]{40}$/)
  expect(await hashOf(hag)).toBe(before)
  await runs(await again.client('crone1@localhost/desktop'), 'create', { title: 'Chef', uri: BREWER })
  expect(await hashOf(hag)).not.toBe(before)
})

async function hashOf (client: Client): Promise<string | undefined> {
  const info = await client.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", COVEN)
  return info?.getChild('x', 'jabber:x:data')?.getChildren('field').find(field => field.attrs['var'] === 'hats#hash')
    ?.getChildText('value') ?? undefined
}

test('a room has so many hats, and each of them can be made again', async () => {
  const { crone } = await stage()
  for (let number = 1; number <= 100; number++) await runs(crone, 'create', { title: 'Hat', uri: `urn:hat:${number}` })

  await expect(runs(crone, 'create', { title: 'Hat', uri: 'urn:hat:101' })).rejects.toThrow('resource-constraint')
  await runs(crone, 'create', { title: 'Cap', uri: 'urn:hat:100' })
  await runs(crone, 'destroy', { uri: 'urn:hat:1' })
  await runs(crone, 'create', { title: 'Hat', uri: 'urn:hat:101' })

  expect(await lists(crone, 'list')).toHaveLength(100)
})

test('one person wears so many hats', async () => {
  const { crone } = await stage()
  for (let number = 1; number <= 21; number++) await runs(crone, 'create', { title: 'Hat', uri: `urn:hat:${number}` })
  for (let number = 1; number <= 20; number++)
    await runs(crone, 'assign', { jid: 'hag66@localhost', uri: `urn:hat:${number}` })

  await expect(runs(crone, 'assign', { jid: 'hag66@localhost', uri: 'urn:hat:21' })).rejects.toThrow(
    'resource-constraint',
  )
  await runs(crone, 'assign', { jid: 'crone1@localhost', uri: 'urn:hat:21' })
  await runs(crone, 'unassign', { jid: 'hag66@localhost', uri: 'urn:hat:20' })
  await runs(crone, 'assign', { jid: 'hag66@localhost', uri: 'urn:hat:21' })

  expect(await lists(crone, 'list-assigned')).toHaveLength(21)
})

test('all in a room together wear so many hats', async () => {
  const { server } = await crowned()
  await server.db.query(
    "insert into room_hat_wearer (room, uri, account) select $1, $2, 'witch' || n || '@localhost' from generate_series(1, 999) as n",
    [COVEN, BREWER],
  )
  const crone = await inside(await server.restarts(), 'crone1@localhost/desktop', 'firstwitch')

  await expect(runs(crone, 'assign', { jid: 'crone1@localhost', uri: BREWER })).rejects.toThrow('resource-constraint')
  await runs(crone, 'unassign', { jid: 'witch1@localhost', uri: BREWER })
  await runs(crone, 'assign', { jid: 'crone1@localhost', uri: BREWER })

  expect(await server.db.query('select count(*)::int as count from room_hat_wearer')).toEqual([{ count: 1000 }])
})

test('who is not in is not told who wears which hat, though addresses are no secret there (§3.7)', async () => {
  const { server, crone } = await crowned()
  await configures(crone, { whois: 'anyone' })

  await expect(lists(await server.client('stranger@localhost/x'), 'list-assigned')).rejects.toThrow('forbidden')
})

test('a room that is not set up yet has no hats', async () => {
  const server = await world(hats)
  const crone = await server.client('crone1@localhost/desktop')
  await enters(crone, 'firstwitch')

  await expect(runs(crone, 'create', { title: 'Brewer', uri: BREWER })).rejects.toThrow('unexpected-request')
})

test('what was changed of hats outlives the server as it was changed last, and nothing else is (§3.2, §3.3, §3.6)', async () => {
  const { server, crone } = await crowned()
  await runs(crone, 'create', { title: 'Chef', uri: BREWER, hue: '1' })
  for (const uri of ['urn:b', 'urn:a']) {
    await runs(crone, 'create', { title: uri, uri })
    await runs(crone, 'assign', { jid: 'hag66@localhost', uri })
    await runs(crone, 'assign', { jid: 'crone1@localhost', uri })
  }
  await runs(crone, 'unassign', { jid: 'hag66@localhost', uri: 'urn:a' })
  const hash = await hashOf(crone)
  await runs(crone, 'create', { title: 'Gone', uri: 'urn:gone' })
  await runs(crone, 'destroy', { uri: 'urn:gone' })

  const again = await inside(await server.restarts(), 'crone1@localhost/desktop', 'firstwitch')

  expect((await lists(again, 'list')).toSorted()).toEqual([`Chef ${BREWER} 1`, 'urn:a urn:a -', 'urn:b urn:b -'])
  expect((await lists(again, 'list-assigned')).toSorted()).toEqual([
    'crone1@localhost urn:a urn:a -',
    'crone1@localhost urn:b urn:b -',
    'hag66@localhost urn:b urn:b -',
    `hag66@localhost ${BREWER} Chef 1`,
  ])
  expect(await hashOf(again)).toBe(hash)
})

test('a room without hats tells no hash (§2)', async () => {
  const { crone } = await stage()

  expect(await hashOf(crone)).toBeUndefined()
})
