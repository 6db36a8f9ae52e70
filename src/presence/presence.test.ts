/** RFC 6121 §4: who sees whose presence, and when it ends. */
import { describe, expect, test } from 'vitest'
import { online, subscribes } from '../../test/support/world/online.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { world } from '../../test/support/world/world.ts'

interface Friends { readonly server: World, readonly romeo: Client, readonly juliet: Client }

/** Romeo sees Juliet, and she does not see him. */
async function friends (): Promise<Friends> {
  const server = await world()
  const romeo = await online(server, 'romeo@localhost/orchard')
  const juliet = await online(server, 'juliet@localhost/balcony')
  await subscribes(romeo, juliet)
  return { server, romeo, juliet }
}

describe('initial presence (RFC 6121 §4.2)', () => {
  test('goes to the subscribers, whole, and to the user\'s own resources, the one that sent it included', async () => {
    const { server, romeo, juliet } = await friends()
    const chamber = await server.client('juliet@localhost/chamber')

    await chamber.sends("<presence id='p1'><show>dnd</show><x xmlns='urn:example:x'/></presence>")

    const content = "<show>dnd</show><x xmlns='urn:example:x'/></presence>"
    expect(await romeo.received()).toEqual([
      `<presence from='juliet@localhost/chamber' to='romeo@localhost' id='p1'>${content}`])
    expect(await juliet.receivedInBrief()).toEqual(['available from juliet@localhost/chamber'])
    expect([...await chamber.receivedInBrief()].sort()).toEqual([
      'available from juliet@localhost/balcony', 'available from juliet@localhost/chamber'])
  })

  test('does not go to those whom the user sees, nor to who is not available', async () => {
    const { server, romeo, juliet } = await friends()
    const connected = await server.client('romeo@localhost/connected')

    await romeo.sends('<presence><show>away</show></presence>')
    await juliet.sends('<presence><show>away</show></presence>')

    expect(await juliet.receivedInBrief()).toEqual(['available from juliet@localhost/balcony'])
    expect(await connected.received()).toEqual([])
  })

  test('is answered with the presence of each resource of those whom the user sees', async () => {
    const { server, juliet } = await friends()
    const chamber = await server.client('juliet@localhost/chamber')
    await chamber.sends('<presence><show>xa</show><priority>-3</priority></presence>')
    await juliet.sends('<presence><show>away</show></presence>')

    const garden = await server.client('romeo@localhost/garden')
    await garden.sends('<presence/>')

    const received = (await garden.received()).join('\n')
    expect(received).toMatch(/from='juliet@localhost\/balcony'[^>]*><show>away<\/show>/)
    expect(received).toMatch(/from='juliet@localhost\/chamber'[^>]*><show>xa<\/show><priority>-3<\/priority>/)
  })

  test.each(['128', '-129', 'high', '1.5', ''])('with a priority of "%s" is refused (§4.7.2.3)', async priority => {
    const { romeo, juliet } = await friends()

    await juliet.sends(`<presence><priority>${priority}</priority></presence>`)

    expect((await juliet.receivedInBrief()).join()).toMatch(/^presence error bad-request[^,]*$/)
    expect(await romeo.received()).toEqual([])
  })
})

