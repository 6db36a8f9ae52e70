/** XEP-0045 §7.10 and §9.9: who registers with a room has his nick to himself. */
import { describe, expect, test } from 'vitest'
import { changes, COVEN, enters, hears, inside, owner } from '../../../test/support/world/rooms.ts'
import type { Client } from '../../../test/support/world/world.ts'
import { world } from '../../../test/support/world/world.ts'

const HAG = 'hag66@localhost/pda'
const WICCA = 'wiccarocks@localhost/laptop'
const FORM_TYPE = "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>"

async function registers (client: Client, nick: string): Promise<void> {
  await client.asks('set', "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>" + FORM_TYPE +
    `<field var='muc#register_roomnick'><value>${nick}</value></field></x></query>`, COVEN)
}

describe('in an open room', () => {
  test('who registers is a member, and all are told', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    const form = await hag.asks('get', "<query xmlns='jabber:iq:register'/>", COVEN)
    expect(form?.toString()).toContain('muc#register_roomnick')
    await registers(hag, 'thirdwitch')

    expect(await hears(crone)).toEqual(['thirdwitch member/participant hag66@localhost/pda'])
    const registered = await hag.asks('get', "<query xmlns='jabber:iq:register'/>", COVEN)
    expect([registered?.getChild('registered') !== undefined, registered?.getChildText('username')]).toEqual([
      true,
      'thirdwitch',
    ])
  })

  test('nobody registers a nick that is another\'s', async () => {
    const server = await world()
    await owner(server)
    const hag = await server.client(HAG)
    const wicca = await server.client(WICCA)
    await registers(hag, 'thirdwitch')

    await expect(registers(wicca, 'thirdwitch')).rejects.toThrow('conflict')
    await expect(registers(wicca, 'firstwitch')).rejects.toThrow('conflict')
    await enters(wicca, 'thirdwitch')
    expect(await hears(wicca)).toEqual(['error conflict'])
  })

  test('who registers no more is no member, and his nick is free', async () => {
    const server = await world()
    await owner(server)
    const hag = await server.client(HAG)
    await registers(hag, 'thirdwitch')

    await hag.asks('set', "<query xmlns='jabber:iq:register'><remove/></query>", COVEN)
    await inside(server, WICCA, 'thirdwitch')

    await enters(hag, 'oldhag')
    expect(await hears(hag)).toContain('oldhag none/participant 110')
  })

  test('an owner has a nick to himself and stays an owner', async () => {
    const server = await world()
    const crone = await owner(server)
    await server.client(HAG)

    await registers(crone, 'hecate')
    await crone.asks('set', "<query xmlns='jabber:iq:register'><remove/></query>", COVEN)

    await expect(changes(crone, [{ jid: 'hag66@localhost', affiliation: 'owner' }])).resolves.toBeUndefined()
  })

  test('a form is needed, and not to be banned', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await server.client(HAG)
    await expect(hag.asks('set', "<query xmlns='jabber:iq:register'/>", COVEN)).rejects.toThrow('bad-request')
    await expect(registers(hag, ' ')).rejects.toThrow('bad-request')

    await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'outcast' }])

    await expect(registers(hag, 'thirdwitch')).rejects.toThrow('not-allowed')
  })
})

test('in a room for members an admin is asked (§9.9)', async () => {
  const server = await world()
  const crone = await owner(server, undefined, undefined, { membersonly: '1' })
  const hag = await server.client(HAG)

  await registers(hag, 'thirdwitch')
  await enters(hag, 'thirdwitch')
  expect(await hears(hag)).toEqual(['error registration-required'])

  const [request = ''] = await crone.received()
  expect(request).toContain('hag66@localhost')
  const answer = request.slice(request.indexOf('<x '), request.indexOf('</message>')).replace(
    "type='form'",
    "type='submit'",
  ).replace('>0<', '>1<')
  await hag.sends(`<message to='${COVEN}'>${answer}</message>`)
  expect(await hears(hag)).toEqual(['error forbidden'])
  await crone.sends(`<message to='${COVEN}'>${answer}</message>`)
  await enters(hag, 'thirdwitch')
  expect(await hears(hag)).toContain('thirdwitch member/participant 110')
})

test("a request of an account that was removed is nobody's: who has the name later is not made a member (§9.9)", async () => {
  const server = await world()
  const crone = await owner(server, undefined, undefined, { membersonly: '1' })
  const hag = await server.client(HAG)
  await registers(hag, 'thirdwitch')
  await server.core.commands.remove(hag.session.account.jid)
  const next = await server.client('hag66@localhost/new')
  await crone.received()

  await crone.sends(`<message to='${COVEN}'><x xmlns='jabber:x:data' type='submit'>${FORM_TYPE}` +
      "<field var='muc#register_roomnick'><value>thirdwitch</value></field><field var='muc#register_allow'><value>1</value></field></x></message>",
  )

  expect(await crone.receivedInBrief()).toEqual(['message error item-not-found from coven@conference.localhost'])
  await enters(next, 'thirdwitch')
  expect(await hears(next)).toEqual(['error registration-required'])
})
