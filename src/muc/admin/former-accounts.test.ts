/** What an account was in rooms ends with it (XEP-0077 §3.2): nobody who has its name later is anything by that. */
import { expect, test } from 'vitest'
import { archive } from '../../../extensions/archive/index.ts'
import { extensions } from '../../../extensions/index.ts'
import { streamManagement } from '../../../extensions/stream-management/index.ts'
import { affiliationVersions } from '../../../extensions/affiliation-versions/index.ts'
import { redisNodes } from '../../../test/support/cluster/redis-cluster.ts'
import { PATIENCE, roomAt } from '../../../test/support/cluster/room-nodes.ts'
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
import type { Client, Extensions, World } from '../../../test/support/world/world.ts'
import { database, world, worldWith } from '../../../test/support/world/world.ts'
import { Jid } from '../../xmpp/jid.ts'

const CRONE = 'crone1@localhost/desktop'
const HAG = 'hag66@localhost/pda'
const WICCA = 'wiccarocks@localhost/laptop'
const MAM = "<query xmlns='urn:xmpp:mam:2'/>"
const GROUP = { persistentroom: '1', membersonly: '1' }

function all (): Extensions {
  return extensions.map(extension =>
    [
      extension,
      extension.name === 'registration' ? { open: true, perAddress: 0 } : extension.config?.parse(undefined),
    ] as const
  )
}

async function removes (client: Client): Promise<void> {
  await client.asks('set', "<query xmlns='jabber:iq:register'><remove/></query>")
}

async function listed (client: Client, affiliation: string, room = COVEN): Promise<readonly string[]> {
  const list = await client.asks(
    'get',
    `<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='${affiliation}'/></query>`,
    room,
  )
  return list?.getChildren('item').map(item => item.attrs['jid'] ?? '') ?? []
}

