/** A room whose owner adds a member stays on all of the member's devices (XEP-0045 §9.3, XEP-0402 §4). */
import { expect, test } from 'vitest'
import { events, items, request, wants } from '../../test/support/world/nodes.ts'
import { COVEN, owner } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import { archive } from '../archive/index.ts'
import { offline } from '../offline/index.ts'
import { bookmarks } from './index.ts'

const NS = 'urn:xmpp:bookmarks:1'
const WITCH = 'crone2@localhost'
const GROUP = { persistentroom: '1', membersonly: '1' }

const BOOKMARK = request(`<publish node='${NS}'><item id='${COVEN}'><conference xmlns='${NS}' autojoin='true'/></item></publish>`)

function addsMember (jid: string): string {
  return `<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='member' jid='${jid}'/></query>`
}

test('every device hears of the invitation, and that one of them has bookmarked the room', async () => {
  const server = await world(archive, offline, bookmarks)
  const crone = await owner(server, 'crone1@localhost/desktop', 'firstwitch', GROUP)
  const [phone, laptop] = [await server.client(`${WITCH}/phone`), await server.client(`${WITCH}/laptop`)]
  for (const device of [phone, laptop]) await wants(device, NS)
  for (const device of [phone, laptop]) await device.received()

  await crone.asks('set', addsMember(WITCH), COVEN)
  const invited = [await phone.received(), await laptop.received()]
  await phone.asks('set', BOOKMARK)
  await server.idle()

  for (const heard of invited) expect(heard.join()).toContain('<invite')
  expect(await events(laptop)).toEqual([`${NS} ${COVEN}: `])
})

test('a device that comes later finds the room, and one that was away has the invitation', async () => {
  const server = await world(archive, offline, bookmarks)
  const crone = await owner(server, 'crone1@localhost/desktop', 'firstwitch', GROUP)
  const first = await server.client(`${WITCH}/first`) // who has an account
  first.closes()
  await crone.asks('set', addsMember(WITCH), COVEN)
  await server.idle()

  const phone = await server.client(`${WITCH}/phone`)
  await phone.comesOnline()
  await server.idle()
  const invited = (await phone.received()).join()
  await phone.asks('set', BOOKMARK)
  const laptop = await server.client(`${WITCH}/laptop`)

  expect(invited).toContain('<invite')
  expect(await items(laptop, NS)).toEqual([`${COVEN}: `])
})
