/** XEP-0280: Message Carbons. */
import { describe, expect, test } from 'vitest'
import { numbered } from '../../test/support/world/archive-numbers.ts'
import { online } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { archive } from '../archive/index.ts'
import { chatStates } from '../chat-states/index.ts'
import { receipts } from '../receipts/index.ts'
import { carbons } from './index.ts'

const NS = 'urn:xmpp:carbons:2'

/** A client that is online and asked for copies. */
async function copied (server: World, jid: string): Promise<Client> {
  const client = await online(server, jid)
  await client.asks('set', `<enable xmlns='${NS}'/>`)
  return client
}

/** Romeo with a laptop and a phone that asked for copies, and Juliet with nothing to read. */
async function stage (server: World) {
  const laptop = await online(server, 'romeo@localhost/laptop')
  const phone = await copied(server, 'romeo@localhost/phone')
  const juliet = await online(server, 'juliet@localhost/balcony')
  await laptop.received()
  return { laptop, phone, juliet }
}

test('what one device sends is copied to another that asked, from the own account (§7)', async () => {
  const { laptop, phone, juliet } = await stage(await world(carbons))

  await laptop.says('juliet@localhost', 'Wilt thou leave me so unsatisfied?')

  expect(await phone.received()).toEqual([
    "<message from='romeo@localhost' to='romeo@localhost/phone' type='chat'><sent xmlns='urn:xmpp:carbons:2'>" +
    "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='romeo@localhost/laptop' " +
    "to='juliet@localhost' type='chat'><body>Wilt thou leave me so unsatisfied?</body></message></forwarded></sent></message>",
  ])
  expect(await laptop.received()).toEqual([])
  expect(await juliet.received()).toHaveLength(1)
})

test('what comes for one device is copied to another that asked and to no third (§6)', async () => {
  const server = await world(carbons)
  const { laptop, phone, juliet } = await stage(server)
  const tablet = await online(server, 'romeo@localhost/tablet')
  await phone.received()

  await juliet.says('romeo@localhost/laptop', 'What satisfaction?')

  expect(await phone.received()).toEqual([expect.stringMatching(
    /^<message from='romeo@localhost' to='romeo@localhost\/phone' type='chat'><received xmlns='urn:xmpp:carbons:2'>.*What sat/,
  )])
  expect(await tablet.received()).toEqual([])
  expect(await laptop.receivedInBrief()).toContain('chat from juliet@localhost/balcony: What satisfaction?')
})

test('a device that gets the message itself gets no copy of it (§6)', async () => {
  const { phone, juliet } = await stage(await world(carbons))

  await juliet.says('romeo@localhost', 'What satisfaction?')

  expect(await phone.receivedInBrief()).toEqual(['chat from juliet@localhost/balcony: What satisfaction?'])
})

test('a device that is not to be disturbed gets a copy where the others get the message', async () => {
  const server = await world(carbons)
  const { phone, juliet } = await stage(server)
  const tablet = await server.client('romeo@localhost/tablet')
  await tablet.asks('set', `<enable xmlns='${NS}'/>`)
  await tablet.sends('<presence><priority>-1</priority></presence>')
  await tablet.received()
  await phone.received()

  await juliet.says('romeo@localhost', 'What satisfaction?')

  expect(await tablet.received()).toEqual([expect.stringContaining('<received ')])
  expect(await phone.received()).toEqual([expect.not.stringContaining('<received ')])
})

test('copies end when they are no longer wanted, and asking twice is no mistake (§5, §10.1)', async () => {
  const { laptop, phone } = await stage(await world(carbons))
  await phone.asks('set', `<enable xmlns='${NS}'/>`)
  await phone.asks('set', `<disable xmlns='${NS}'/>`)
  await phone.asks('set', `<disable xmlns='${NS}'/>`)

  await laptop.says('juliet@localhost', 'Wilt thou leave me so unsatisfied?')

  expect(await phone.received()).toEqual([])
})

test('a copy carries the id under which the own archive keeps the message, sent or received', async () => {
  const { laptop, phone, juliet } = await stage(await world(archive, carbons))

  await laptop.says('juliet@localhost', 'one')
  await juliet.says('romeo@localhost/laptop', 'two')

  const id = (n: number) =>
    expect.stringContaining(`<stanza-id xmlns='urn:xmpp:sid:0' by='romeo@localhost' id='${n}'/></message></forwarded>`)
  expect((await phone.received()).map(xml => numbered(xml, phone.session.account))).toEqual([id(1), id(2)])
})

