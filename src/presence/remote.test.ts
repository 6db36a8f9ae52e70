/** RFC 6121 §4.3: probes to and from accounts of other servers. */
import { expect, test } from 'vitest'
import { online } from '../../test/support/world/online.ts'
import { RemoteServer } from '../../test/support/world/remote.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'

interface Friends { readonly server: World, readonly other: RemoteServer, readonly romeo: Client }

/** Romeo and Juliet, whose server is another, see each other. */
async function friends (): Promise<Friends> {
  const server = await world()
  const other = new RemoteServer(server, 'capulet.example')
  const romeo = await online(server, 'romeo@localhost/orchard')
  await romeo.sends("<presence type='subscribe' to='juliet@capulet.example'/>")
  await other.sends("<presence from='juliet@capulet.example' to='romeo@localhost' type='subscribed'/>")
  await other.sends("<presence from='juliet@capulet.example' to='romeo@localhost' type='subscribe'/>")
  await romeo.sends("<presence type='subscribed' to='juliet@capulet.example'/>")
  await romeo.received()
  await other.received()
  return { server, other, romeo }
}

test('who comes online probes remote contacts from the bare address', async () => {
  const { server, other } = await friends()

  await online(server, 'romeo@localhost/garden')

  expect(await other.receivedInBrief()).toEqual([
    'juliet@capulet.example: available from romeo@localhost/garden',
    'juliet@capulet.example: probe from romeo@localhost',
  ])
})

test('the answer to a probe reaches all available sessions, and no others', async () => {
  const { server, other, romeo } = await friends()
  const garden = await online(server, 'romeo@localhost/garden')
  const connected = await server.client('romeo@localhost/connected')
  await romeo.received()

  await other.sends("<presence from='juliet@capulet.example/balcony' to='romeo@localhost'/>")

  expect(await romeo.receivedInBrief()).toEqual(['available from juliet@capulet.example/balcony'])
  expect(await garden.receivedInBrief()).toEqual(['available from juliet@capulet.example/balcony'])
  expect(await connected.received()).toEqual([])
})

test('a remote subscriber who probes is told the presence of each resource', async () => {
  const { server, other } = await friends()
  const garden = await server.client('romeo@localhost/garden')
  await garden.sends('<presence><show>away</show></presence>')
  await other.received()

  await other.sends("<presence from='juliet@capulet.example' to='romeo@localhost' type='probe'/>")

  expect(await other.received()).toEqual([
    "<presence from='romeo@localhost/orchard' to='juliet@capulet.example'/>",
    "<presence from='romeo@localhost/garden' to='juliet@capulet.example'><show>away</show></presence>",
  ])
})

test('a remote subscriber who probes an account that is away is told so', async () => {
  const { other, romeo } = await friends()
  romeo.closes()
  await other.received()

  await other.sends("<presence from='juliet@capulet.example' to='romeo@localhost' type='probe'/>")

  expect(await other.receivedInBrief()).toEqual(['juliet@capulet.example: unavailable from romeo@localhost'])
})

test('an account that is not there answers a probe as one does whose presence is not for the sender', async () => {
  const { other } = await friends()

  await other.sends("<presence from='tybalt@capulet.example' to='romeo@localhost' type='probe'/>")
  await other.sends("<presence from='tybalt@capulet.example/hall' to='nobody@localhost/x' type='probe'/>")

  expect(await other.receivedInBrief()).toEqual([
    'tybalt@capulet.example: unsubscribed from romeo@localhost',
    'tybalt@capulet.example: unsubscribed from nobody@localhost',
  ])
})
