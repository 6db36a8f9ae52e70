/**
 * XEP-0045 §7.8.2 and §9.5: invitations reach whom they are for and who lets them, and only what was asked is answered.
 */
import { expect, test } from 'vitest'
import { blocking } from '../../../extensions/blocking/index.ts'
import { PATIENCE, roomAt } from '../../../test/support/cluster/room-nodes.ts'
import { redisNodes } from '../../../test/support/cluster/redis-cluster.ts'
import {
  changes,
  comesOnce,
  configures,
  COVEN,
  enters,
  hears,
  inside,
  leaves,
  owner,
} from '../../../test/support/world/rooms.ts'
import type { Client, World } from '../../../test/support/world/world.ts'
import { world, worldWith } from '../../../test/support/world/world.ts'
import { invitationStore } from './invitation-store.ts'

const USER = "xmlns='http://jabber.org/protocol/muc#user'"
const HAG = 'hag66@localhost'
const GROUP = { persistentroom: '1', membersonly: '1' }

async function online (server: Pick<World, 'client'>, jid: string): Promise<Client> {
  const client = await server.client(jid)
  await client.comesOnline()
  await client.received()
  return client
}

async function invites (client: Client, to: string, room = COVEN): Promise<void> {
  await client.sends(`<message to='${room}'><x ${USER}><invite to='${to}'><reason>come</reason></invite></x></message>`)
}

async function declines (client: Client, to: string, room = COVEN): Promise<void> {
  await client.sends(`<message to='${room}'><x ${USER}><decline to='${to}'><reason>no</reason></decline></x></message>`)
}

async function blocks (client: Client, jid: string): Promise<void> {
  await client.asks('set', `<block xmlns='urn:xmpp:blocking'><item jid='${jid}'/></block>`)
}

async function invitations (client: Client): Promise<number> {
  return (await client.received()).filter(xml => xml.includes('<invite')).length
}

test.each(['crone1@localhost', 'localhost'])(
  'who has blocked %s is not invited by him through a room, nor by being made a member',
  async blocked => {
    const server = await world(blocking)
    const crone = await owner(server, undefined, undefined, GROUP)
    const hag = await online(server, `${HAG}/pda`)
    await blocks(hag, blocked)

    await invites(crone, HAG)
    await changes(crone, [{ jid: HAG, affiliation: 'none' }])
    await changes(crone, [{ jid: HAG, affiliation: 'member', reason: 'buy' }])

    expect(await hag.received()).toEqual([])
    expect(await hears(crone)).not.toContainEqual(expect.stringContaining('error'))
  })

test('whom one has blocked is not heard declining', async () => {
  const server = await world(blocking)
  const crone = await owner(server)
  const hag = await online(server, `${HAG}/pda`)
  await invites(crone, HAG)
  await blocks(crone, HAG)

  await declines(hag, 'crone1@localhost')

  expect(await crone.received()).toEqual([])
})

test('a decline answers an invitation, once, and goes to who invited', async () => {
  const server = await world()
  const crone = await owner(server, undefined, undefined, { persistentroom: '1' })
  const wicca = await inside(server, 'wiccarocks@localhost/laptop', 'secondwitch')
  const hag = await online(server, `${HAG}/pda`)
  await invites(wicca, HAG)
  await hag.received()
  await crone.received()

  await declines(hag, 'crone1@localhost')
  expect([await hears(hag), await crone.received()]).toEqual([['error item-not-found'], []])
  await declines(hag, 'wiccarocks@localhost')
  expect((await wicca.received()).at(-1)).toMatch(/<decline [^>]*from='hag66@localhost'/)
  await declines(hag, 'wiccarocks@localhost')
  expect(await hears(hag)).toEqual(['error item-not-found'])
})

test('a decline without an invitation tells nothing of anybody: all answers are one', async () => {
  const server = await world()
  const crone = await owner(server, undefined, undefined, { membersonly: '1' })
  await changes(crone, [{ jid: 'banned@localhost', affiliation: 'outcast' }])
  await crone.received()
  const hag = await online(server, `${HAG}/pda`)

  for (
    const to of [
      'crone1@localhost',
      'banned@localhost',
      'nobody@localhost',
      `${COVEN}/firstwitch`,
      `${COVEN}/nobody`,
      COVEN,
    ]
  ) await declines(hag, to)

  expect(await hears(hag)).toEqual(Array.from({ length: 6 }, () => 'error item-not-found'))
  expect(await crone.received()).toEqual([])
})

test('who is banned declines nothing', async () => {
  const server = await world()
  const crone = await owner(server)
  const hag = await online(server, `${HAG}/pda`)
  await invites(crone, HAG)
  await hag.received()
  await changes(crone, [{ jid: HAG, affiliation: 'outcast' }])
  await crone.received()

  await declines(hag, 'crone1@localhost')

  expect([await hears(hag), await crone.received()]).toEqual([['error forbidden'], []])
})

test('an invitation can be declined after the room was in the database only, and by who was away', async () => {
  const server = await world()
  const crone = await owner(server, undefined, undefined, { persistentroom: '1' })
  await server.client(`${HAG}/pda`)
  await invites(crone, HAG)
  await leaves(crone, 'firstwitch')

  const later = await server.restarts()
  const again = await online(later, 'crone1@localhost/desktop')
  await declines(await online(later, `${HAG}/pda`), 'crone1@localhost')

  expect((await again.received()).at(-1)).toMatch(/<decline [^>]*from='hag66@localhost'/)
})

