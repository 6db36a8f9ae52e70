/** Whatever happens in a room, what each occupant was told adds up to what the room is. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Jid } from '../xmpp/jid.ts'
import { deed, DEVICES, perform, truthOf, View } from '../../test/support/world/room-views.ts'
import { configures, COVEN, enters } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import type { Room } from './room/room.ts'

async function roomOf (server: World): Promise<Room> {
  return await server.core.rooms.room(Jid.parse(COVEN)) ?? expect.fail('no room')
}

async function checkViews (server: World, clients: readonly Client[]): Promise<void> {
  const room = await roomOf(server)
  for (const client of clients) {
    const view = new View()
    for (const xml of await client.received()) view.hear(xml)
    expect(view.isIn).toBe(room.session(client.session.jid) !== undefined)
    expect([client.session.jid.toString(), view.seen]).toEqual([
      client.session.jid.toString(),
      view.isIn ? truthOf(room, client.session.jid) : [],
    ])
  }
}

test('each occupant sees the room as it is', async () => {
  await fc.assert(fc.asyncProperty(fc.array(deed, { minLength: 5, maxLength: 25 }), async deeds => {
    const server = await world()
    const crone = await server.client('crone1@localhost/desktop')
    const witches: Client[] = []
    for (const device of DEVICES) witches.push(await server.client(device))
    await enters(crone, 'firstwitch')
    await configures(crone, {})

    for (const one of deeds) await perform(one, witches, crone)

    await checkViews(server, [crone, ...witches])
    await server.core.unload()
  }), { numRuns: 60 })
}, 120_000)
