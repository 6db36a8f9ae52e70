/**
 * What somebody may do in a room was given to him: nobody takes it by registering (XEP-0045 §7.10, XEP-0313 §6.1.2).
 */
import { expect, test, vi } from 'vitest'
import { archive } from '../../../extensions/archive/index.ts'
import { extensions } from '../../../extensions/index.ts'
import { blocking } from '../../../extensions/blocking/index.ts'
import { groupStatus } from '../../../extensions/group-status/index.ts'
import { hats } from '../../../extensions/hats/index.ts'
import { membersAway } from '../../../extensions/members-away/index.ts'
import { IqTable } from '../../routing/iq-table.ts'
import {
  changes,
  configures,
  COVEN,
  enters,
  hears,
  inside,
  leaves,
  owner,
  says,
} from '../../../test/support/world/rooms.ts'
import type { Client } from '../../../test/support/world/world.ts'
import { world } from '../../../test/support/world/world.ts'

const HAG = 'hag66@localhost/pda'
const MAM = "<query xmlns='urn:xmpp:mam:2'/>"
const SECRET = '<password>cauldron</password>'
const PASSWORD = { passwordprotectedroom: '1', roomsecret: 'cauldron' }

async function registers (client: Client, nick: string, room = COVEN): Promise<void> {
  await client.asks('set', "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>" +
    "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>" +
    `<field var='muc#register_roomnick'><value>${nick}</value></field></x></query>`, room)
}

/** The admin agrees to the request that he has been sent. */
async function agrees (admin: Client): Promise<void> {
  const request = (await admin.received()).find(xml => xml.includes('muc#register_allow')) ?? ''
  const answer = request.slice(request.indexOf('<x '), request.indexOf('</message>')).replace(
    "type='form'",
    "type='submit'",
  ).replace('>0<', '>1<')
  await admin.sends(`<message to='${COVEN}'>${answer}</message>`)
}

async function bodies (client: Client): Promise<readonly string[]> {
  await client.received()
  await client.asks('set', MAM, COVEN)
  return (await client.received()).flatMap(xml => /<body>(.*)<\/body>/.exec(xml)?.[1] ?? [])
}

async function affiliationOf (admin: Client, nick: string): Promise<string | undefined> {
  const list = await admin.asks(
    'get',
    "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='member'/></query>",
    COVEN,
  )
  return list?.getChildren('item').find(item => item.attrs['nick'] === nick)?.attrs['affiliation']
}

function command (node: string, form = ''): string {
  return `<command xmlns='http://jabber.org/protocol/commands' node='${node}'>${form}</command>`
}

test.each([
  ['has a password', PASSWORD], ['is moderated', { moderatedroom: '1' }], ['is for members', { membersonly: '1' }],
])(
  'who registers with a room that %s is a member when an admin agrees, and not before (§7.10)',
  async (_what, config) => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, config)
    const hag = await server.client(HAG)

    await registers(hag, 'thirdwitch')

    expect(await affiliationOf(crone, 'thirdwitch')).toBeUndefined()
    await agrees(crone)
    expect(await affiliationOf(crone, 'thirdwitch')).toBe('member')
  })

test('who registers with a room that has a password reads nothing of it', async () => {
  const server = await world(archive, groupStatus, hats, blocking, membersAway)
  const crone = await owner(server, undefined, undefined, { ...PASSWORD, whois: 'anyone' })
  await says(crone, 'the secret')
  const hag = await server.client(HAG)
  await registers(hag, 'thirdwitch')

  await expect(bodies(hag)).rejects.toThrow('forbidden')
  await expect(hag.asks('get', "<status xmlns='urn:heliograph:group-status:0' id='1'/>", COVEN)).rejects.toThrow(
    'forbidden',
  )
  await expect(hag.asks('set', command('urn:xmpp:hats:commands:list'), COVEN)).rejects.toThrow('forbidden')
})

