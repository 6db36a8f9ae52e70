/** Rooms and what a client's streams do: who is gone leaves, who resumes is in, and a device gets everything once. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { extensions } from '../../../extensions/index.ts'
import { enables, PATIENCE_MS, resume } from '../../../test/support/wire/stream-management.ts'
import { streamManagement } from '../../../extensions/stream-management/index.ts'
import { COVEN, enters, hears, inside, owner, says } from '../../../test/support/world/rooms.ts'
import { world } from '../../../test/support/world/world.ts'
import { Jid } from '../../xmpp/jid.ts'

const HAG = 'hag66@localhost/pda'

beforeEach(() => { vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }) })
afterEach(() => { vi.useRealTimers() })

describe('a stream that breaks (XEP-0198)', () => {
  test('leaves its session in the room, which goes on as if nothing had been', async () => {
    const server = await world(streamManagement)
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    const id = await enables(hag)
    await crone.received()

    hag.leaves()
    await says(crone, 'while you were out')
    expect(await hears(crone)).toEqual(['firstwitch: while you were out'])
    await hag.resumes(resume(id, 0))

    expect((await hag.received())[0]).toContain('while you were out')
    await expect(hag.asks('get', "<ping xmlns='urn:xmpp:ping'/>", `${COVEN}/thirdwitch`)).resolves.toBeUndefined()
  })

  test('and is not resumed in time takes its session out', async () => {
    const server = await world(streamManagement)
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await enables(hag)
    await crone.received()

    hag.leaves()
    await says(crone, 'lost')
    expect(await hears(crone)).toEqual(['firstwitch: lost'])
    vi.advanceTimersByTime(PATIENCE_MS + 1000)

    expect(await hears(crone)).toEqual(['gone thirdwitch none/none hag66@localhost/pda'])
  })
})

test('who says to all that he is not available is not in any more (RFC 6121 §4.6.3)', async () => {
  const server = await world()
  const crone = await owner(server)
  const hag = await inside(server, HAG, 'thirdwitch')
  await hag.comesOnline()
  await crone.received()

  await hag.sends("<presence type='unavailable'/>")

  expect(await hears(crone)).toEqual(['gone thirdwitch none/none hag66@localhost/pda'])
})

test('two devices under one nick get each message once, whatever else the server does', async () => {
  const server = await world(...extensions.filter(({ name }) => name !== 'registration'))
  const crone = await owner(server)
  const pda = await inside(server, HAG, 'thirdwitch')
  const desk = await inside(server, 'hag66@localhost/desk', 'thirdwitch')
  for (const device of [pda, desk]) await device.asks('set', "<enable xmlns='urn:xmpp:carbons:2'/>")
  await pda.received()

  await crone.sends(
    `<message to='${COVEN}' type='groupchat' id='a'><body>to all</body><origin-id xmlns='urn:xmpp:sid:0' id='a'/></message>`,
  )
  await crone.sends(
    `<message to='${COVEN}/thirdwitch' type='chat' id='b'><body>to you</body><origin-id xmlns='urn:xmpp:sid:0' id='b'/></message>`,
  )

  for (const device of [pda, desk])
    expect(await hears(device)).toEqual(['firstwitch: to all', 'privately firstwitch: to you'])
  const kept = await server.db.query("select from archive_message where owner = 'hag66@localhost'")
  expect(kept).toHaveLength(1)
})

test('who blocks an occupant does not hear him, and stays in (XEP-0191)', async () => {
  const server = await world(...extensions.filter(({ name }) => name === 'blocking'))
  const crone = await owner(server)
  const hag = await inside(server, HAG, 'thirdwitch')
  await hag.asks('set', `<block xmlns='urn:xmpp:blocking'><item jid='${COVEN}/firstwitch'/></block>`)
  await crone.received()

  await says(crone, 'hail')
  expect(await hears(crone)).toEqual(['firstwitch: hail'])
  await says(hag, 'hail yourself')

  expect(await hears(hag)).toEqual(['thirdwitch: hail yourself'])
})

test('the service and a room answer what a server answers (XEP-0199)', async () => {
  const server = await world(...extensions.filter(({ name }) => name === 'ping' || name === 'version'))
  const crone = await owner(server)

  await crone.asks('get', "<ping xmlns='urn:xmpp:ping'/>", 'conference.localhost')
  await crone.asks('get', "<ping xmlns='urn:xmpp:ping'/>", COVEN)
  const version = await crone.asks('get', "<query xmlns='jabber:iq:version'/>", 'conference.localhost')

  expect(version?.getChildText('name')).toBe('Heliograph')
  await expect(crone.asks('get', "<query xmlns='urn:x'/>", 'conference.localhost')).rejects.toThrow(
    'service-unavailable',
  )
  await expect(crone.asks('get', "<query xmlns='urn:x'/>", COVEN)).rejects.toThrow('service-unavailable')
})

test('a room that many enter at once tells everybody of everybody, bit by bit', async () => {
  const server = await world()
  const crone = await owner(server)
  const crowd = await Promise.all(Array.from({ length: 70 }, (_, n) => server.client(`witch${n}@localhost/broom`)))

  await Promise.all(crowd.map((client, n) => enters(client, `witch${n}`)))

  const room = await server.core.rooms.room(Jid.parse(COVEN))
  expect(room?.sendQueue.settled()).toBeUndefined() // nothing piles up: who enters waits until those before are told
  const nicks = crowd.map((_, n) => `witch${n}`).sort()
  expect((await hears(crone)).map(line => line.split(' ')[0]).sort()).toEqual(nicks)
  for (const client of crowd) {
    const heard = await hears(client)
    const present = heard.filter(line => line.includes('/')).map(line => line.split(' ')[0]).sort()
    expect(present.filter(nick => nick?.startsWith('witch'))).toEqual(nicks)
    const self = heard.findIndex(line => line.includes('110'))
    expect(heard[self + 1]).toMatch(/^subject/)
  }
})
