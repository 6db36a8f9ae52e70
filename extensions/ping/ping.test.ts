/** XEP-0199: XMPP Ping. */
import { expect, test } from 'vitest'
import { online, subscribes } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import { ping } from './index.ts'

const PING = "<ping xmlns='urn:xmpp:ping'/>"

test.each([undefined, 'localhost', 'romeo@localhost'])('a ping to %s is answered with nothing (§4.2)', async to => {
  const { client } = await world(ping)
  const romeo = await client('romeo@localhost/orchard')

  expect(await romeo.asks('get', PING, to)).toBeUndefined()
})

test('a ping is a get', async () => {
  const { client } = await world(ping)
  const romeo = await client('romeo@localhost/orchard')

  await expect(romeo.asks('set', PING)).rejects.toThrow('service-unavailable')
})

test('a ping from one client to another is theirs (§4.4)', async () => {
  const server = await world(ping)
  const romeo = await online(server, 'romeo@localhost/orchard')
  const juliet = await online(server, 'juliet@localhost/balcony')
  await subscribes(romeo, juliet)

  await romeo.sends(`<iq type='get' id='p1' to='juliet@localhost/balcony'>${PING}</iq>`)

  expect(await juliet.receivedInBrief()).toEqual(['get from romeo@localhost/orchard: ping'])
})

test('the server says that it can be pinged (§5)', async () => {
  const { client } = await world(ping)
  const romeo = await client('romeo@localhost/orchard')

  const info = await romeo.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", 'localhost')

  expect(info?.toString()).toMatch(/var=['"]urn:xmpp:ping['"]/)
})
