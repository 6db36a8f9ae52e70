/** Presence for many takes turns with everything else, and stays in its order (RFC 6121 §4). */
import { expect, test } from 'vitest'
import { extension } from '../extension/api.ts'
import { manyDevices } from '../../test/support/world/many-devices.ts'
import type { Device } from '../../test/support/world/many-devices.ts'
import { online, subscribes } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import { presence } from '../xmpp/stanza.ts'

const DEVICES = 30

/**
 * Makes it hard work to write a presence to somebody, and counts how many are written in each turn of the event loop.
 */
function hardWork (): { readonly turns: number[], readonly extension: ReturnType<typeof extension> } {
  const turns: number[] = []
  let isCounting = false
  return {
    turns,
    extension: extension({
      name: 'hard-work',
      xeps: [],
      setup (host) {
        host.on('write', 'track', ({ kind }) => {
          if (kind !== 'presence') return
          if (!isCounting) {
            turns.push(0)
            isCounting = true
            setImmediate(() => { isCounting = false })
          }
          turns.push((turns.pop() ?? 0) + 1)
          const until = performance.now() + 1
          while (performance.now() < until);
        })
      },
    }),
  }
}

function written (devices: readonly Device[]): readonly (readonly string[])[] {
  return devices.map(({ written }) => written.map(({ kind, type, from }) => `${kind} ${type} from ${from}`))
}

test('a broadcast to many sessions is sent in many turns, and a later one does not overtake it', async () => {
  const hard = hardWork()
  const server = await world(hard.extension)
  const juliet = await server.client('juliet@localhost/balcony')
  const devices = await manyDevices(server, 'juliet@localhost', DEVICES)
  for (const { session } of devices) session.presence = presence('available', {})
  hard.turns.length = 0

  const first = juliet.sends('<presence><show>away</show></presence>')
  juliet.leaves()
  await first
  await server.idle()

  const from = 'from juliet@localhost/balcony'
  expect(new Set(written(devices).flat())).toEqual(
    new Set([`presence available ${from}`, `presence unavailable ${from}`]),
  )
  expect(written(devices)).toEqual(devices.map(() => [`presence available ${from}`, `presence unavailable ${from}`]))
  expect(Math.max(...hard.turns)).toBeLessThan(DEVICES / 2)
})

test('presence for one does not overtake presence for many', async () => {
  const hard = hardWork()
  const server = await world(hard.extension)
  const juliet = await server.client('juliet@localhost/balcony')
  const romeo = await online(server, 'romeo@localhost/orchard')
  const devices = await manyDevices(server, 'juliet@localhost', DEVICES)
  for (const { session } of devices) session.presence = presence('available', {})
  await subscribes(romeo, juliet)

  const all = juliet.sends('<presence/>')
  const one = juliet.sends("<presence to='romeo@localhost' type='unavailable'/>")
  await Promise.all([all, one])
  await server.idle()

  expect(await romeo.receivedInBrief()).toEqual([
    'available from juliet@localhost/balcony',
    'unavailable from juliet@localhost/balcony',
  ])
})

test('who is not to see somebody any more hears of the end of those who were just announced', async () => {
  const hard = hardWork()
  const server = await world(hard.extension)
  const juliet = await server.client('juliet@localhost/balcony')
  const romeo = await online(server, 'romeo@localhost/orchard')
  await subscribes(romeo, juliet)
  const devices = await manyDevices(server, 'juliet@localhost', DEVICES)
  for (const { session } of devices) session.presence = presence('available', {})

  const announced = juliet.sends('<presence/>')
  const ended = server.client('juliet@localhost/chamber').then(client =>
    client.sends("<presence to='romeo@localhost' type='unsubscribed'/>")
  )
  await Promise.all([announced, ended])
  await server.idle()

  const heard = (await romeo.receivedInBrief()).filter(one => one.includes('juliet@localhost/balcony'))
  expect(heard).toEqual(['available from juliet@localhost/balcony', 'unavailable from juliet@localhost/balcony'])
})
