/** XEP-0045 §7.14 and §11.1: who leaves, or is found to be gone, and what becomes of the room. */
import { describe, expect, test } from 'vitest'
import { changes, COVEN, enters, hears, inside, leaves, owner, says } from '../../../test/support/world/rooms.ts'
import { world } from '../../../test/support/world/world.ts'
import type { Client } from '../../../test/support/world/world.ts'

const HAG = 'hag66@localhost/pda'

describe('somebody who can\'t be reached', () => {
  test('is taken out when a message comes back (§11.1)', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    const error = (condition: string): string => `<message to='${COVEN}' type='error'><error type='cancel'>` +
      `<${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`
    await hag.sends(error('feature-not-implemented'))
    expect(await hears(crone)).toEqual([])
    await hag.sends(error('service-unavailable'))

    expect(await hears(crone)).toEqual(['gone thirdwitch none/none hag66@localhost/pda 333'])
  })

  test('is taken out when what somebody says does not reach it, and nobody else hears of that (§18.1)', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()
    hag.session.directed = undefined // it forgets whom to tell
    hag.leaves()

    await says(crone, 'hello?')

    expect(await hears(crone)).toEqual(['firstwitch: hello?', 'gone thirdwitch none/none hag66@localhost/pda 333'])
  })

  test('is taken out when its stream is gone (RFC 6121 §4.6.3)', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    hag.leaves()

    expect(await hears(crone)).toEqual(['gone thirdwitch none/none hag66@localhost/pda'])
  })
})

describe('who leaves (§7.14)', () => {
  test('says why, and is told', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await hag.sends(
      `<presence type='unavailable' to='${COVEN}/thirdwitch'><status>gone where the goblins go</status></presence>`,
    )

    expect((await crone.received())[0]).toContain('<status>gone where the goblins go</status>')
    expect(await hears(hag)).toEqual(['gone thirdwitch none/none 110'])
    await says(crone, 'alone')
    expect(await hears(hag)).toEqual([])
  })

  test('last ends a room that is not persistent', async () => {
    const server = await world()
    const crone = await owner(server)

    await leaves(crone, 'firstwitch')
    await crone.received()
    await enters(crone, 'firstwitch')

    expect(await hears(crone)).toContain('firstwitch owner/moderator crone1@localhost/desktop 110 201')
  })

  test('last leaves a persistent room as it is', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, {
      persistentroom: '1',
      roomname: 'The coven',
      whois: 'anyone',
    })
    await leaves(crone, 'firstwitch')
    await crone.received()

    const later = await server.restarts()
    const hag = await later.client(HAG)
    await enters(hag, 'thirdwitch')

    expect((await hears(hag))[0]).toBe('thirdwitch none/participant hag66@localhost/pda 110 100')
  })
})

describe('the last one out of a temporary room while the database is away', () => {
  const ways: readonly (readonly [string, (last: Client) => Promise<void>])[] = [
    ['is kicked', last => changes(last, [{ nick: 'firstwitch', role: 'none' }])],
    ['leaves', last => leaves(last, 'firstwitch')],
  ]

  test.for(ways)('%s: the room remains, and ends with the next last one (§7.14)', async ([, goes]) => {
    const server = await world()
    const crone = await owner(server)
    const hag = await server.client(HAG)

    server.databaseIs('away')
    await goes(crone)
    const heard = await hears(crone)
    server.databaseIs('there')

    expect(heard.filter(line => line.startsWith('gone firstwitch'))).toHaveLength(1)
    await enters(hag, 'thirdwitch')
    await leaves(hag, 'thirdwitch')
    await hag.received()
    expect(await server.db.query('select 1 from room where jid = $1', [COVEN])).toEqual([])
  })
})