test.each(['before', 'after'])(
  'who registered %s an open room got a password reads nothing from outside, and all where he is in',
  async when => {
    const server = await world(archive, groupStatus, hats, blocking, membersAway)
    const crone = await owner(server, undefined, undefined, { whois: 'anyone', publicroom: '0' })
    const hag = await server.client(HAG)
    if (when === 'before') await registers(hag, 'thirdwitch')
    await configures(crone, { ...PASSWORD, whois: 'anyone', publicroom: '0' })
    if (when === 'after') await registers(hag, 'thirdwitch')
    await says(crone, 'the secret')
    const members = "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='owner'/></query>"

    await expect(bodies(hag)).rejects.toThrow('forbidden')
    await expect(hag.asks('get', members, COVEN)).rejects.toThrow('forbidden')
    await expect(hag.asks('get', "<status xmlns='urn:heliograph:group-status:0' id='1'/>", COVEN)).rejects.toThrow(
      'forbidden',
    )
    await expect(hag.asks('set', command('urn:xmpp:hats:commands:list'), COVEN)).rejects.toThrow('forbidden')
    await expect(hag.asks('set', command('urn:heliograph:group:0#members-away'), COVEN)).rejects.toThrow('forbidden')
    expect((await hag.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", COVEN))?.toString()).not
      .toContain('muc#roominfo_occupants')
    await enters(hag, 'thirdwitch', SECRET)
    expect(await bodies(hag)).toEqual(['the secret'])
  })

test('a member whom an admin made reads the archive of a room with a password, also after the room was in the database only', async () => {
  const server = await world(archive)
  const crone = await owner(server, undefined, undefined, { ...PASSWORD, persistentroom: '1' })
  await says(crone, 'the secret')
  await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'member' }])

  const later = await server.restarts()

  expect(await bodies(await later.client(HAG))).toEqual(['the secret'])
})

test('what a member took himself is known as that when the room comes from the database', async () => {
  const server = await world(archive)
  const crone = await owner(server, undefined, undefined, { persistentroom: '1' })
  const hag = await server.client(HAG)
  await registers(hag, 'thirdwitch')
  await configures(crone, PASSWORD)
  await says(crone, 'the secret')

  const later = await server.restarts()

  await expect(bodies(await later.client(HAG))).rejects.toThrow('forbidden')
})

test('a visitor has no voice by registering, not at once, not when he comes again, not after it was revoked (§8.4)', async () => {
  const server = await world()
  const crone = await owner(server, undefined, undefined, { moderatedroom: '1' })
  const hag = await inside(server, HAG, 'thirdwitch')

  await registers(hag, 'thirdwitch')
  await says(hag, 'hear me')
  expect(await hears(hag)).toEqual(['error forbidden'])
  await leaves(hag, 'thirdwitch')
  await enters(hag, 'thirdwitch')
  await says(hag, 'hear me')
  expect((await hears(hag)).at(-1)).toBe('error forbidden')
  await changes(crone, [{ nick: 'thirdwitch', role: 'participant' }])
  await changes(crone, [{ nick: 'thirdwitch', role: 'visitor' }])
  await registers(hag, 'thirdwitch')
  await hag.received()
  await says(hag, 'hear me')
  expect(await hears(hag)).toEqual(['error forbidden'])
})

test('who made himself a member while all could speak comes in as a visitor when the room is moderated', async () => {
  const server = await world()
  const crone = await owner(server)
  const hag = await server.client(HAG)
  await registers(hag, 'thirdwitch')
  await configures(crone, { moderatedroom: '1' })

  await enters(hag, 'thirdwitch')

  expect(await hears(hag)).toContain('thirdwitch member/visitor 110')
})

test('who made himself a member is kicked as anybody, by whoever moderates', async () => {
  const server = await world()
  const crone = await owner(server)
  const hag = await inside(server, HAG, 'thirdwitch')
  const wicca = await inside(server, 'wiccarocks@localhost/laptop', 'secondwitch')
  await changes(crone, [{ nick: 'secondwitch', role: 'moderator' }])
  await registers(hag, 'thirdwitch')

  await expect(changes(wicca, [{ nick: 'thirdwitch', role: 'none' }])).resolves.toBeUndefined()
})

