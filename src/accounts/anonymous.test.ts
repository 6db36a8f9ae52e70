/** Anonymous accounts (RFC 4505): as others while they last, and nothing is left of them. */
import { expect, test } from 'vitest'
import { blocking } from '../../extensions/blocking/index.ts'
import { privateStorage } from '../../extensions/private-storage/index.ts'
import { vcard } from '../../extensions/vcard/index.ts'
import { online, rosterOf, subscribes } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'

const GUEST = 'guest@localhost/booth'

test('an anonymous user has a roster and subscriptions', async () => {
  const server = await world()
  const juliet = await online(server, 'juliet@localhost/balcony')
  const guest = await server.guest(GUEST)
  await guest.comesOnline()

  await guest.asks('set', "<query xmlns='jabber:iq:roster'><item jid='nurse@localhost'/></query>")
  await subscribes(guest, juliet)

  expect(await rosterOf(guest)).toEqual(['nurse@localhost none', 'juliet@localhost to'])
  await juliet.sends('<presence><show>away</show></presence>')
  expect(await guest.receivedInBrief()).toEqual(['available from juliet@localhost/balcony'])
})

test('an anonymous user blocks others for as long as it is there', async () => {
  const server = await world(blocking)
  const juliet = await online(server, 'juliet@localhost/balcony')
  const guest = await server.guest(GUEST)
  await guest.comesOnline()
  await guest.received()

  await guest.asks('set', "<block xmlns='urn:xmpp:blocking'><item jid='juliet@localhost'/></block>")
  await juliet.says('guest@localhost', 'hello')

  expect(await guest.received()).toEqual([])
})

test.each([
  "<vCard xmlns='vcard-temp'/>", "<query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query>",
])('an anonymous user can\'t have kept: %s', async payload => {
  const server = await world(vcard, privateStorage)
  const guest = await server.guest(GUEST)

  await expect(guest.asks('set', payload)).rejects.toThrow('not-allowed')
})

test('an anonymous account is gone with its last session', async () => {
  const server = await world()
  const juliet = await online(server, 'juliet@localhost/balcony')
  const guest = await server.guest(GUEST)
  guest.leaves()

  await juliet.says('guest@localhost', 'hello')

  expect(await juliet.receivedInBrief()).toEqual(['message error service-unavailable from guest@localhost'])
  expect(server.core.accounts.peek(guest.session.jid)).toBeUndefined()
})
