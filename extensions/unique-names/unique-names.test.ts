/** XEP-0307: Unique Room Names for Multi-User Chat. */
import { expect, test } from 'vitest'
import { hears, enters } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client } from '../../test/support/world/world.ts'
import { uniqueNames } from './index.ts'

const SERVICE = 'conference.localhost'

async function name (client: Client): Promise<string> {
  return (await client.asks('get', "<unique xmlns='http://jabber.org/protocol/muc#unique'/>", SERVICE))?.text() ?? ''
}

test('who asks for a name gets one by which a room can be made, and each time another (§2)', async () => {
  const crone = await (await world(uniqueNames)).client('crone1@localhost/desktop')

  const names = [await name(crone), await name(crone)]
  await enters(crone, 'firstwitch', '', `${names[0]}@${SERVICE}`)

  expect(new Set(names).size).toBe(2)
  expect((await hears(crone))[0]).toMatch(/^firstwitch owner\/moderator .*110 201$/)
})

test('the service says that it has names (§3)', async () => {
  const crone = await (await world(uniqueNames)).client('crone1@localhost/desktop')

  const info = await crone.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", SERVICE)

  expect(info?.toString()).toContain('http://jabber.org/protocol/muc#unique')
})