test('many who are made members by one request are all members, and as many are told as one may invite', async () => {
  const server = await worldWith({ invitationsPerMinute: 10 })
  const crone = await owner(server, undefined, undefined, GROUP)
  const names = Array.from({ length: 30 }, (_, number) => `member${number}@localhost`)
  const members = await Promise.all(names.map(name => online(server, `${name}/x`)))

  await changes(crone, names.map(jid => ({ jid, affiliation: 'member' })))
  const told = await Promise.all(members.map(invitations))
  await invites(crone, 'member1@localhost')

  expect(told.reduce((sum, count) => sum + count)).toBe(10)
  expect(await hears(crone)).toContain('error resource-constraint')
  expect(await server.db.query("select count(*)::int as count from room_affiliation where affiliation = 'member'"))
    .toEqual([{ count: 30 }])
})

test('who invites to several rooms has one rate for all of them', async () => {
  const server = await worldWith({ invitationsPerMinute: 2 })
  const garden = 'garden@conference.localhost'
  const crone = await owner(server)
  await enters(crone, 'firstwitch', '', garden)
  await configures(crone, {}, garden)
  await crone.received()
  const hag = await online(server, `${HAG}/pda`)

  for (const room of [COVEN, garden, COVEN, garden]) await invites(crone, HAG, room)

  expect(await invitations(hag)).toBe(2)
  expect(await hears(crone)).toEqual(Array(2).fill('error resource-constraint'))
})

test('who is made a member again and again is told once, until he has answered', async () => {
  const server = await world()
  const crone = await owner(server, undefined, undefined, GROUP)
  const hag = await online(server, `${HAG}/pda`)
  const again = async (): Promise<number> => {
    await changes(crone, [{ jid: HAG, affiliation: 'none' }])
    await changes(crone, [{ jid: HAG, affiliation: 'member' }])
    return invitations(hag)
  }

  expect([await again(), await again(), await again()]).toEqual([1, 0, 0])
  await comesOnce(hag, 'thirdwitch')
  expect([await again(), await again()]).toEqual([1, 0])
  await declines(hag, 'crone1@localhost')
  expect(await again()).toBe(1)
})

test('a room remembers the latest thousand of its invitations', async () => {
  const server = await worldWith({ invitationsPerMinute: 0 })
  const crone = await owner(server, undefined, undefined, { ...GROUP, persistentroom: '1' })
  const some = (from: number): readonly { jid: string, affiliation: string }[] =>
    Array.from(
      { length: 600 },
      (_, number) => ({ jid: `member${from + number}@nowhere.example`, affiliation: 'member' }),
    )

  await changes(crone, some(0))
  await changes(crone, some(600))

  await expect.poll(() => server.db.query('select count(*)::int as count from room_invitation'), PATIENCE).toEqual([{
    count: 1000,
  }])
})

test('who invites more than a room remembers loses invitations of his own, and nobody else does', async () => {
  const server = await worldWith({ invitationsPerMinute: 0 })
  const crone = await owner(server)
  const wicca = await inside(server, 'wiccarocks@localhost/laptop', 'secondwitch')
  const hag = await online(server, `${HAG}/pda`)
  await invites(crone, HAG)

  for (let number = 0; number < 1050; number += 50) {
    const invited = Array.from({ length: 50 }, (_, place) => `<invite to='member${number + place}@nowhere.example'/>`)
    await wicca.sends(`<message to='${COVEN}'><x ${USER}>${invited.join('')}</x></message>`)
  }
  await crone.received()
  await declines(hag, 'crone1@localhost')

  expect((await crone.received()).join()).toMatch(/<decline [^>]*from='hag66@localhost'/)
  expect(await server.db.query('select inviter, count(*)::int as count from room_invitation group by inviter'))
    .toEqual([{ inviter: 'wiccarocks@localhost', count: 999 }])
})

test('who is invited at one node to a room at another declines there, and is not heard where he is blocked', async () => {
  const { nodes } = await redisNodes(3, blocking)
  const [a, b, c] = nodes
  if (!a || !b || !c) throw new Error('three nodes')
  for (const { cluster } of nodes) await expect.poll(() => cluster.membership.nodes.length).toBe(3)
  await a.db.query('delete from room')
  const room = roomAt(c, nodes)
  const crone = await owner(a, undefined, undefined, {}, room)
  const [hag, wicca] = [await online(b, `${HAG}/pda`), await online(b, 'wiccarocks@localhost/laptop')]
  await blocks(wicca, 'crone1@localhost')

  await invites(crone, 'wiccarocks@localhost', room)
  await invites(crone, HAG, room)
  await expect.poll(() => invitations(hag), PATIENCE).toBe(1)
  await declines(hag, 'crone1@localhost', room)

  await expect.poll(async () => (await crone.received()).join(''), PATIENCE).toMatch(
    /<decline [^>]*from='hag66@localhost'/,
  )
  expect(await invitations(wicca)).toBe(0)
})

test('nobody is invited by who is not in', async () => {
  const server = await world()
  await owner(server)
  const hag = await online(server, `${HAG}/pda`)
  const wicca = await online(server, 'wiccarocks@localhost/laptop')

  await invites(hag, 'wiccarocks@localhost')
  await enters(hag, 'thirdwitch')

  expect(await hears(hag)).toContain('error not-acceptable')
  expect(await invitations(wicca)).toBe(0)
})

test('what nobody has answered in thirty days is forgotten, also in a room that invites nobody else', async () => {
  const server = await world()
  const crone = await owner(server)
  await online(server, HAG)
  await online(server, 'wiccarocks@localhost')
  await invites(crone, HAG)
  await invites(crone, 'wiccarocks@localhost')
  await server.db.query("update room_invitation set at = now() - interval '31 days' where invitee = $1", [HAG])

  await invitationStore(server.db).removeOld()

  expect(await server.db.query('select invitee from room_invitation')).toEqual([{ invitee: 'wiccarocks@localhost' }])
})
