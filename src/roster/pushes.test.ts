/** RFC 6121 §2.1.6: roster pushes, when there are many whom they go to. */
import { expect, test } from 'vitest'
import { areCopies, manyDevices } from '../../test/support/world/many-devices.ts'
import { world } from '../../test/support/world/world.ts'

const NS = 'jabber:iq:roster'

test('a push is written once for all of an account\'s sessions, each of which has its own address in it', async () => {
  const server = await world()
  const juliet = await server.client('juliet@localhost/balcony')
  const devices = await manyDevices(server, 'juliet@localhost', 20)
  for (const { session } of devices) session.isInterested = true

  await juliet.asks(
    'set',
    `<query xmlns='${NS}'><item jid='romeo@localhost' name='Romeo'><group>Friends</group></item></query>`,
  )

  const pushes = devices.flatMap(({ written }) => written)
  expect(pushes).toHaveLength(20)
  expect(areCopies(pushes)).toBe(true)
  expect(pushes.map(({ to }) => to?.toString())).toEqual(devices.map(({ session }) => session.jid.toString()))
})

test('a set that changes nothing is answered and not pushed', async () => {
  const server = await world()
  const juliet = await server.client('juliet@localhost/balcony')
  await juliet.comesOnline()
  const set = `<query xmlns='${NS}'><item jid='romeo@localhost' name='Romeo'><group>Friends</group></item></query>`
  await juliet.asks('set', set)
  await juliet.received()

  await juliet.asks('set', set)

  expect(await juliet.received()).toEqual([])
})

test.each([
  ['101 groups', Array.from({ length: 101 }, (_, number) => `<group>${number}</group>`).join('')],
  [
    'groups of more than 10 000 bytes together',
    Array.from({ length: 11 }, (_, number) => `<group>${number}${'g'.repeat(1000)}</group>`).join(''),
  ],
])('a contact in %s is not acceptable, and the roster is as it was (RFC 6121 §2.3.3)', async (_, groups) => {
  const server = await world()
  const juliet = await server.client('juliet@localhost/balcony')

  const set = juliet.asks('set', `<query xmlns='${NS}'><item jid='romeo@localhost'>${groups}</item></query>`)

  await expect(set).rejects.toThrow('not-acceptable')
  expect((await juliet.asks('get', `<query xmlns='${NS}'/>`))?.getChildElements()).toEqual([])
})
