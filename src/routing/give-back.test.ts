/** RFC 6120 §8.3: an error that comes late: its sender may be gone, and is to hear of it all the same. */
import { expect, test } from 'vitest'
import { archive } from '../../extensions/archive/index.ts'
import { carbons } from '../../extensions/carbons/index.ts'
import { offline } from '../../extensions/offline/index.ts'
import { streamManagement } from '../../extensions/stream-management/index.ts'
import { online } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { el } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { message } from '../xmpp/stanza.ts'

const ORCHARD = Jid.parse('romeo@localhost/orchard')
const JULIET = Jid.parse('juliet@capulet.example')
const GIVEN_BACK = 'message error remote-server-timeout from juliet@capulet.example'

async function comesBack (server: World, key = 'capulet.example/1'): Promise<void> {
  const sent = message('chat', { from: ORCHARD, to: JULIET, id: 'm1' }, el('body', 'jabber:client', {}, 'Juliet?'))
  await server.core.router.giveBack(sent, new StanzaError('remote-server-timeout'), ORCHARD, key)
}

function server (): Promise<World> {
  return world(archive, offline, carbons, streamManagement)
}

async function hears (client: Client): Promise<readonly string[]> {
  return (await client.receivedInBrief()).filter(text => text.startsWith('message'))
}

test('a message that comes back reaches the session that sent it, with its id', async () => {
  const site = await server()
  const orchard = await online(site, 'romeo@localhost/orchard')
  const garden = await online(site, 'romeo@localhost/garden')

  await comesBack(site)

  expect(await orchard.received()).toContainEqual(
    expect.stringMatching(/^<message [^>]*to='romeo@localhost\/orchard' id='m1' type='error'>/))
  expect(await hears(garden)).toEqual([])
})

test('it reaches the other sessions where that one is gone', async () => {
  const site = await server()
  const garden = await online(site, 'romeo@localhost/garden')

  await comesBack(site)

  expect(await hears(garden)).toEqual([GIVEN_BACK])
})

test('it is kept until a device has got it, also while the server is restarted', async () => {
  const site = await server()
  const orchard = await online(site, 'romeo@localhost/orchard')
  orchard.closes()
  await comesBack(site)
  const restarted = await site.restarts()

  const garden = await restarted.client('romeo@localhost/garden')
  await garden.comesOnline()

  expect(await hears(garden)).toEqual([GIVEN_BACK])
})

test('it reaches another device where the session that was sent it is lost before it has acknowledged it', async () => {
  const site = await server()
  const orchard = await online(site, 'romeo@localhost/orchard')
  await orchard.sendsNonza("<enable xmlns='urn:xmpp:sm:3'/>")
  await comesBack(site)
  orchard.leaves(false)

  const garden = await site.client('romeo@localhost/garden')
  await garden.comesOnline()

  expect(await hears(garden)).toEqual([GIVEN_BACK])
})

test('it comes once, however often it is given back', async () => {
  const site = await server()
  const orchard = await online(site, 'romeo@localhost/orchard')

  await comesBack(site)
  await comesBack(site)
  await comesBack(site, 'capulet.example/2')

  expect(await hears(orchard)).toEqual([GIVEN_BACK, GIVEN_BACK])
})
