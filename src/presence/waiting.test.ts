/** RFC 6121 §3.1.3: requests that come while nobody is there to answer, and answers that come then. */
import { expect, test } from 'vitest'
import { online, rosterOf, subscribes } from '../../test/support/world/online.ts'
import type { World } from '../../test/support/world/world.ts'
import { world } from '../../test/support/world/world.ts'

const JULIET = 'juliet@localhost/balcony'

/** A server where Juliet has an account and is not online, as she would be found after a restart. */
async function withoutJuliet (): Promise<World> {
  const server = await world()
  await forgetJuliet(server)
  return server
}

async function forgetJuliet (server: World): Promise<void> {
  const juliet = await server.client(JULIET)
  await server.core.accounts.forget(juliet.session.account.jid)
}

test('a request waits for its recipient, with all that it says', async () => {
  const server = await withoutJuliet()
  const romeo = await online(server, 'romeo@localhost/orchard')
  await romeo.sends(`<presence type='subscribe' to='juliet@localhost' id='s1' xml:lang='it'>
    <status>It&apos;s &lt;me&gt;</status><nick xmlns='http://jabber.org/protocol/nick'>R.</nick></presence>`)
  await forgetJuliet(server)

  const juliet = await server.client(JULIET)
  await juliet.comesOnline()

  const [own, request, ...others] = await juliet.received()
  expect(own).toContain(`from='${JULIET}'`)
  expect(request).toMatch(/^<presence [^>]*from='romeo@localhost'[^>]*>/)
  expect(request).toMatch(/^<presence [^>]*type='subscribe'[^>]*>/)
  expect(request).toMatch(/^<presence [^>]*xml:lang='it'[^>]*>/)
  expect(request).toContain('<status>It&apos;s &lt;me&gt;</status>')
  expect(request).toContain("<nick xmlns='http://jabber.org/protocol/nick'>R.</nick>")
  expect(others).toEqual([])
})

test('a request comes again at each login and to each device until it is answered, and is in no roster', async () => {
  const server = await withoutJuliet()
  const romeo = await online(server, 'romeo@localhost/orchard')
  await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")

  for (const resource of ['balcony', 'chamber', 'balcony']) {
    const juliet = await server.client(`juliet@localhost/${resource}`)
    await juliet.comesOnline()
    expect(await juliet.receivedInBrief()).toContain('subscribe from romeo@localhost')
    expect(await rosterOf(juliet)).toEqual([])
    await juliet.sends('<presence><show>away</show></presence>')
    expect(await juliet.receivedInBrief()).not.toContain('subscribe from romeo@localhost')
    juliet.leaves()
  }
  const juliet = await online(server, 'juliet@localhost/garden')
  await juliet.sends("<presence type='unsubscribed' to='romeo@localhost'/>")
  juliet.leaves()

  const after = await server.client(JULIET)
  await after.comesOnline()
  expect(await after.receivedInBrief()).toEqual([`available from ${JULIET}`])
})

test('of many requests by one user only one waits', async () => {
  const server = await withoutJuliet()
  const romeo = await online(server, 'romeo@localhost/orchard')
  for (let count = 0; count < 3; count++) await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")

  const juliet = await server.client(JULIET)
  await juliet.comesOnline()

  const requests = (await juliet.receivedInBrief()).filter(one => one.startsWith('subscribe '))
  expect(requests).toEqual(['subscribe from romeo@localhost'])
})

test('a request goes to a session that comes online while another is there already', async () => {
  const server = await withoutJuliet()
  const romeo = await online(server, 'romeo@localhost/orchard')
  await online(server, JULIET)
  await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")

  const chamber = await server.client('juliet@localhost/chamber')
  await chamber.comesOnline()

  expect(await chamber.receivedInBrief()).toContain('subscribe from romeo@localhost')
})

test('a request does not wait for who is connected and not available, but comes when they are', async () => {
  const server = await withoutJuliet()
  const romeo = await online(server, 'romeo@localhost/orchard')
  const juliet = await server.client(JULIET)
  await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")

  expect(await juliet.received()).toEqual([])
  await juliet.sends('<presence/>')
  expect(await juliet.receivedInBrief()).toContain('subscribe from romeo@localhost')
})

test('who was approved while away finds it in the roster, and sees the contact', async () => {
  const server = await withoutJuliet()
  const before = await online(server, 'romeo@localhost/orchard')
  await before.sends("<presence type='subscribe' to='juliet@localhost'/>")
  before.leaves()
  const juliet = await online(server, JULIET)
  await juliet.sends("<presence type='subscribed' to='romeo@localhost'/>")

  const romeo = await server.client('romeo@localhost/orchard')
  await romeo.comesOnline()

  expect(await romeo.receivedInBrief()).toEqual(['available from romeo@localhost/orchard', `available from ${JULIET}`])
  expect(await rosterOf(romeo)).toEqual(['juliet@localhost to'])
})

test('both may answer each other while the other is away', async () => {
  const server = await withoutJuliet()
  const one = await online(server, 'romeo@localhost/orchard')
  await one.sends("<presence type='subscribe' to='juliet@localhost'/>")
  one.leaves()
  const two = await online(server, JULIET)
  await two.sends("<presence type='subscribed' to='romeo@localhost'/>")
  await two.sends("<presence type='subscribe' to='romeo@localhost'/>")
  two.leaves()
  const three = await online(server, 'romeo@localhost/orchard')
  await three.sends("<presence type='subscribed' to='juliet@localhost'/>")

  const four = await online(server, JULIET)

  expect(await rosterOf(three)).toEqual(['juliet@localhost both'])
  expect(await rosterOf(four)).toEqual(['romeo@localhost both'])
  expect(await three.receivedInBrief()).toContain(`available from ${JULIET}`)
})

test('a subscription that ends while the subscriber is away is gone when he is back', async () => {
  const server = await world()
  const before = await online(server, 'romeo@localhost/orchard')
  const juliet = await online(server, JULIET)
  await subscribes(before, juliet)
  before.leaves()
  await server.core.accounts.forget(before.session.account.jid)
  await juliet.sends("<presence type='unsubscribed' to='romeo@localhost'/>")

  const romeo = await server.client('romeo@localhost/orchard')
  await romeo.comesOnline()

  expect(await romeo.receivedInBrief()).toEqual(['available from romeo@localhost/orchard'])
  expect(await rosterOf(romeo)).toEqual(['juliet@localhost none'])
})
