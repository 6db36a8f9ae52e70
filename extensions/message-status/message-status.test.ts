/** What became of one's messages: XEP-0184, XEP-0333, docs/status.md. */
import { expect, test } from 'vitest'
import { online } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { whileWriting } from '../../test/support/world/while-writing.ts'
import { archive } from '../archive/index.ts'
import { chatMarkers } from '../chat-markers/index.ts'
import { offline } from '../offline/index.ts'
import { receipts } from '../receipts/index.ts'
import { streamManagement } from '../stream-management/index.ts'
import { messageStatus } from './index.ts'

const EXTENSIONS = [archive, offline, streamManagement, receipts, chatMarkers, messageStatus]

/** What the client's account knows of its conversation with Juliet. */
async function status (client: Client, peer = 'juliet@localhost'): Promise<unknown> {
  await client.received()
  return statusNow(client, peer)
}

/** The same, though not everything has arrived. */
async function statusNow (client: Client, peer = 'juliet@localhost'): Promise<unknown> {
  const { delivered, displayed } =
    (await client.asks('get', `<status xmlns='urn:heliograph:status:0' with='${peer}'/>`))?.attrs ?? {}
  const number = (id: string | undefined): string | undefined =>
    id && String(client.session.account.archiveIds.decode(id))
  return { delivered: number(delivered), displayed: number(displayed) }
}

async function sends (client: Client, ...ids: readonly string[]): Promise<void> {
  for (const id of ids)
    await client.sends(`<message to='juliet@localhost' type='chat' id='${id}'><body>${id}</body></message>`)
}

/** Juliet's client, which acknowledges by itself what it is told to. */
async function managed (server: World): Promise<Client> {
  const juliet = await server.client('juliet@localhost/balcony')
  await juliet.sendsNonza("<enable xmlns='urn:xmpp:sm:3'/>")
  await juliet.sends('<presence/>')
  await juliet.received()
  return juliet
}

test('what waits is sent and no more', async () => {
  const server = await world(...EXTENSIONS)
  const romeo = await online(server, 'romeo@localhost/orchard')
  await server.client('juliet@localhost/balcony')

  await sends(romeo, 'one')

  expect(await status(romeo)).toEqual({})
})

test('what a device acknowledged is delivered, and what it did not is not', async () => {
  const server = await world(...EXTENSIONS)
  const romeo = await online(server, 'romeo@localhost/orchard')
  const juliet = await managed(server)
  await sends(romeo, 'one', 'two', 'three')
  await juliet.received()

  await juliet.sendsNonza("<a xmlns='urn:xmpp:sm:3' h='3'/>") // its presence, and two

  expect(await status(romeo)).toEqual({ delivered: '2' })
})

test('a status that is asked for while another is has what both need', async () => {
  const server = await world(...EXTENSIONS)
  const [romeo, again] = [
    await online(server, 'romeo@localhost/orchard'),
    await online(server, 'romeo@localhost/street'),
  ]
  const juliet = await online(server, 'juliet@localhost/balcony')
  await sends(romeo, 'one')
  await juliet.sends(
    "<message to='romeo@localhost' type='chat'><received xmlns='urn:xmpp:receipts' id='one'/></message>",
  )

  const [first, second] = await whileWriting(server, 'conversation_status', [
    () => statusNow(romeo),
    () => statusNow(again),
  ])

  expect(first).toEqual({ delivered: '1' })
  expect(second).toEqual(first)
})

test('what is fetched at a login later is delivered, and the status is known after a restart', async () => {
  const server = await world(...EXTENSIONS)
  const romeo = await online(server, 'romeo@localhost/orchard')
  await (await server.client('juliet@localhost/elsewhere')).leaves()
  await sends(romeo, 'one', 'two')
  const restarted = await server.restarts()

  await online(restarted, 'juliet@localhost/balcony')

  const later = await restarted.restarts()
  expect(await status(await online(later, 'romeo@localhost/phone'))).toEqual({ delivered: '2' })
})

test('a receipt and a marker count, and go forwards only', async () => {
  const server = await world(...EXTENSIONS)
  const romeo = await online(server, 'romeo@localhost/orchard')
  const juliet = await managed(server)
  await sends(romeo, 'one', 'two', 'three')

  await juliet.sends("<message to='romeo@localhost/orchard'><received xmlns='urn:xmpp:receipts' id='three'/></message>")
  const afterReceipt = await status(romeo)
  await juliet.sends("<message to='romeo@localhost'><displayed xmlns='urn:xmpp:chat-markers:0' id='two'/></message>")
  const afterMarker = await status(romeo)
  await juliet.sends("<message to='romeo@localhost'><displayed xmlns='urn:xmpp:chat-markers:0' id='one'/></message>")

  expect(afterReceipt).toEqual({ delivered: '3' })
  expect(afterMarker).toEqual({ delivered: '3', displayed: '2' })
  expect(await status(romeo)).toEqual(afterMarker)
})

test('nobody has read what was not sent to them (XEP-0333 §5)', async () => {
  const server = await world(...EXTENSIONS)
  const romeo = await online(server, 'romeo@localhost/orchard')
  const juliet = await managed(server)
  const tybalt = await online(server, 'tybalt@localhost/street')
  await sends(romeo, 'one')
  await juliet.sends("<message to='romeo@localhost' type='chat' id='hers'><body>hers</body></message>")

  await tybalt.sends("<message to='romeo@localhost'><displayed xmlns='urn:xmpp:chat-markers:0' id='one'/></message>")
  await juliet.sends("<message to='romeo@localhost'><displayed xmlns='urn:xmpp:chat-markers:0' id='hers'/></message>")

  expect(await status(romeo)).toEqual({})
  expect(await status(romeo, 'tybalt@localhost')).toEqual({})
})

test.each([["with='@'", 'jid-malformed'], ['', 'bad-request']])(
  'a question with %s is answered with %s',
  async (attribute, condition) => {
    const server = await world(...EXTENSIONS)
    const romeo = await online(server, 'romeo@localhost/orchard')

    await expect(romeo.asks('get', `<status xmlns='urn:heliograph:status:0' ${attribute}/>`)).rejects.toThrow(condition)
  })
