/** XEP-0441: Message Archive Management Preferences. */
import { expect, test } from 'vitest'
import { subscribes } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { archive } from './index.ts'

const NS = 'urn:xmpp:mam:2'

function prefs (byDefault: string, always: readonly string[] = [], never: readonly string[] = []): string {
  const list = (name: string, jids: readonly string[]) => jids.length === 0
    ? `<${name}/>` : `<${name}>${jids.map(jid => `<jid>${jid}</jid>`).join('')}</${name}>`
  return `<prefs xmlns='${NS}' default='${byDefault}'>${list('always', always)}${list('never', never)}</prefs>`
}

async function stage (server: World): Promise<readonly [Client, Client]> {
  const romeo = await server.client('romeo@localhost/orchard')
  const juliet = await server.client('juliet@localhost/balcony')
  return [romeo, juliet]
}

/** With whom the archive holds messages, in its order. */
async function archiveOf (client: Client): Promise<readonly string[]> {
  await client.received()
  await client.asks('set', `<query xmlns='${NS}'/>`)
  return (await client.received()).map(xml => /<body>(.*?)<\/body>/.exec(xml)?.[1] ?? '')
}

test('everything is kept until the user wants it otherwise', async () => {
  const [romeo] = await stage(await world(archive))

  expect(String(await romeo.asks('get', `<prefs xmlns='${NS}'/>`))).toBe(prefs('always'))
})

test('preferences are answered as they are applied, to all devices, and hold after a restart', async () => {
  const server = await world(archive)
  const [romeo] = await stage(server)
  const phone = await server.client('romeo@localhost/phone')

  const answer = await romeo.asks('set', prefs('roster', ['Juliet@localhost'], ['nurse@localhost/phone']))
  const applied = prefs('roster', ['juliet@localhost'], ['nurse@localhost/phone'])

  expect(String(answer)).toBe(applied)
  expect(String(await phone.asks('get', `<prefs xmlns='${NS}'/>`))).toBe(applied)
  const later = await (await server.restarts()).client('romeo@localhost/orchard')
  expect(String(await later.asks('get', `<prefs xmlns='${NS}'/>`))).toBe(applied)
})

test('lists that are missing are empty', async () => {
  const [romeo] = await stage(await world(archive))
  await romeo.asks('set', prefs('never', ['juliet@localhost']))

  expect(String(await romeo.asks('set', `<prefs xmlns='${NS}' default='always'/>`))).toBe(prefs('always'))
})

test.each([
  [prefs('always', [], ['juliet@localhost']), ['to nurse', 'to phone']],
  [prefs('always', [], ['nurse@localhost']), ['to juliet', 'from juliet']],
  [prefs('always', [], ['nurse@localhost/phone']), ['to juliet', 'to nurse', 'from juliet']],
  [prefs('never', ['juliet@localhost']), ['to juliet', 'from juliet']],
  [prefs('never', ['juliet@localhost'], ['juliet@localhost/balcony']), ['to juliet']],
  [prefs('never'), []],
])('messages are kept as they say: %s', async (preferences, expected) => {
  const [romeo, juliet] = await stage(await world(archive))
  await romeo.asks('set', preferences)

  await romeo.says('juliet@localhost', 'to juliet')
  await romeo.says('nurse@localhost', 'to nurse')
  await romeo.says('nurse@localhost/phone', 'to phone')
  await juliet.says('romeo@localhost', 'from juliet')

  expect(await archiveOf(romeo)).toEqual(expected)
  expect(await archiveOf(juliet), 'whatever the other side wants').toEqual(['to juliet', 'from juliet'])
})

test('the roster is who is in it now', async () => {
  const [romeo, juliet] = await stage(await world(archive))
  await romeo.asks('set', prefs('roster'))

  await romeo.says('juliet@localhost', 'before')
  await subscribes(romeo, juliet)
  await romeo.says('juliet@localhost/balcony', 'during')
  await romeo.asks(
    'set',
    "<query xmlns='jabber:iq:roster'><item jid='juliet@localhost' subscription='remove'/></query>",
  )
  await romeo.says('juliet@localhost', 'after')

  expect(await archiveOf(romeo)).toEqual(['during'])
})

test.each([
  [prefs('sometimes'), 'bad-request'],
  [`<prefs xmlns='${NS}'/>`, 'bad-request'],
  [prefs('always', ['@']), 'jid-malformed'],
  [prefs('always', Array.from({ length: 1001 }, (_, n) => `user${n}@localhost`)), 'resource-constraint'],
])('what is wrong changes nothing: %s', async (preferences, condition) => {
  const [romeo] = await stage(await world(archive))

  await expect(romeo.asks('set', preferences)).rejects.toThrow(condition)
  expect(String(await romeo.asks('get', `<prefs xmlns='${NS}'/>`))).toBe(prefs('always'))
})

test('a guest has none to set', async () => {
  const guest = await (await world(archive)).guest('guest@localhost/mask')

  await expect(guest.asks('set', prefs('always'))).rejects.toThrow('not-allowed')
})
