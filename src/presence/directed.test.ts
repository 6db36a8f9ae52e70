/** RFC 6121 §4.6: presence that is sent to one address, and its end. */
import { expect, test } from 'vitest'
import { online, subscribes } from '../../test/support/world/online.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { world } from '../../test/support/world/world.ts'

interface Strangers { readonly server: World, readonly romeo: Client, readonly juliet: Client }

async function strangers (): Promise<Strangers> {
  const server = await world()
  const romeo = await online(server, 'romeo@localhost/orchard')
  return { server, romeo, juliet: await online(server, 'juliet@localhost/balcony') }
}

test('presence to an account goes to all its available resources, whatever their priority', async () => {
  const { server, romeo, juliet } = await strangers()
  const chamber = await server.client('juliet@localhost/chamber')
  await chamber.sends('<presence><priority>-1</priority></presence>')
  const connected = await server.client('juliet@localhost/connected')
  await juliet.received()
  await chamber.received()

  await romeo.sends("<presence to='juliet@localhost'><show>chat</show></presence>")

  const presence = "<presence from='romeo@localhost/orchard' to='juliet@localhost'><show>chat</show></presence>"
  expect(await juliet.received()).toEqual([presence])
  expect(await chamber.received()).toEqual([presence])
  expect(await connected.received()).toEqual([])
})

test('later presence does not go there, and the end does (§4.6.3)', async () => {
  const { romeo, juliet } = await strangers()
  await romeo.sends("<presence to='juliet@localhost/balcony'/>")
  await juliet.received()

  await romeo.sends('<presence><show>away</show></presence>')
  expect(await juliet.received()).toEqual([])
  await romeo.sends("<presence type='unavailable'/>")

  expect(await juliet.receivedInBrief()).toEqual(['unavailable from romeo@localhost/orchard'])
})

test('the end is told also where the stream is lost, and where the sender never was available', async () => {
  const { server, romeo, juliet } = await strangers()
  const garden = await server.client('romeo@localhost/garden')
  await garden.sends("<presence to='juliet@localhost'/>")
  await romeo.sends("<presence to='juliet@localhost'/>")
  await juliet.received()

  garden.leaves()
  romeo.leaves()

  expect(await juliet.receivedInBrief()).toEqual([
    'unavailable from romeo@localhost/garden', 'unavailable from romeo@localhost/orchard'])
})

test('who was told of the end directly is not told again', async () => {
  const { romeo, juliet } = await strangers()
  await romeo.sends("<presence to='juliet@localhost'/>")
  await romeo.sends("<presence to='juliet@localhost' type='unavailable'/>")
  await juliet.received()

  romeo.leaves()

  expect(await juliet.received()).toEqual([])
})

test('a subscriber who was sent presence directly is told of the end once', async () => {
  const { server, juliet } = await strangers()
  const romeo = await online(server, 'romeo@localhost/garden')
  await subscribes(juliet, romeo)
  await romeo.sends("<presence type='unavailable'/>")
  await romeo.sends("<presence to='juliet@localhost/balcony'/>")
  await romeo.sends('<presence/>')
  await romeo.sends("<presence to='juliet@localhost/balcony'/>")
  await juliet.received()

  romeo.leaves()

  expect(await juliet.receivedInBrief()).toEqual(['unavailable from romeo@localhost/garden'])
})

test('presence to a resource or an account that is not there is lost without an answer (§8.5)', async () => {
  const { romeo, juliet } = await strangers()

  for (const type of ['', "type='unavailable'"]) {
    await romeo.sends(`<presence to='juliet@localhost/crypt' ${type}/>`)
    await romeo.sends(`<presence to='nobody@localhost' ${type}/>`)
    await romeo.sends(`<presence to='nobody@localhost/crypt' ${type}/>`)
  }

  expect(await romeo.received()).toEqual([])
  expect(await juliet.received()).toEqual([])
})

test('a probe without an address is refused', async () => {
  const { romeo } = await strangers()

  await romeo.sends("<presence type='probe'/>")

  expect((await romeo.receivedInBrief()).join()).toMatch(/^presence error bad-request[^,]*$/)
})

test('who has a removed account\'s name later is not who was sent presence', async () => {
  const { server, romeo, juliet } = await strangers()
  await romeo.sends("<presence to='juliet@localhost'/>")
  await romeo.sends("<presence to='juliet@localhost/balcony'/>")
  await romeo.sends("<presence to='juliet@localhost.example'/>")
  await server.core.commands.remove(juliet.session.account.jid)
  const next = await online(server, 'juliet@localhost/crypt')
  await romeo.received()

  await next.sends("<presence type='probe' to='romeo@localhost/orchard'/>")
  await next.sends("<iq type='get' id='i1' to='romeo@localhost/orchard'><ping xmlns='urn:xmpp:ping'/></iq>")

  expect(await next.receivedInBrief()).toEqual(['iq error service-unavailable from romeo@localhost/orchard'])
  expect(await romeo.received()).toEqual([])
  romeo.leaves(false)
  expect(await next.received()).toEqual([])
})
