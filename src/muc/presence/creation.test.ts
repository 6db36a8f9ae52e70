/** XEP-0045 §10.1.1: how many rooms somebody makes, and for whom they count. */
import { expect, test } from 'vitest'
import { redisNodes } from '../../../test/support/cluster/redis-cluster.ts'
import { changes, configures, enters, hears, owner } from '../../../test/support/world/rooms.ts'
import type { Client } from '../../../test/support/world/world.ts'
import { worldWith } from '../../../test/support/world/world.ts'
import { Creations } from './creation.ts'

const CRONE = 'crone1@localhost/desktop'
const HAG = 'hag66@localhost/pda'

function roomNumber (number: number): string {
  return `coven${number}@conference.localhost`
}

/** Makes a room and hands it over. */
async function givesAway (client: Client, room: string, to: string): Promise<void> {
  await enters(client, 'firstwitch', '', room)
  await configures(client, { persistentroom: '1' }, room)
  await changes(client, [{ jid: to, affiliation: 'owner' }], room)
  await changes(client, [{ jid: client.session.account.jid.toString(), affiliation: 'none' }], room)
}

async function refusals (client: Client): Promise<number> {
  return (await hears(client)).filter(line => line === 'error not-allowed').length
}

test('rooms count for who made them, also when another owns them, and never for that other', async () => {
  const server = await worldWith({ roomsPerOwner: 3 })
  const crone = await server.client(CRONE)
  const hag = await server.client(HAG)

  for (let number = 0; number < 3; number++) await givesAway(crone, roomNumber(number), 'hag66@localhost')
  await crone.received()
  await enters(crone, 'firstwitch', '', roomNumber(3))
  await enters(hag, 'thirdwitch', '', roomNumber(4))

  expect(await hears(crone)).toEqual(['error not-allowed'])
  expect(await hears(hag)).toContain('thirdwitch owner/moderator hag66@localhost/pda 110 201')
})

test('rooms that are asked for side by side are no more than one after the other', async () => {
  const server = await worldWith({ roomsPerOwner: 3 })
  const crone = await server.client(CRONE)

  await Promise.all(Array.from({ length: 20 }, (_, number) => enters(crone, 'firstwitch', '', roomNumber(number))))

  expect(await refusals(crone)).toBe(17)
})

test('a room that was destroyed does not count any more', async () => {
  const server = await worldWith({ roomsPerOwner: 1 })
  const crone = await owner(server, CRONE)

  await crone.asks(
    'set',
    "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>",
    'coven@conference.localhost',
  )
  await crone.received()
  await enters(crone, 'firstwitch', '', roomNumber(1))

  expect(await hears(crone)).toContain('firstwitch owner/moderator crone1@localhost/desktop 110 201')
})

test('rooms that are made at several nodes are no more than at one, once they are set up', async () => {
  const { nodes: [a, b] } = await redisNodes(2)
  if (!a || !b) throw new Error('two nodes')
  await a.db.query('delete from room')
  await a.db.query(`insert into room (jid, service, name, is_public, is_persistent, config, creator)
    select 'old' || n || '@conference.localhost', 'conference.localhost', '', false, true, '{}', 'crone1@localhost' from generate_series(1, 98) as n`)
  const crone = await a.client(CRONE)
  const rooms = Array.from({ length: 8 }, (_, number) => roomNumber(number))
  for (const room of rooms) await enters(crone, 'firstwitch', '', room)

  await Promise.allSettled(rooms.map(room => configures(crone, { persistentroom: '1' }, room)))

  expect(await a.db.query("select count(*)::int as count from room where creator = 'crone1@localhost'")).toEqual([{
    count: 100,
  }])
})

test('an owner has an account that lasts', async () => {
  const server = await worldWith({})
  const crone = await owner(server, CRONE)
  await server.guest('2b7a1c@localhost/x')

  await expect(changes(crone, [{ jid: 'nobody@localhost', affiliation: 'owner' }])).rejects.toThrow('item-not-found')
  await expect(configures(crone, { roomowners: ['crone1@localhost', 'nobody@localhost'] })).rejects.toThrow(
    'item-not-found',
  )
  await expect(changes(crone, [{ jid: '2b7a1c@localhost', affiliation: 'owner' }])).rejects.toThrow('item-not-found')
})

test('a room keeps an owner who has an account here', async () => {
  const server = await worldWith({})
  const crone = await owner(server, CRONE)

  await expect(changes(crone, [
    { jid: 'nobody@nowhere.example', affiliation: 'owner' }, { jid: 'crone1@localhost', affiliation: 'none' },
  ])).rejects.toThrow('conflict')
})

test('there are no more rooms than the service lets there be', async () => {
  const server = await worldWith({ rooms: 1 })
  await owner(server, CRONE)
  const hag = await server.client(HAG)

  await enters(hag, 'thirdwitch', '', roomNumber(1))

  expect(await hears(hag)).toEqual(['error resource-constraint'])
})

test.each([
  ['who has as many as one may', 1, 'firstwitch'],
  ['who asks for a nick that nobody may have', 0, ' '],
])('attempts that are refused take no room from others: of %s', async (_, roomsPerOwner, nick) => {
  const server = await worldWith({ rooms: 3, roomsPerOwner })
  const crone = await owner(server, CRONE)
  const hag = await server.client(HAG)

  for (let number = 1; number < 10; number++) await enters(crone, nick, '', roomNumber(number))
  await enters(hag, 'thirdwitch', '', roomNumber(0))

  expect(await hears(hag)).toContain('thirdwitch owner/moderator hag66@localhost/pda 110 201')
})

test('who asks while rooms are being counted waits for the count', async () => {
  const creations = new Creations()
  const counting = Promise.withResolvers<number>()

  const totals = Promise.all([1, 2].map(() => creations.total(() => counting.promise)))
  counting.resolve(7)

  expect(await totals).toEqual([7, 7])
})

test('rooms that could not be counted are counted for who asks next', async () => {
  const creations = new Creations()

  await expect(creations.total(() => Promise.reject(new Error('no database')))).rejects.toThrow('no database')

  expect(await creations.total(() => Promise.resolve(7))).toBe(7)
})