test('a note to oneself is not copied to who sent it, nor twice to anybody', async () => {
  const { laptop, phone } = await stage(await world(carbons))

  await laptop.says('romeo@localhost', 'remember the ladder')
  await laptop.says('romeo@localhost/laptop', 'and the rope')

  expect(await laptop.receivedInBrief()).toEqual([
    'chat from romeo@localhost/laptop: remember the ladder', 'chat from romeo@localhost/laptop: and the rope',
  ])
  expect(await phone.received()).toEqual([
    expect.stringMatching(/^<message from='romeo@localhost\/laptop' .*the ladder/),
    expect.stringMatching(/<received .*the rope/),
  ])
})

describe('what is worth a copy (§6.1)', () => {
  const BODY = '<body>hi</body>'
  const ROOM_USER = "<x xmlns='http://jabber.org/protocol/muc#user'/>"
  const INVITE = "<x xmlns='http://jabber.org/protocol/muc#user'><invite to='hecate@localhost'/></x>"

  test.each([
    ['a chat message', 'chat', '<thread>t</thread>', true],
    ['a private one', 'chat', `${BODY}<private xmlns='${NS}'/>`, false],
    ['one that says no-copy', 'chat', `${BODY}<no-copy xmlns='urn:xmpp:hints'/>`, false],
    ['a normal one with a body', 'normal', BODY, true],
    ['a normal one with nothing that is known', 'normal', "<data xmlns='urn:example:data'/>", false],
    ['a receipt', 'normal', "<received xmlns='urn:xmpp:receipts' id='1'/>", true],
    ['a chat state', 'normal', "<composing xmlns='http://jabber.org/protocol/chatstates'/>", true],
    ['a headline', 'headline', BODY, false],
    ['a direct invitation', 'normal', "<x xmlns='jabber:x:conference' jid='cave@localhost'/>", true],
    ['an invitation through the room', 'normal', INVITE, true],
    ['news of a room', 'normal', ROOM_USER, false],
    ['a private message to somebody in a room', 'chat', `${BODY}${ROOM_USER}`, true],
  ])('%s', async (_what, type, content, isCopied) => {
    const { laptop, phone } = await stage(await world(carbons, receipts, chatStates))

    await laptop.sends(`<message to='juliet@localhost/balcony' type='${type}'>${content}</message>`)

    expect(await phone.received()).toHaveLength(isCopied ? 1 : 0)
  })

  test.each([
    ['a private message from somebody in a room', `${BODY}${ROOM_USER}`, false],
    ['a chat message', BODY, true],
  ])('%s, received', async (_what, content, isCopied) => {
    const { phone, juliet } = await stage(await world(carbons))

    await juliet.sends(`<message to='romeo@localhost/laptop' type='chat'>${content}</message>`)

    expect(await phone.received()).toHaveLength(isCopied ? 1 : 0)
  })
})

test('a private message is not copied, and its recipient sees that it is private (§8)', async () => {
  const { laptop, phone, juliet } = await stage(await world(carbons))

  await juliet.sends(
    `<message to='romeo@localhost/laptop' type='chat'><body>hush</body><private xmlns='${NS}'/></message>`,
  )

  expect(await phone.received()).toEqual([])
  expect(await laptop.received()).toEqual([
    expect.stringMatching(/<body>hush<\/body><private xmlns='urn:xmpp:carbons:2'\/><\/message>$/),
  ])
})

test('the error that answers a copied message is copied, another is not (§6.1)', async () => {
  const { laptop, phone } = await stage(await world(carbons))
  await laptop.sends("<message to='nobody@localhost' type='chat' id='a'><body>anybody?</body></message>")
  await laptop.sends("<message to='nobody@localhost' type='headline' id='b'><body>anybody?</body></message>")

  const [sent, ...errors] = await phone.received()

  expect(sent).toContain('<sent ')
  expect(errors).toEqual([expect.stringMatching(/<received .* id='a' type='error'/)])
})
