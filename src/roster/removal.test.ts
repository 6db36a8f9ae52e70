/** RFC 6121 §2.5: a contact is removed from the roster, and the subscriptions of both end. */
import { expect, test } from 'vitest'
import { online, rosterOf, subscribes } from '../../test/support/world/online.ts'
import type { Client } from '../../test/support/world/world.ts'
import { world } from '../../test/support/world/world.ts'

async function pair (): Promise<readonly [Client, Client]> {
  const server = await world()
  return [await online(server, 'romeo@localhost/orchard'), await online(server, 'juliet@localhost/balcony')]
}

async function removes (user: Client, contact: string): Promise<void> {
  await user.asks('set', `<query xmlns='jabber:iq:roster'><item jid='${contact}' subscription='remove'/></query>`)
}

test('the removal of a mutual contact ends both subscriptions, for both', async () => {
  const [romeo, juliet] = await pair()
  await subscribes(romeo, juliet)
  await subscribes(juliet, romeo)

  await removes(romeo, 'juliet@localhost')

  expect([...await romeo.receivedInBrief()].sort()).toEqual([
    'push juliet@localhost remove', 'unavailable from juliet@localhost/balcony'])
  expect(await juliet.receivedInBrief()).toEqual([
    'unavailable from romeo@localhost/orchard', 'unsubscribe from romeo@localhost', 'push romeo@localhost to',
    'unsubscribed from romeo@localhost', 'push romeo@localhost none'])
  expect(await rosterOf(romeo)).toEqual([])
  expect(await rosterOf(juliet)).toEqual(['romeo@localhost none'])
})

test('neither sees the other any more', async () => {
  const [romeo, juliet] = await pair()
  await subscribes(romeo, juliet)
  await subscribes(juliet, romeo)
  await removes(romeo, 'juliet@localhost')
  await romeo.received()
  await juliet.received()

  await juliet.sends('<presence><show>away</show></presence>')
  await romeo.sends('<presence><show>away</show></presence>')

  expect(await romeo.receivedInBrief()).toEqual(['available from romeo@localhost/orchard'])
  expect(await juliet.receivedInBrief()).toEqual(['available from juliet@localhost/balcony'])
})

test('the removal of a contact that the user sees unsubscribes', async () => {
  const [romeo, juliet] = await pair()
  await subscribes(romeo, juliet)

  await removes(romeo, 'juliet@localhost')

  expect(await juliet.receivedInBrief()).toEqual(['unsubscribe from romeo@localhost', 'push romeo@localhost none'])
})

test('the removal of a contact that sees the user withdraws the user\'s presence first', async () => {
  const [romeo, juliet] = await pair()
  await subscribes(romeo, juliet)

  await removes(juliet, 'romeo@localhost')

  expect(await romeo.receivedInBrief()).toEqual([
    'unavailable from juliet@localhost/balcony', 'unsubscribed from juliet@localhost', 'push juliet@localhost none'])
})

test('the removal of a contact that was asked takes the request back', async () => {
  const [romeo, juliet] = await pair()
  await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")
  await romeo.received()
  await juliet.received()

  await removes(romeo, 'juliet@localhost')

  expect(await romeo.receivedInBrief()).toEqual(['push juliet@localhost remove'])
  await juliet.sends("<presence type='subscribed' to='romeo@localhost'/>")
  expect(await rosterOf(romeo)).toEqual([])
})

test('the removal of a contact that asked denies the request, and does not tell who is online', async () => {
  const [romeo, juliet] = await pair()
  await juliet.asks('set', "<query xmlns='jabber:iq:roster'><item jid='romeo@localhost' name='R.'/></query>")
  await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")
  await romeo.received()

  await removes(juliet, 'romeo@localhost')

  expect(await romeo.receivedInBrief()).toEqual(['unsubscribed from juliet@localhost', 'push juliet@localhost none'])
})

test('a contact that was removed may ask anew, and is not approved beforehand any more', async () => {
  const [romeo, juliet] = await pair()
  await juliet.sends("<presence type='subscribed' to='romeo@localhost'/>")
  await removes(juliet, 'romeo@localhost')
  await juliet.received()

  await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")

  expect(await juliet.receivedInBrief()).toEqual(['subscribe from romeo@localhost'])
  expect(await rosterOf(juliet)).toEqual([])
})

test('the removal of a contact elsewhere than on this server changes the roster all the same', async () => {
  const [romeo] = await pair()
  await romeo.asks('set', "<query xmlns='jabber:iq:roster'><item jid='nurse@example.com'/></query>")
  await romeo.received()

  await removes(romeo, 'nurse@example.com')

  expect(await romeo.receivedInBrief()).toEqual(['push nurse@example.com remove'])
})

test('an account that is removed is nobody\'s contact when the server ends before it can say so', async () => {
  const server = await world()
  const [romeo, juliet] = [
    await online(server, 'romeo@localhost/orchard'),
    await online(server, 'juliet@localhost/balcony'),
  ]
  await subscribes(romeo, juliet)
  await subscribes(juliet, romeo)
  const nurse = await online(server, 'nurse@localhost/house')
  await nurse.sends("<presence type='subscribed' to='romeo@localhost'/>")
  const paris = await online(server, 'paris@localhost/street')
  await romeo.sends("<presence type='subscribe' to='paris@localhost'/>")
  await paris.received()

  await server.core.store.remove(romeo.session.account.jid)
  const later = await server.restarts()

  await expect.poll(() => later.client('romeo@localhost/street').then(() => 'there', String), { timeout: 20_000 }).toBe(
    'there',
  )
  const next = await online(later, 'romeo@localhost/street')
  expect(await rosterOf(await online(later, 'juliet@localhost/balcony'))).toEqual(['romeo@localhost none'])
  const again = await later.client('paris@localhost/street')
  await again.comesOnline()
  expect(await again.receivedInBrief()).toEqual(['available from paris@localhost/street'])
  await online(later, 'nurse@localhost/house')
  await next.sends("<presence type='subscribe' to='nurse@localhost'/>")
  expect(await next.receivedInBrief()).not.toContain('subscribed from nurse@localhost')
})

test("who has a removed contact's name later is not who was approved beforehand, though the roster changes meanwhile", async () => {
  const server = await world()
  const nurse = await online(server, 'nurse@localhost/house')
  const romeo = await online(server, 'romeo@localhost/orchard')
  await nurse.sends("<presence type='subscribed' to='romeo@localhost'/>")
  await nurse.received()

  await server.core.commands.remove(romeo.session.account.jid)
  expect(await nurse.receivedInBrief()).toEqual(['push romeo@localhost none'])
  await nurse.asks('set', "<query xmlns='jabber:iq:roster'><item jid='romeo@localhost' name='R.'/></query>")
  const next = await online(server, 'romeo@localhost/street')
  await next.sends("<presence type='subscribe' to='nurse@localhost'/>")

  expect(await nurse.receivedInBrief()).toEqual(['push romeo@localhost none', 'subscribe from romeo@localhost'])
  expect(await next.receivedInBrief()).not.toContain('subscribed from nurse@localhost')
})
