import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Client } from '../client.ts'
import { STANZA_BYTES, Talker } from './talker.ts'

const MESSAGES = 3

let server: Server
let socket: Socket
let stanzas: readonly [string, string, string]
let client: Client

beforeAll(async () => {
  server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  client = new Client({ port: (server.address() as AddressInfo).port, domain: 'localhost', tls: false })
  socket = (await once(server, 'connection'))[0]
  new Talker(client, 'romeo', 'juliet@localhost').send(MESSAGES)
  let text = ''
  while (text.split('</message>').length <= MESSAGES) text += String((await once(socket, 'data'))[0])
  const [first = '', second = '', third = ''] = text.split(/(?<=<\/message>)/)
  stanzas = [first, second, third]
})

afterAll(async () => {
  socket.end()
  await client.close()
  server.close()
})

/** What a talker makes of these, in chunks of so many bytes. */
function hear (arrived: readonly string[], chunk = Infinity): Talker {
  const bytes = Buffer.from(arrived.join(''))
  const talker = new Talker(client, 'juliet', 'romeo@localhost')
  for (let at = 0; at < bytes.length; at += chunk) client.onBytes?.(bytes.subarray(at, at + chunk))
  return talker
}

test('a message is as long as the bench says', () => {
  expect(stanzas.map(stanza => Buffer.byteLength(stanza))).toEqual([STANZA_BYTES, STANZA_BYTES, STANZA_BYTES])
})

test.each([1, 7, 459, 460, 461, Infinity])('messages are found and in order in chunks of %d bytes', chunk => {
  expect(hear(stanzas, chunk)).toMatchObject({ received: MESSAGES, misplaced: 0 })
})

test('a message that is missing is noticed', () => {
  const [first, , third] = stanzas

  expect(hear([first, third])).toMatchObject({ received: 2, misplaced: 1 })
})

test('a message that comes twice is noticed', () => {
  const [first, second, third] = stanzas

  expect(hear([first, second, second, third])).toMatchObject({ received: 4, misplaced: 2 })
})

test('messages that overtake each other are noticed', () => {
  const [first, second, third] = stanzas

  expect(hear([second, first, third])).toMatchObject({ received: 3, misplaced: 2 })
})

test.each([1, 7, 30, Infinity])('acks between messages are counted, in chunks of %d bytes', chunk => {
  const [first, second] = stanzas
  const bytes = Buffer.from(
    `${first}<a h='2' xmlns='urn:xmpp:sm:3'/><r xmlns='urn:xmpp:sm:3'/>${second}<a xmlns="urn:xmpp:sm:3" h="5"/>`,
  )
  const acks: (readonly [number, number])[] = []
  const talker = new Talker(client, 'juliet', 'romeo@localhost', true)
  talker.onAck = (count, from) => { acks.push([count, from]) }

  for (let at = 0; at < bytes.length; at += chunk) client.onBytes?.(bytes.subarray(at, at + chunk))

  expect(talker).toMatchObject({ received: 2, misplaced: 0, acknowledged: 5 })
  expect(acks).toEqual([[2, 0], [3, 2]])
})

test('a managed talker asks for an ack behind what it writes, and answers what it is asked', async () => {
  const talker = new Talker(client, 'romeo', 'juliet@localhost', true)
  talker.send(1)
  client.onBytes?.(Buffer.from(`${stanzas[0]}<r xmlns='urn:xmpp:sm:3'/>`))
  let text = ''
  while (!text.endsWith("h='1'/>")) text += String((await once(socket, 'data'))[0])

  expect(text.slice(text.indexOf('>', text.indexOf('</message')) + 1)).toBe(
    "<r xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='1'/>",
  )
})