test('a membership that an admin gives is given, though somebody had taken it', async () => {
  const server = await world()
  const crone = await owner(server)
  const hag = await server.client(HAG)
  await registers(hag, 'thirdwitch')
  await configures(crone, { moderatedroom: '1' })

  await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'member' }])
  await enters(hag, 'thirdwitch')

  expect(await hears(hag)).toContain('thirdwitch member/participant 110')
})

test('an anonymous account registers with no room', async () => {
  const server = await world()
  await owner(server)
  const guest = await server.guest('2b7a1c@localhost/x')

  await expect(registers(guest, 'thirdwitch')).rejects.toThrow('not-allowed')

  expect(await server.db.query("select jid from room_affiliation where jid = '2b7a1c@localhost'")).toEqual([])
})

test("one who asks to register again and again is asked for once, and keeps nobody else's request out (§9.9)", async () => {
  const server = await world()
  const crone = await owner(server, undefined, undefined, { membersonly: '1' })
  const wicca = await server.client('wiccarocks@localhost/laptop')
  await registers(wicca, 'secondwitch')
  const request = (await crone.received())[0] ?? ''
  const hag = await server.client(HAG)

  for (let n = 0; n < 200; n++) await registers(hag, `nick${n}`).catch(() => {})
  const asked = (await crone.received()).length
  const answer = request.slice(request.indexOf('<x '), request.indexOf('</message>')).replace(
    "type='form'",
    "type='submit'",
  ).replace('>0<', '>1<')
  await crone.sends(`<message to='${COVEN}'>${answer}</message>`)

  expect(asked).toBeLessThan(100)
  expect(await affiliationOf(crone, 'secondwitch')).toBe('member')
})

test('whatever is asked of a room that is not set up, others than its owner are answered as by none (§7.2.10)', async () => {
  const added = vi.spyOn(IqTable.prototype, 'add')
  const server = await world(...extensions.map(extension => [
    extension, extension.name === 'registration' ? { open: true, perAddress: 0 } : extension.config?.parse(undefined),
  ] as const))
  const routes = added.mock.calls.map(([, route]) => route).filter(({ to }) =>
    (to as readonly string[]).includes('room')
  )
  added.mockRestore()
  const crone = await server.client('crone1@localhost/desktop')
  await enters(crone, 'firstwitch')
  const hag = await server.client(HAG)
  const requests = [
    ...routes.map(({ type, name, ns }) => [type, `<${name} xmlns='${ns}'/>`] as const),
    ...['urn:xmpp:hats:commands:list', 'urn:xmpp:hats:commands:create', 'urn:heliograph:group:0#members-away'].map(
      node => ['set', command(node)] as const
    ),
    ['get', "<unheard xmlns='urn:of'/>"] as const,
  ]
  const messages = [
    "<message type='groupchat' to='TO'><body>hello</body></message>", "<message to='TO'><body>hello</body></message>",
    "<message to='TO/firstwitch'><body>hello</body></message>",
    "<message to='TO'><x xmlns='http://jabber.org/protocol/muc#user'><decline to='crone1@localhost'/></x></message>",
    "<message to='TO'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='crone1@localhost'/></x></message>",
    "<iq type='get' id='1' to='TO/firstwitch'><ping xmlns='urn:xmpp:ping'/></iq>",
    "<iq type='get' id='1' to='TO/firstwitch'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    "<presence to='TO/firstwitch'/>", "<presence to='TO'/>", "<presence type='unavailable' to='TO/firstwitch'/>",
  ]
  const answersOf = async (room: string): Promise<readonly string[]> => {
    const answers: string[] = []
    for (const [type, xml] of requests) answers.push(await hag.asks(type, xml, room).then(() => 'result', String))
    for (const xml of messages) {
      await hag.sends(xml.replace('TO', room))
      answers.push(...(await hag.received()).map(answer => answer.replaceAll(room, 'ROOM')))
    }
    return answers
  }

  const [locked, none] = [await answersOf(COVEN), await answersOf('none@conference.localhost')]

  expect(routes.length).toBeGreaterThan(15)
  expect(locked).toEqual(none)
  expect(await crone.received()).not.toContainEqual(expect.stringContaining('hello'))
})
