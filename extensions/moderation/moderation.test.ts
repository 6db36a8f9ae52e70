/** XEP-0425: Moderated Message Retraction. */
import { expect, test } from 'vitest'
import { changes, COVEN, enters, hears, inside, owner, parseStanza, says } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client } from '../../test/support/world/world.ts'
import { archive } from '../archive/index.ts'
import { occupantId } from '../occupant-id/index.ts'
import { retraction } from '../retraction/index.ts'
import { moderation } from './index.ts'

const HAG = 'hag66@localhost/pda'
const RETRACT = "<retract xmlns='urn:xmpp:message-retract:1'/>"

/** A room in which something was said that should not have been, and the id that it was given. */
async function stage () {
  const server = await world(archive, occupantId, retraction, moderation)
  const crone = await owner(server, undefined, undefined, { persistentroom: '1' })
  const hag = await inside(server, HAG, 'thirdwitch')
  await says(hag, 'DM me for free magic potions!')
  const [, said = ''] = await crone.received()
  await hag.received()
  const id = parseStanza(said).getChild('stanza-id', 'urn:xmpp:sid:0')?.attrs['id'] ?? ''
  return { server, crone, hag, id }
}

async function moderates (client: Client, id: string, inside = RETRACT): Promise<void> {
  await client.asks('set', `<moderate xmlns='urn:xmpp:message-moderate:1' id='${id}'>${inside}</moderate>`, COVEN)
}

test('what a moderator takes back the room retracts for all, with who did it and why (§3.1)', async () => {
  const { crone, hag, id } = await stage()

  await moderates(crone, id, `${RETRACT}<reason>No adverts</reason>`)

  for (const client of [crone, hag]) {
    const [notification = ''] = await client.received()
    const stanza = parseStanza(notification)
    const retract = stanza.getChild('retract', 'urn:xmpp:message-retract:1')
    const moderated = retract?.getChild('moderated', 'urn:xmpp:message-moderate:1')
    expect(stanza.attrs).toMatchObject({ type: 'groupchat', from: COVEN })
    expect(retract?.attrs['id']).toBe(id)
    expect(retract?.getChildText('reason', 'urn:xmpp:message-retract:1')).toBe('No adverts')
    expect(moderated?.attrs['by']).toBe(`${COVEN}/firstwitch`)
    expect(moderated?.getChild('occupant-id', 'urn:xmpp:occupant-id:0')?.attrs['id']).toMatch(/./)
  }
})

test('a tombstone takes its place in the archive, and newcomers are not shown it (§4, §5)', async () => {
  const { server, crone, id } = await stage()

  await moderates(crone, id, `${RETRACT}<reason>No adverts</reason>`)
  await crone.received()
  await crone.asks('set', "<query xmlns='urn:xmpp:mam:2'/>", COVEN)
  const archived = (await crone.received()).join('')
  const newcomer = await server.client('wiccarocks@localhost/laptop')
  await enters(newcomer, 'secondwitch')

  expect(archived).toMatch(/<retracted [^>]*><moderated .*No adverts<\/reason><\/retracted>/)
  expect(archived).not.toContain('magic potions')
  expect((await hears(newcomer)).join('\n')).not.toContain('magic potions')
})

test('an admin who is not in may take it back, too, and his address is not told', async () => {
  const { server, crone, hag, id } = await stage()
  await changes(crone, [{ affiliation: 'admin', jid: 'wiccarocks@localhost' }])
  await hag.received()

  await moderates(await server.client('wiccarocks@localhost/laptop'), id)

  const [notification = ''] = await hag.received()
  expect(
    parseStanza(notification).getChild('retract', 'urn:xmpp:message-retract:1')?.getChild(
      'moderated',
      'urn:xmpp:message-moderate:1',
    )?.attrs['by'],
  )
    .toBe(COVEN)
  expect(notification).not.toContain('wiccarocks')
})

test('who does not moderate takes nothing back, not even his own (§3.2)', async () => {
  const { server, crone, hag, id } = await stage()

  await expect(moderates(hag, id)).rejects.toThrow('forbidden')
  await expect(moderates(await server.client('wiccarocks@localhost/laptop'), id)).rejects.toThrow('forbidden')
  expect(await crone.received()).toEqual([])
})

test('what is not there, or was taken back already, is not found, and nobody is told', async () => {
  const { crone, hag, id } = await stage()
  await moderates(crone, id)
  await hag.received()

  for (const other of [id, String(Number(id) + 1), '0', 'nonsense'])
    await expect(moderates(crone, other)).rejects.toThrow('item-not-found')
  await expect(moderates(crone, id, '')).rejects.toThrow('bad-request')
  expect(await hag.received()).toEqual([])
})

test.each([
  ['names the protocol', '<body>urn:xmpp:message-retract:1 magic potions</body>'],
  ['calls itself a retraction', "<body>magic potions</body><retract xmlns='urn:xmpp:message-retract:1' id='1'/>"],
  [
    'calls itself a tombstone',
    "<body>magic potions</body><retracted xmlns='urn:xmpp:message-retract:1' stamp='2026-01-01T00:00:00Z'/>",
  ],
])('what %s is taken back as all else is', async (_, content) => {
  const { crone, hag } = await stage()
  await hag.sends(`<message to='${COVEN}' type='groupchat' id='x'>${content}</message>`)
  const said = (await crone.received()).at(-1) ?? ''

  await moderates(crone, parseStanza(said).getChild('stanza-id', 'urn:xmpp:sid:0')?.attrs['id'] ?? '')

  await crone.received()
  await crone.asks('set', "<query xmlns='urn:xmpp:mam:2'/>", COVEN)
  const archived = await crone.received()
  expect(archived).toHaveLength(3)
  expect(archived[1]).toMatch(/<retracted [^>]*><moderated /)
  expect(archived[1]).not.toContain('magic potions')
})

test('rooms say that they have it (§2)', async () => {
  const { crone } = await stage()

  const info = await crone.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", COVEN)

  expect(info?.toString()).toContain('urn:xmpp:message-moderate:1')
})