function does (client: Client, node: string, fields: Readonly<Record<string, string>>): Promise<unknown> {
  const xml = Object.entries(fields).map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`)
    .join('')
  return client.asks(
    'set',
    `<command xmlns='http://jabber.org/protocol/commands' node='${node}'><x xmlns='jabber:x:data' type='submit'>${xml}</x></command>`,
    COVEN,
  )
}

/** Where an account's name stands in the database, as TABLE.COLUMN. */
async function traces (name: string): Promise<readonly string[]> {
  const columns = await database().query<{ readonly table_name: string, readonly column_name: string }>(
    "select table_name, column_name from information_schema.columns where table_schema = current_schema() and table_name <> 'migration'",
  )
  const found: string[] = []
  for (const { table_name: table, column_name: column } of columns) {
    const rows = await database().query(`select 1 from "${table}" where to_jsonb("${column}")::text like $1 or
      case when pg_typeof("${column}") = 'bytea'::regtype then encode("${column}"::text::bytea, 'escape') like $1 end limit 1`,
    [`%${name}%`],
    )
    if (rows.length > 0) found.push(`${table}.${column}`)
  }
  return found.sort()
}

/** What others keep for themselves of somebody: what they talked, and whom they know or want to hear nothing of. */
const OTHERS_OWN: readonly string[] = [
  'archive_message.peer', 'archive_message.stanza', 'archive_preference.always', 'archive_preference.never',
  'block_item.blocked', 'roster_item.contact',
]

async function livesAmongOthers (server: World): Promise<{ readonly hag: Client, readonly crone: Client }> {
  const crone = await owner(server, CRONE, 'firstwitch', GROUP)
  const hag = await server.client(HAG)
  await hag.comesOnline()
  await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'member' }])
  await enters(hag, 'thirdwitch')
  await hag.asks('set', "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>" +
    "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>" +
    "<field var='muc#register_roomnick'><value>thirdwitch</value></field></x></query>", COVEN)
  await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'owner' }])
  await does(crone, 'urn:xmpp:hats:commands:create', { 'hats#title': 'Host', 'hats#uri': 'urn:host' })
  await does(crone, 'urn:xmpp:hats:commands:assign', { 'hats#jid': 'hag66@localhost', 'hats#uri': 'urn:host' })
  await does(hag, 'urn:heliograph:group:0#members-away', { deliver: '0' })
  await enters(hag, 'hag', '', 'own@conference.localhost')
  await configures(hag, { persistentroom: '1' }, 'own@conference.localhost')
  await says(crone, 'hail')
  const [stanza = ''] = (await hag.received()).filter(xml => xml.includes('hail'))
  const id = /<stanza-id [^>]*\bid='([^']+)'/.exec(stanza)?.[1] ?? ''
  await hag.sends(
    `<message type='groupchat' to='${COVEN}'><displayed xmlns='urn:xmpp:chat-markers:0' id='${id}'/></message>`,
  )
  await crone.asks('set', "<block xmlns='urn:xmpp:blocking'><item jid='hag66@localhost/old'/></block>")
  await crone.sends(
    "<message to='hag66@localhost' type='chat' id='m1'><body>round about</body><markable xmlns='urn:xmpp:chat-markers:0'/></message>",
  )
  await hag.sends(
    "<message to='crone1@localhost' type='chat'><displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/></message>",
  )
  await hag.asks('set', "<query xmlns='jabber:iq:private'><s xmlns='of:hag'/></query>")
  await hag.asks('set', "<vCard xmlns='vcard-temp'><FN>hag</FN></vCard>")
  await crone.asks('set', "<query xmlns='jabber:iq:roster'><item jid='hag66@localhost'/></query>")
  await hag.asks('set', "<query xmlns='jabber:iq:roster'><item jid='crone1@localhost'/></query>")
  await crone.asks('get', "<status xmlns='urn:heliograph:status:0' with='hag66@localhost'/>")
  await crone.asks('get', `<status xmlns='urn:heliograph:group-status:0' id='${id}'/>`, COVEN)
  return { hag, crone }
}

test('a removed account\'s name stands nowhere in the database but in what others keep for themselves', async () => {
  const server = await world(...all())
  const { hag } = await livesAmongOthers(server)
  const before = await traces('hag66@localhost')

  await removes(hag)
  await hag.received()

  // That there was something in each of these shows that the search finds it.
  expect(before).toEqual(expect.arrayContaining([
    'account.jid', 'conversation_status.peer', 'private_element.owner', 'room.creator', 'room_affiliation.jid',
    'room_affiliation_version.account',
    'room_away_off.account',
    'room_hat_wearer.account',
    'room_position.account',
    'vcard.owner',
  ]))
  expect((await traces('hag66@localhost')).filter(where => !OTHERS_OWN.includes(where))).toEqual([])
})

test.each(['in memory', 'in the database only'])(
  'who has the name later is nothing in rooms that are %s',
  async where => {
    const server = await world(...all())
    const { hag, crone } = await livesAmongOthers(server)
    if (where !== 'in memory') {
      for (const [client, nick] of [[hag, 'thirdwitch'], [crone, 'firstwitch']] as const) await leaves(client, nick)
    }
    await removes(hag)
    await hag.received()

    const heir = await server.client('hag66@localhost/new')
    await heir.comesOnline()
    await says(crone, 'hail again')

    expect(await heir.receivedInBrief()).not.toContainEqual(expect.stringContaining('hail again'))
    await expect(heir.asks('set', MAM, COVEN)).rejects.toThrow('forbidden')
    await expect(heir.asks('get', "<query xmlns='http://jabber.org/protocol/muc#owner'/>", COVEN)).rejects.toThrow(
      'forbidden',
    )
    await enters(heir, 'thirdwitch')
    expect(await hears(heir)).toEqual(['error registration-required'])
    await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'member' }])
    await enters(heir, 'thirdwitch')
    const own = (await heir.received()).find(xml => xml.includes("code='110'")) ?? ''
    expect(own).toContain("affiliation='member'")
    expect(own).not.toContain('urn:host')
  })

test('those who are in are told, and who knew the lists before is told all of them (XEP-0463)', async () => {
  const server = await world(...all())
  const { hag, crone } = await livesAmongOthers(server)
  await crone.received()
  await enters(crone, 'firstwitch', "<mav xmlns='urn:xmpp:muc:affiliations:1'/>")
  const until = /<mav [^>]*until='([^']*)'[^>]*\/><status code='110'|<mav [^>]*until='([^']*)'/.exec(
    (await crone.received()).join(''),
  )
  const since = until?.[1] ?? until?.[2]

  await removes(hag)

  expect((await crone.received()).join('')).toContain("affiliation='none'")
  await enters(crone, 'firstwitch', `<mav xmlns='urn:xmpp:muc:affiliations:1' since='${since}'/>`)
  const told = (await crone.received()).filter(xml => xml.startsWith('<message') && xml.includes('<mav'))
  expect(told.join('')).toContain("jid='crone1@localhost'")
  expect(told.join('')).not.toContain('hag66@localhost')
})

test('where the last owner ends, who was longest an admin owns the room; or else who was longest made a member', async () => {
  const server = await world(...all())
  const crone = await owner(server, CRONE, 'firstwitch', GROUP)
  const wicca = await server.client(WICCA)
  const hag = await server.client(HAG)
  for (
    const [client, jid, nick] of [
      [wicca, 'wiccarocks@localhost', 'secondwitch'], [hag, 'hag66@localhost', 'thirdwitch'],
    ] as const
  ) {
    await changes(crone, [{ jid, affiliation: 'member' }])
    await enters(client, nick)
  }
  await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'admin' }])

  await removes(crone)
  expect(await listed(hag, 'owner')).toEqual(['hag66@localhost'])
  await removes(hag)

  expect(await listed(wicca, 'owner')).toEqual(['wiccarocks@localhost'])
})

test('nobody becomes an owner who made himself a member, or was made one and never came', async () => {
  const server = await world(...all())
  const crone = await owner(server, CRONE, 'firstwitch', { persistentroom: '1' })
  await server.client(WICCA)
  await changes(crone, [{ jid: 'wiccarocks@localhost', affiliation: 'admin' }])
  const hag = await inside(server, HAG, 'thirdwitch')
  await hag.asks('set', "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>" +
    "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#register</value></field>" +
    "<field var='muc#register_roomnick'><value>thirdwitch</value></field></x></query>", COVEN)
  await hag.received()

  await removes(crone)

  expect((await hears(hag)).at(-1)).toBe('gone thirdwitch none/none 110 destroyed  The room has no owner any more.')
  expect(await server.db.query('select jid from room')).toEqual([])
})

test('while a room can\'t forget, nobody has the name; as soon as it has, somebody may', async () => {
  const server = await worldWith({}, ...all())
  const { hag } = await livesAmongOthers(server)
  await hag.received()
  let isAway = true
  const undo = server.core.events.add('room.forgotten', () => { if (isAway) throw new Error('away') })

  await removes(hag)
  await expect(server.core.commands.add(Jid.parse('hag66@localhost'), 'secret')).rejects.toMatchObject({
    condition: 'resource-constraint',
  })
  isAway = false
  undo()
  const later = await server.restarts()

  await expect.poll(() => later.core.commands.add(Jid.parse('hag66@localhost'), 'secret').then(() => 'added', String), {
    timeout: 20_000,
  }).toBe('added')
})

test('an account that a room can\'t forget keeps no other from being forgotten', async () => {
  const server = await world()
  await owner(server)
  server.core.events.add('room.forgotten', (_room, account) => {
    if (account.local === 'first') throw new Error('away')
  })
  await server.db.query(
    "insert into former_account (jid, rooms, removed_at) select name, array[$1], now() - interval '1 minute' from unnest($2::text[]) as name",
    [COVEN, ['first@localhost', 'second@localhost']])

  const left = (): Promise<readonly unknown[]> => server.db.query('select jid from former_account')

  await expect.poll(left, { timeout: 20_000 }).toEqual([{ jid: 'first@localhost' }])
}, 30_000)

test('what an anonymous account was given ends with its session', async () => {
  const server = await world(...all())
  const crone = await owner(server, CRONE, 'firstwitch', GROUP)
  const guest = await server.guest('2b7a1c@localhost/x')
  await changes(crone, [{ jid: '2b7a1c@localhost', affiliation: 'member' }])
  await enters(guest, 'guest')
  await guest.received()

  guest.leaves(false)

  await expect.poll(() => traces('2b7a1c@localhost'), PATIENCE).toEqual([])
  expect(await listed(crone, 'member')).toEqual([])
})

test('the room forgets at whichever node it is at home, and the account is removed at another', async () => {
  const { nodes } = await redisNodes(3, archive, streamManagement, affiliationVersions)
  const [a, b, c] = nodes
  if (!a || !b || !c) throw new Error('three nodes')
  for (const { cluster } of nodes) await expect.poll(() => cluster.membership.nodes.length).toBe(3)
  await a.db.query('delete from room')
  await a.db.query('delete from former_account')
  const room = roomAt(c, nodes)
  const crone = await b.client(CRONE)
  await enters(crone, 'firstwitch', '', room)
  await configures(crone, GROUP, room)
  const hag = await a.client(HAG)
  await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'owner' }], room)
  expect(c.core.rooms.atHome()).toContain(room)

  await b.core.commands.remove(hag.session.account.jid)

  expect(await listed(crone, 'owner', room)).toEqual(['crone1@localhost'])
  const heir = await a.client('hag66@localhost/new')
  await expect(heir.asks('set', MAM, room)).rejects.toThrow('forbidden')
  await enters(heir, 'thirdwitch', '', room)
  await expect.poll(() => hears(heir), PATIENCE).toEqual(['error registration-required'])
})
