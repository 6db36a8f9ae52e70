/** How many members have got a message, and seen it: see docs/groups.md. */
import { expect, test } from 'vitest'
import { changes, configures, COVEN, enters, hears, owner, parseStanza, says } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, Extensions } from '../../test/support/world/world.ts'
import { whileWriting } from '../../test/support/world/while-writing.ts'
import { archive } from '../archive/index.ts'
import { chatMarkers } from '../chat-markers/index.ts'
import { receipts } from '../receipts/index.ts'
import { slowMode } from '../slow-mode/index.ts'
import { groupStatus } from './index.ts'

const NS = 'urn:heliograph:group-status:0'
const MEMBERS = ['hag', 'witch', 'cat']

async function stage (status: Extensions[number] = groupStatus, ...others: Extensions) {
  const server = await world(archive, chatMarkers, receipts, status, ...others)
  const crone = await owner(server, undefined, undefined, { persistentroom: '1', membersonly: '1' })
  const [hag, witch] = await Promise.all([server.client('hag@localhost/x'), server.client('witch@localhost/x')])
  await changes(crone, MEMBERS.map(name => ({ jid: `${name}@localhost`, affiliation: 'member' })))
  await Promise.all([enters(hag, 'hag'), enters(witch, 'witch')])
  return { server, crone, hag, witch }
}

/** Says something, and gives the room's id of it. */
async function said (client: Client, body: string): Promise<string> {
  await client.received()
  await says(client, body)
  return parseStanza((await client.received()).at(-1) ?? '').getChild('stanza-id')?.attrs['id'] ?? ''
}

const shows = (client: Client, id: string) =>
  client.sends(
    `<message to='${COVEN}' type='groupchat'><displayed xmlns='urn:xmpp:chat-markers:0' id='${id}'/></message>`,
  )
const has = (client: Client, id: string) =>
  client.sends(`<message to='${COVEN}' type='groupchat'><received xmlns='urn:xmpp:receipts' id='${id}'/></message>`)

/** Of how many members, how many have it, and have seen it. */
async function counts (client: Client, id: string): Promise<string> {
  const { members, delivered, displayed } =
    (await client.asks('get', `<status xmlns='${NS}' id='${id}'/>`, COVEN))?.attrs ?? {}
  return `${members}: ${delivered} ${displayed}`
}

test('what a member has, and what one has seen, is counted, with all that was before it; not what the author has', async () => {
  const { crone, hag, witch } = await stage()
  const one = await said(crone, 'one')
  const two = await said(crone, 'two')
  expect(await counts(crone, one)).toBe('3: 0 0')

  await shows(hag, two)
  await has(witch, one)
  await shows(crone, two)

  expect(await counts(hag, one)).toBe('3: 2 1')
  expect(await counts(hag, two)).toBe('3: 1 1')
})

test('a status that is asked for while another is counts what both need', async () => {
  const { server, crone, hag } = await stage()
  const one = await said(crone, 'one')
  await shows(hag, one)

  const asked = await whileWriting(server, 'room_position', [() => counts(crone, one), () => counts(hag, one)])

  expect(asked).toEqual(['3: 1 1', '3: 1 1'])
})

test('nobody goes back, nor on to what there is not', async () => {
  const { crone, hag, witch } = await stage()
  const one = await said(crone, 'one')
  const two = await said(crone, 'two')

  await shows(hag, two)
  await shows(hag, one)
  expect(await counts(crone, two)).toBe('3: 1 1')
  await has(hag, one)
  await shows(witch, String(Number(two) + 1))
  await shows(witch, '999999999999999')
  await shows(witch, 'x')

  expect(await counts(crone, two)).toBe('3: 1 1')
})

test('it is known after the server was started again, and of who is a member then', async () => {
  const { server, crone, hag, witch } = await stage()
  const one = await said(crone, 'one')
  await shows(hag, one)
  await shows(witch, one)

  const again = await server.restarts()
  const witness = await again.client('crone1@localhost/x')
  expect(await counts(witness, one)).toBe('3: 2 2')

  await changes(witness, [{ jid: 'witch@localhost', affiliation: 'none' }])
  expect(await counts(witness, one)).toBe('2: 1 1')
})

test('only members may ask, and only of what the room keeps', async () => {
  const { server, crone } = await stage()
  const one = await said(crone, 'one')
  const stranger = await server.client('stranger@localhost/x')

  await expect(counts(stranger, one)).rejects.toThrow('forbidden')
  await expect(counts(crone, '1')).rejects.toThrow('item-not-found')
  await expect(crone.asks('get', `<status xmlns='${NS}'/>`, COVEN)).rejects.toThrow('bad-request')
})

test.each([[50, true], [2, false]])(
  'where markers go to %i devices at most, three of them get one: %s; it counts all the same',
  async (most, isPassedOn) => {
    const { crone, hag } = await stage([groupStatus, { 'pass-on-to': most }])
    const one = await said(crone, 'one')

    await shows(hag, one)

    expect((await crone.received()).some(xml => xml.includes('displayed'))).toBe(isPassedOn)
    expect(await counts(crone, one)).toBe('3: 1 1')
  })

test('a marker that comes with words is passed on', async () => {
  const { crone, hag } = await stage([groupStatus, { 'pass-on-to': 0 }])
  const one = await said(crone, 'one')

  await hag.sends(
    `<message to='${COVEN}' type='groupchat'><body>aye</body><displayed xmlns='urn:xmpp:chat-markers:0' id='${one}'/></message>`,
  )

  expect(await hears(crone)).toEqual(['hag: aye'])
})

test('a marker with words that are refused counts for nothing', async () => {
  const { crone, hag } = await stage(groupStatus, slowMode)
  await configures(crone, { 'muc#roomconfig_slow_mode_duration': '20' })
  const one = await said(crone, 'one')
  await says(hag, 'hail')

  await hag.sends(
    `<message to='${COVEN}' type='groupchat'><body>aye</body><displayed xmlns='urn:xmpp:chat-markers:0' id='${one}'/></message>`,
  )

  expect(await hears(hag)).toContain('error policy-violation')
  expect(await counts(crone, one)).toBe('3: 0 0')
})