describe('unavailable presence (RFC 6121 §4.5)', () => {
  test('goes to the subscribers, whole, and to the user\'s resources, the one that sent it included', async () => {
    const { server, romeo, juliet } = await friends()
    const chamber = await online(server, 'juliet@localhost/chamber')
    await romeo.received()
    await juliet.received()

    await chamber.sends("<presence type='unavailable'><status>Good night</status></presence>")

    expect(await romeo.received()).toEqual([
      "<presence from='juliet@localhost/chamber' to='romeo@localhost' type='unavailable'>" +
      '<status>Good night</status></presence>'])
    expect(await juliet.receivedInBrief()).toEqual(['unavailable from juliet@localhost/chamber'])
    expect(await chamber.receivedInBrief()).toEqual(['unavailable from juliet@localhost/chamber'])
  })

  test('is sent for a stream that ended without a word, once', async () => {
    const { romeo, juliet } = await friends()

    juliet.leaves()
    juliet.leaves()

    expect(await romeo.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
  })

  test('is not sent again when the stream ends after it', async () => {
    const { romeo, juliet } = await friends()
    await juliet.sends("<presence type='unavailable'/>")
    await romeo.received()

    juliet.leaves()

    expect(await romeo.received()).toEqual([])
  })

  test('is not sent for who never was available', async () => {
    const { server, romeo } = await friends()
    const chamber = await server.client('juliet@localhost/chamber')

    await chamber.sends("<presence type='unavailable'/>")
    chamber.leaves()

    expect(await romeo.received()).toEqual([])
  })

  test('is sent for a session that another one takes the place of', async () => {
    const { server, romeo, juliet } = await friends()

    await server.client('juliet@localhost/balcony')

    expect(juliet.ended?.condition).toBe('conflict')
    expect(await romeo.receivedInBrief()).toEqual(['unavailable from juliet@localhost/balcony'])
  })
})

describe('a probe (RFC 6121 §4.3)', () => {
  test('of a contact who is away is answered in the name of the account', async () => {
    const { romeo, juliet } = await friends()
    juliet.leaves()
    await romeo.received()

    await romeo.sends("<presence type='probe' to='juliet@localhost'/>")

    expect(await romeo.receivedInBrief()).toEqual(['unavailable from juliet@localhost'])
    expect(await juliet.received()).toEqual([])
  })

  test('to a resource is answered for this one only', async () => {
    const { server, romeo, juliet } = await friends()
    await online(server, 'juliet@localhost/chamber')
    await romeo.received()

    await romeo.sends("<presence type='probe' to='juliet@localhost/chamber'/>")
    await romeo.sends("<presence type='probe' to='juliet@localhost/crypt'/>")

    expect(await romeo.receivedInBrief()).toEqual([
      'available from juliet@localhost/chamber', 'unavailable from juliet@localhost/crypt'])
    expect(await juliet.receivedInBrief()).toEqual(['available from juliet@localhost/chamber'])
  })

  test('by a stranger tells nothing, whether or not the account is there', async () => {
    const { romeo, juliet } = await friends()

    await juliet.sends("<presence type='probe' to='romeo@localhost'/>")
    await juliet.sends("<presence type='probe' to='nobody@localhost'/>")

    expect(await juliet.received()).toEqual([])
    expect(await romeo.received()).toEqual([])
  })

  test('by a subscriber whom the contact\'s server forgot ends the subscription (§4.3.2)', async () => {
    const { server, romeo, juliet } = await friends()
    await server.db.query("delete from roster_item where owner = 'juliet@localhost'")
    juliet.leaves()
    await server.core.accounts.forget(juliet.session.account.jid)
    await romeo.received()

    await romeo.sends("<presence type='probe' to='juliet@localhost'/>")

    expect(await romeo.receivedInBrief()).toEqual(['unsubscribed from juliet@localhost', 'push juliet@localhost none'])
  })

  test('by who was sent presence directly tells that it holds, without what it said (§4.6.6)', async () => {
    const { romeo, juliet } = await friends()
    await romeo.sends("<presence to='juliet@localhost/balcony'><status>here</status></presence>")
    await juliet.received()

    await juliet.sends("<presence type='probe' to='romeo@localhost/orchard'/>")

    expect(await juliet.received()).toEqual([
      "<presence from='romeo@localhost/orchard' to='juliet@localhost/balcony'/>"])
  })

  test('that the database can\'t answer costs nothing but the answer', async () => {
    const { server, romeo, juliet } = await friends()
    juliet.leaves()
    await server.core.accounts.forget(juliet.session.account.jid)
    romeo.leaves()
    const garden = await server.client('romeo@localhost/garden')
    await server.db.query('alter table account rename to account_gone')

    await garden.sends('<presence/>')

    expect(await garden.receivedInBrief()).toEqual(['available from romeo@localhost/garden'])
    await server.db.query('alter table account_gone rename to account')
  })
})
