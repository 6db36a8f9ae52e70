/** XEP-0421: Occupant identifiers for semi-anonymous MUCs. */
import { expect, test } from 'vitest'
import { COVEN, enters, inside, leaves, owner, says } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import { occupantId } from './index.ts'

const HAG = 'hag66@localhost/pda'
const ID = /<occupant-id xmlns='urn:xmpp:occupant-id:0' id='([^']+)'\/>/g

/** The ids in what came. */
function idsIn (stanzas: readonly string[]): readonly string[] {
  return stanzas.flatMap(xml => [...xml.matchAll(ID)].map(match => match[1] ?? ''))
}

async function stage () {
  const server = await world(occupantId)
  const crone = await owner(server, undefined, undefined, { changesubject: '1' })
  const hag = await inside(server, HAG, 'thirdwitch')
  const [id = ''] = idsIn(await crone.received())
  return { server, crone, hag, id }
}

test('rooms say that they have them, and so does their service (§2, §4)', async () => {
  const { crone } = await stage()
  for (const entity of [COVEN, 'conference.localhost']) {
    const info = await crone.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", entity)
    expect(info?.toString()).toContain('urn:xmpp:occupant-id:0')
  }
})

test('everything that somebody sends to a room bears his id: presence, messages, private ones, and his leave (§4)', async () => {
  const { crone, hag, id } = await stage()

  await hag.sends(`<presence to='${COVEN}/thirdwitch'><show>away</show></presence>`)
  await says(hag, 'hail')
  await hag.sends(`<message to='${COVEN}/firstwitch' type='chat'><body>psst</body></message>`)
  await hag.sends(`<message to='${COVEN}' type='groupchat'><subject>Fire Burn</subject></message>`)
  await leaves(hag, 'thirdwitch')

  const received = await crone.received()
  expect(received).toHaveLength(5)
  expect(idsIn(received)).toEqual(Array(5).fill(id))
  expect(id.length).toBeLessThanOrEqual(128)
})

test('it stays the same with another nick, on another device, and after the server was started again (§4.1)', async () => {
  const { server, crone, hag, id } = await stage()

  await hag.sends(`<presence to='${COVEN}/oldhag'/>`)
  await crone.received()
  await says(hag, 'hail')
  expect(idsIn(await crone.received())).toEqual([id])

  const again = await server.restarts()
  const witch = await owner(again)
  const phone = await again.client('hag66@localhost/phone')
  await enters(phone, 'somebody')
  expect(idsIn(await witch.received())).toEqual([id])
})

test('another occupant has another, and the same one has another in another room (§4.1)', async () => {
  const { server, crone, hag, id } = await stage()
  const elsewhere = await owner(server, 'crone1@localhost/desktop', 'firstwitch', {}, 'heath@conference.localhost')

  await says(crone, 'hail')
  const [ofCrone] = idsIn(await hag.received()).slice(-1)
  await enters(hag, 'thirdwitch', '', 'heath@conference.localhost')
  const [there] = idsIn(await elsewhere.received())

  expect(new Set([id, ofCrone, there]).size).toBe(3)
})

test('one that a client sends is replaced (§4)', async () => {
  const { crone, hag, id } = await stage()

  await hag.sends(
    `<message to='${COVEN}' type='groupchat'><body>x</body><occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/></message>`,
  )
  await hag.sends(
    `<presence to='${COVEN}/thirdwitch'><occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/></presence>`,
  )

  const received = await crone.received()
  expect(idsIn(received)).toEqual([id, id])
  expect(received.join('')).not.toContain('forged')
})

test('those of the history are of who said it (§4)', async () => {
  const { server, hag, id } = await stage()
  await says(hag, 'hail')

  const newcomer = await server.client('crone2@localhost/desktop')
  await enters(newcomer, 'secondwitch')

  const said = (await newcomer.received()).filter(xml => xml.includes('hail'))
  expect(idsIn(said)).toEqual([id])
})

test('who has the name of a removed account has another id than that one had (§4.1)', async () => {
  const { server, crone, hag, id } = await stage()
  await server.core.commands.remove(hag.session.account.jid)
  const next = await inside(server, HAG, 'thirdwitch')
  await crone.received()

  await says(next, 'hail')

  const ids = idsIn(await crone.received())
  expect(ids).toHaveLength(1)
  expect(ids).not.toContain(id)
})
