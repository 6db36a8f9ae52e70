/** Nodes and people of other servers. */
import { expect, test } from 'vitest'
import { creates, eventIn, items, publishes, request, SERVICE } from '../../test/support/world/nodes.ts'
import { online } from '../../test/support/world/online.ts'
import { RemoteServer } from '../../test/support/world/remote.ts'
import { answer, software } from '../../test/support/world/software.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'

const TUNE = 'http://jabber.org/protocol/tune'
const JULIET = 'juliet@capulet.example'

interface Friends { readonly server: World, readonly other: RemoteServer, readonly romeo: Client }

/** Romeo, and Juliet, whose server is another: each sees the other's presence. */
async function friends (): Promise<Friends> {
  const server = await world()
  const other = new RemoteServer(server, 'capulet.example')
  const romeo = await online(server, 'romeo@localhost/orchard')
  await romeo.sends(`<presence type='subscribe' to='${JULIET}'/>`)
  await other.sends(`<presence from='${JULIET}' to='romeo@localhost' type='subscribed'/>`)
  await other.sends(`<presence from='${JULIET}' to='romeo@localhost' type='subscribe'/>`)
  await romeo.sends(`<presence type='subscribed' to='${JULIET}'/>`)
  await romeo.received()
  await other.received()
  return { server, other, romeo }
}

/** One of Juliet's devices comes online with software that wants events of the node. */
async function comes (other: RemoteServer, device: string, node: string): Promise<void> {
  const { c, query } = software(node)
  await other.sends(`<presence from='${JULIET}/${device}' to='romeo@localhost'>${c}</presence>`)
  const [asked] = (await other.received()).filter(xml => xml.includes('disco#info'))
  if (asked !== undefined) await other.sends(answer(asked, query, `${JULIET}/${device}`))
}

async function heard (other: RemoteServer): Promise<readonly string[]> {
  return (await other.received()).flatMap(xml => {
    const event = eventIn(xml)
    return event === undefined ? [] : `${/ to='([^']+)'/.exec(xml)?.[1]}: ${event}`
  })
}

async function asks (other: RemoteServer, type: 'get' | 'set', payload: string, to = 'romeo@localhost'): Promise<string> {
  await other.sends(`<iq type='${type}' id='1' from='${JULIET}/balcony' to='${to}'>${request(payload)}</iq>`)
  return (await other.received()).filter(xml => xml.startsWith('<iq')).join()
}

test('events go to those devices of contacts elsewhere that want them', async () => {
  const { other, romeo } = await friends()
  await comes(other, 'balcony', TUNE)
  await comes(other, 'phone', 'urn:other')

  await publishes(romeo, TUNE, 'a', 'Allegro')

  expect(await heard(other)).toEqual([`${JULIET}/balcony: ${TUNE} a: Allegro`])
})

test('the last item goes to a device of a contact elsewhere that comes online', async () => {
  const { other, romeo } = await friends()
  await publishes(romeo, TUNE, 'a', 'Allegro')
  await other.received()

  await comes(other, 'balcony', TUNE)

  expect(await heard(other)).toEqual([`${JULIET}/balcony: ${TUNE} a: Allegro (late)`])
})

test('a whitelist holds for contacts elsewhere', async () => {
  const { other, romeo } = await friends()
  await comes(other, 'balcony', TUNE)
  await creates(romeo, TUNE, { access_model: 'whitelist' }, 'romeo@localhost')

  await publishes(romeo, TUNE, 'a', 'Allegro')

  expect(await heard(other)).toEqual([])
  expect(await asks(other, 'get', `<items node='${TUNE}'/>`)).toContain('closed-node')
})

test('contacts elsewhere read items, and publish none', async () => {
  const { other, romeo } = await friends()
  await publishes(romeo, TUNE, 'a', 'Allegro')
  await other.received()

  const read = await asks(other, 'get', `<items node='${TUNE}'/>`)
  const published = await asks(other, 'set', `<publish node='${TUNE}'><item><a xmlns='urn:a'/></item></publish>`)

  expect(read).toContain('Allegro')
  expect(published).toContain('forbidden')
})

test('people elsewhere subscribe at the service, and hear of items', async () => {
  const { other, romeo } = await friends()
  await creates(romeo, 'musings')

  const subscribed = await asks(other, 'set', `<subscribe node='musings' jid='${JULIET}'/>`, SERVICE)
  await publishes(romeo, 'musings', 'a', 'x', SERVICE)

  expect(subscribed).toContain("subscription='subscribed'")
  expect(await heard(other)).toEqual([`${JULIET}: musings a: x`])
  expect(await asks(other, 'set', "<create node='theirs'/>", SERVICE)).toContain('forbidden')
})

test('an event of a node elsewhere comes to the device that it is for', async () => {
  const { other, romeo } = await friends()

  await other.sends(`<message from='${JULIET}' to='romeo@localhost/orchard' type='headline'>` +
    "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='x'><item id='a'/></items></event></message>")

  expect((await romeo.received()).map(eventIn)).toEqual(['x a'])
  await expect(items(romeo, 'x')).rejects.toThrow('item-not-found')
})
