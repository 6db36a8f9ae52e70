/** RFC 6121 §3: subscriptions between two users of one server, as the clients of both see them. */
import { describe, expect, test } from 'vitest'
import type { Client, World } from '../../test/support/world/world.ts'
import { world } from '../../test/support/world/world.ts'
import { online, rosterOf, subscribes } from '../../test/support/world/online.ts'

interface Pair { readonly server: World, readonly romeo: Client, readonly juliet: Client }

async function pair (): Promise<Pair> {
  const server = await world()
  const romeo = await online(server, 'romeo@localhost/orchard')
  const juliet = await online(server, 'juliet@localhost/balcony')
  return { server, romeo, juliet }
}

describe('a request (RFC 6121 §3.1)', () => {
  test('is marked in the roster of who asks, and shown to whom it is for', async () => {
    const { romeo, juliet } = await pair()

    await romeo.sends("<presence type='subscribe' to='juliet@localhost' id='s1'/>")

    expect(await romeo.receivedInBrief()).toEqual(['push juliet@localhost none asked'])
    expect(await juliet.received()).toEqual([
      "<presence from='romeo@localhost' to='juliet@localhost' id='s1' type='subscribe'/>"])
    expect(await rosterOf(juliet)).toEqual([])
  })

  test('that is approved is followed by the approval, the push and the presence, in this order (§3.1.6)', async () => {
    const { romeo, juliet } = await pair()
    await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")
    await romeo.received()
    await juliet.received()

    await juliet.sends("<presence type='subscribed' to='romeo@localhost'/>")

    expect(await juliet.receivedInBrief()).toEqual(['push romeo@localhost from'])
    expect(await romeo.receivedInBrief()).toEqual([
      'subscribed from juliet@localhost', 'push juliet@localhost to', 'available from juliet@localhost/balcony'])
  })

  test('that is denied leaves nothing at who denied it (§3.2.1)', async () => {
    const { server, romeo, juliet } = await pair()
    await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")
    await romeo.received()
    await juliet.received()

    await juliet.sends("<presence type='unsubscribed' to='romeo@localhost'/>")

    expect(await romeo.receivedInBrief()).toEqual(['unsubscribed from juliet@localhost', 'push juliet@localhost none'])
    expect(await juliet.received()).toEqual([])
    expect(await rosterOf(juliet)).toEqual([])
    expect(await server.db.query("select contact from roster_item where owner = 'juliet@localhost'")).toEqual([])
  })

  test('that is taken back is shown as taken back, and waits no more (§3.3.2)', async () => {
    const { server, romeo, juliet } = await pair()
    await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")
    await romeo.received()
    await juliet.received()

    await romeo.sends("<presence type='unsubscribe' to='juliet@localhost'/>")

    expect(await romeo.receivedInBrief()).toEqual(['push juliet@localhost none'])
    expect(await juliet.receivedInBrief()).toEqual(['unsubscribe from romeo@localhost'])
    const chamber = await server.client('juliet@localhost/chamber')
    await chamber.comesOnline()
    expect(await chamber.receivedInBrief()).not.toContain('subscribe from romeo@localhost')
  })

  test('to a full address is one to the bare address (§3.1.2)', async () => {
    const { romeo, juliet } = await pair()

    await romeo.sends("<presence type='subscribe' to='juliet@localhost/balcony'/>")

    expect(await romeo.receivedInBrief()).toEqual(['push juliet@localhost none asked'])
    expect(await juliet.receivedInBrief()).toEqual(['subscribe from romeo@localhost'])
  })

  test('keeps the name and groups that the contact has (§3.1.2)', async () => {
    const { romeo } = await pair()
    await romeo.asks('set', "<query xmlns='jabber:iq:roster'><item jid='juliet@localhost' name='J.'/></query>")

    await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")

    expect(await rosterOf(romeo)).toEqual(['juliet@localhost none asked'])
    const [asked] = (await romeo.received()).slice(-1)
    expect(asked).toMatch(/name=['"]J\./)
  })

  test('to an account that does not exist is not answered (§8.5.1)', async () => {
    const { romeo } = await pair()

    await romeo.sends("<presence type='subscribe' to='nobody@localhost'/>")

    expect(await romeo.receivedInBrief()).toEqual(['push nobody@localhost none asked'])
  })

  test('to oneself does nothing', async () => {
    const { romeo } = await pair()

    await romeo.sends("<presence type='subscribe' to='romeo@localhost'/>")

    expect(await romeo.received()).toEqual([])
    expect(await rosterOf(romeo)).toEqual([])
  })

  test('that was granted already is approved again by the server (§3.1.3)', async () => {
    const { romeo, juliet } = await pair()
    await subscribes(romeo, juliet)

    await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")

    expect(await juliet.received()).toEqual([])
    expect(await rosterOf(romeo)).toEqual(['juliet@localhost to'])
  })
})

describe('who hears of it', () => {
  test('requests go to the available sessions, answers and pushes to those that asked for the roster', async () => {
    const { server, romeo, juliet } = await pair()
    const available = await server.client('juliet@localhost/available')
    const interested = await server.client('juliet@localhost/interested')
    const neither = await server.client('juliet@localhost/neither')
    await available.sends('<presence><priority>-1</priority></presence>')
    await interested.asks('get', "<query xmlns='jabber:iq:roster'/>")
    for (const one of [available, juliet]) await one.received()

    await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")
    await juliet.sends("<presence type='subscribed' to='romeo@localhost'/>")
    await romeo.sends("<presence type='unsubscribe' to='juliet@localhost'/>")

    expect(await juliet.receivedInBrief()).toEqual([
      'subscribe from romeo@localhost', 'push romeo@localhost from',
      'unsubscribe from romeo@localhost', 'push romeo@localhost none'])
    expect(await available.receivedInBrief()).toEqual(['subscribe from romeo@localhost'])
    expect(await interested.receivedInBrief()).toEqual([
      'push romeo@localhost from', 'unsubscribe from romeo@localhost', 'push romeo@localhost none'])
    expect(await neither.received()).toEqual([])
  })
})

describe('the end of a subscription', () => {
  test('by who granted it: first unavailable, then the notice, then the push (§3.2.2 and §3.2.3)', async () => {
    const { romeo, juliet } = await pair()
    await subscribes(romeo, juliet)

    await juliet.sends("<presence type='unsubscribed' to='romeo@localhost'/>")

    expect(await romeo.receivedInBrief()).toEqual([
      'unavailable from juliet@localhost/balcony', 'unsubscribed from juliet@localhost', 'push juliet@localhost none'])
    expect(await juliet.receivedInBrief()).toEqual(['push romeo@localhost none'])
    await juliet.sends('<presence><show>away</show></presence>')
    expect(await romeo.received()).toEqual([])
  })

  test('by who had it: the notice and the push there, unavailable here (§3.3.3)', async () => {
    const { romeo, juliet } = await pair()
    await subscribes(romeo, juliet)

    await romeo.sends("<presence type='unsubscribe' to='juliet@localhost'/>")

    expect(await juliet.receivedInBrief()).toEqual(['unsubscribe from romeo@localhost', 'push romeo@localhost none'])
    expect([...await romeo.receivedInBrief()].sort()).toEqual([
      'push juliet@localhost none', 'unavailable from juliet@localhost/balcony'])
    await juliet.sends('<presence><show>away</show></presence>')
    expect(await romeo.received()).toEqual([])
  })

  test('leaves the subscription in the other direction', async () => {
    const { romeo, juliet } = await pair()
    await subscribes(romeo, juliet)
    await subscribes(juliet, romeo)

    await juliet.sends("<presence type='unsubscribed' to='romeo@localhost'/>")

    expect(await rosterOf(juliet)).toEqual(['romeo@localhost to'])
    expect(await rosterOf(romeo)).toEqual(['juliet@localhost from'])
  })

  test('where there was none does nothing and makes no item (§3.2.2)', async () => {
    const { romeo, juliet } = await pair()

    await juliet.sends("<presence type='unsubscribed' to='romeo@localhost'/>")
    await juliet.sends("<presence type='unsubscribe' to='romeo@localhost'/>")

    expect(await romeo.received()).toEqual([])
    expect(await juliet.received()).toEqual([])
    expect(await rosterOf(juliet)).toEqual([])
  })
})

describe('approval beforehand (RFC 6121 §3.4)', () => {
  test('is shown in the roster, and the contact hears nothing', async () => {
    const { romeo, juliet } = await pair()

    await juliet.sends("<presence type='subscribed' to='romeo@localhost'/>")

    expect(await juliet.receivedInBrief()).toEqual(['push romeo@localhost none approved'])
    expect(await romeo.received()).toEqual([])
  })

  test('answers the request when it comes, without a question', async () => {
    const { romeo, juliet } = await pair()
    await juliet.sends("<presence type='subscribed' to='romeo@localhost'/>")
    await juliet.received()

    await romeo.sends("<presence type='subscribe' to='juliet@localhost'/>")

    expect(await romeo.receivedInBrief()).toEqual([
      'push juliet@localhost none asked', 'subscribed from juliet@localhost', 'push juliet@localhost to',
      'available from juliet@localhost/balcony'])
    const [push, ...others] = await juliet.receivedInBrief()
    expect(push).toMatch(/^push romeo@localhost from/)
    expect(others).toEqual([])
  })

  test('can be taken back, of which the contact hears nothing', async () => {
    const { romeo, juliet } = await pair()
    await juliet.sends("<presence type='subscribed' to='romeo@localhost'/>")
    await juliet.received()

    await juliet.sends("<presence type='unsubscribed' to='romeo@localhost'/>")

    expect(await juliet.receivedInBrief()).toEqual(['push romeo@localhost none'])
    expect(await romeo.received()).toEqual([])
  })
})
