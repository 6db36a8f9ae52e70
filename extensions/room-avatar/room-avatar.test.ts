/** XEP-0486: MUC Avatars. */
import { expect, test } from 'vitest'
import { changes, COVEN, enters, hears, inside, owner } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client } from '../../test/support/world/world.ts'
import { roomAvatar } from './index.ts'

const HAG = 'hag66@localhost/pda'
const CAULDRON = '<PHOTO><TYPE>image/png</TYPE><BINVAL>\nY2F1bGRyb24=\n</BINVAL></PHOTO>'
const CAULDRON_SHA1 = 'a145b9f33bfa291d7cf4ec285a529d69fdc876d6'

async function stage () {
  const server = await world(roomAvatar)
  const crone = await owner(server, undefined, undefined, { persistentroom: '1' })
  const hag = await inside(server, HAG, 'thirdwitch')
  await crone.received()
  return { server, crone, hag }
}

async function publishes (client: Client, inside: string): Promise<void> {
  await client.asks('set', `<vCard xmlns='vcard-temp'>${inside}</vCard>`, COVEN)
}

async function reads (client: Client): Promise<string | undefined> {
  return (await client.asks('get', "<vCard xmlns='vcard-temp'/>", COVEN))?.getChild('PHOTO')?.getChildText('BINVAL')
    ?.trim()
}

async function hashes (client: Client): Promise<readonly string[] | undefined> {
  const info = await client.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", COVEN)
  const field = info?.getChild('x', 'jabber:x:data')?.getChildren('field').find(one =>
    one.attrs['var'] === 'muc#roominfo_avatarhash'
  )
  return field?.getChildren('value').map(value => value.text())
}

test('what an owner publishes everybody may read, also who is not in; those who are in are told (§3.2)', async () => {
  const { server, crone, hag } = await stage()

  await publishes(crone, CAULDRON)

  expect(await reads(await server.client('wiccarocks@localhost/laptop'))).toBe('Y2F1bGRyb24=')
  expect((await hears(hag)).map(line => line.split(' ').at(-1))).toEqual(['104'])
})

test('it is sent as it was written, byte by byte', async () => {
  const { crone } = await stage()
  const content = `${CAULDRON}${'<a></a>'.repeat(3_000)}`
  await publishes(crone, content)
  await crone.received()

  await crone.sends(`<iq type='get' id='raw' to='${COVEN}'><vCard xmlns='vcard-temp'/></iq>`)

  expect(await crone.received()).toEqual([expect.stringContaining(`<vCard xmlns='vcard-temp'>${content}</vCard>`)])
})

test('service discovery tells the hash of each picture, and nothing where there is none (§3.3, §4, §5.1)', async () => {
  const { crone } = await stage()
  expect(await hashes(crone)).toBeUndefined()

  await publishes(crone, CAULDRON + CAULDRON)

  expect(await hashes(crone)).toEqual([CAULDRON_SHA1, CAULDRON_SHA1])
})

test('an empty vCard takes it away (§3.2)', async () => {
  const { crone } = await stage()
  await publishes(crone, CAULDRON)

  await publishes(crone, '')

  expect(await hashes(crone)).toBeUndefined()
  expect(await reads(crone)).toBeUndefined()
})

test('it is there after a new start, and gone with the room', async () => {
  const { server, crone } = await stage()
  await publishes(crone, CAULDRON)

  const again = await (await server.restarts()).client('crone1@localhost/desktop')
  expect(await hashes(again)).toEqual([CAULDRON_SHA1])
  await again.asks('set', "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>", COVEN)

  expect(await server.db.query('select from room_avatar')).toEqual([])
})

test('who is no owner publishes nothing (§6)', async () => {
  const { crone, hag } = await stage()
  await changes(crone, [{ affiliation: 'admin', jid: 'hag66@localhost' }])

  await expect(publishes(hag, CAULDRON)).rejects.toThrow('forbidden')
  expect(await hashes(crone)).toBeUndefined()
})

test('a room that is not set up yet has none', async () => {
  const server = await world(roomAvatar)
  const crone = await server.client('crone1@localhost/desktop')
  await enters(crone, 'firstwitch')

  await expect(publishes(crone, CAULDRON)).rejects.toThrow('unexpected-request')
  await expect(reads(await server.client(HAG))).rejects.toThrow('item-not-found')
})
