/** What the server reads of a stanza has a limit of its own; what it passes on has that of every stanza. */
import { expect, test } from 'vitest'
import { blocking } from '../../extensions/blocking/index.ts'
import { carbons } from '../../extensions/carbons/index.ts'
import { vcard } from '../../extensions/vcard/index.ts'
import { COVEN, hears, owner } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import { storedFrame } from '../xml/stored.ts'
import { NS_DELAY } from './forward.ts'
import { Jid } from './jid.ts'
import { message, messageWith } from './stanza.ts'

const ROMEO = 'romeo@localhost/orchard'
const MANY = '<field><value/></field>'.repeat(2_500)
const FORM = `<x xmlns='jabber:x:data' type='submit'>${MANY}</x>`

test.each([
  [
    'a list to block',
    `<block xmlns='urn:xmpp:blocking'>${"<item jid='a@localhost'><a/></item>".repeat(2_500)}</block>`,
  ],
  ['a roster item', `<query xmlns='jabber:iq:roster'><item jid='a@localhost'>${'<a/>'.repeat(5_000)}</item></query>`],
])('%s with more elements than there can be in any is refused', async (_what, payload) => {
  const server = await world(blocking)
  const romeo = await server.client(ROMEO)

  await expect(romeo.asks('set', payload)).rejects.toThrow('policy-violation')
})

test.each([
  ['a room\'s form', `<query xmlns='http://jabber.org/protocol/muc#owner'>${FORM}</query>`],
  ['a registration', `<query xmlns='jabber:iq:register'>${FORM}</query>`],
  ['a list of members', `<query xmlns='http://jabber.org/protocol/muc#admin'>${"<item affiliation='member' jid='a@localhost'/>".repeat(5_000)}</query>`],
])('%s with more elements than there can be in any is refused by the room', async (_what, payload) => {
  const crone = await owner(await world())

  await expect(crone.asks('set', payload, COVEN)).rejects.toThrow('policy-violation')
})

test.each([
  ['invitations', `<x xmlns='http://jabber.org/protocol/muc#user'>${"<invite to='a@localhost'/>".repeat(5_000)}</x>`],
  ['a form', FORM],
])('%s with more elements than there can be in any is refused, whoever it is for', async (_what, payload) => {
  const server = await world(carbons)
  const crone = await owner(server)
  await crone.received()

  await crone.sends(`<message to='${COVEN}'>${payload}</message>`)

  expect(await hears(crone)).toEqual([expect.stringContaining('policy-violation')])
})

test('what the server does not read may have as many elements as a stanza', async () => {
  const server = await world(vcard)
  const romeo = await server.client(ROMEO)
  const juliet = await server.client('juliet@localhost/balcony')
  await juliet.comesOnline()
  await juliet.received()
  const card = `<vCard xmlns='vcard-temp'>${'<a/>'.repeat(5_000)}</vCard>`

  await romeo.asks('set', card)
  await romeo.sends(
    `<message type='chat' to='${juliet.session.jid}'><a xmlns='a'>${'<b/>'.repeat(5_000)}</a></message>`,
  )

  expect(await juliet.received()).toEqual([expect.stringContaining('<b/></a></message>')])
})

test('the attributes of a payload are read, however much there is in it', () => {
  const { inner, children } = storedFrame(
    `<m xmlns='jabber:client'><delay xmlns='${NS_DELAY}' from='a&amp;b'>${'<a/>'.repeat(5_000)}</delay></m>`,
  )
  const large = messageWith('chat', { to: Jid.parse(ROMEO) }, { inner, children })

  expect(large.attributesOf('delay', NS_DELAY)?.['from']).toBe('a&b')
  expect(() => large.payload('delay', NS_DELAY)).toThrow('too many elements')
  expect(message('chat', {}).attributesOf('delay', NS_DELAY)).toBeUndefined()
})
