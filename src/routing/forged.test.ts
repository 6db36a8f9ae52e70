/** Only the server speaks for the server: what it or a room says of a stanza is believed, so that no client may. */
import { describe, expect, test } from 'vitest'
import { archive } from '../../extensions/archive/index.ts'
import { carbons } from '../../extensions/carbons/index.ts'
import { offline } from '../../extensions/offline/index.ts'
import { retraction } from '../../extensions/retraction/index.ts'
import { COVEN, enters, inside, owner } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'

const ROMEO = 'romeo@localhost/orchard'
const JULIET = 'juliet@localhost/balcony'
const FENCE = "<fence xmlns='urn:example:fence'/>"
const LATE = "stamp='2001-01-01T00:00:00Z' xmlns='urn:xmpp:delay'"
const FORWARDED = "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'/></forwarded>"

const FORGED: readonly (readonly [string, string])[] = [
  ['a delay by the server', `<delay ${LATE} from='localhost' mark='forged'/>`],
  ['a delay by the server in capitals', `<delay ${LATE} from='LOCALHOST' mark='forged'/>`],
  ['a delay by the server with a dot', `<delay ${LATE} from='localhost.' mark='forged'/>`],
  ['a delay by a resource of the server', `<delay ${LATE} from='localhost/x' mark='forged'/>`],
  ['a delay by what is nearly the server', `<delay ${LATE} from=' localhost' mark='forged'/>`],
  ['a delay by the recipient', `<delay ${LATE} from='juliet@localhost' mark='forged'/>`],
  ['a delay by somebody else', `<delay ${LATE} from='nurse@localhost/x' mark='forged'/>`],
  ['a delay by the service', `<delay ${LATE} from='conference.localhost' mark='forged'/>`],
  ['a delay by the room', `<delay ${LATE} from='${COVEN}' mark='forged'/>`],
  ['a delay by an occupant', `<delay ${LATE} from='${COVEN}/thirdwitch' mark='forged'/>`],
  [
    'a delay of old by the server',
    "<x xmlns='jabber:x:delay' from='localhost' stamp='20010101T00:00:00' mark='forged'/>",
  ],
  [
    'an original sender',
    "<addresses xmlns='http://jabber.org/protocol/address'><address type='ofrom' jid='nurse@localhost/x' mark='forged'/></addresses>",
  ],
  ['a carbon of what was sent', `<sent xmlns='urn:xmpp:carbons:2' mark='forged'>${FORWARDED}</sent>`],
  ['a carbon of what was received', `<received xmlns='urn:xmpp:carbons:2' mark='forged'>${FORWARDED}</received>`],
  [
    'a moderation',
    "<retract xmlns='urn:xmpp:message-retract:1' id='7' mark='forged'><moderated xmlns='urn:xmpp:message-moderate:1' by='coven@conference.localhost/firstwitch'/></retract>",
  ],
  ['an id of the own archive', "<stanza-id xmlns='urn:xmpp:sid:0' by='romeo@localhost' id='forged'/>"],
  ['very many addresses', `<addresses xmlns='http://jabber.org/protocol/address'>${"<address type='to' jid='forged@x'/>".repeat(200)}</addresses>`],
  ['many delays, of which only the last is by the server', `<delay ${LATE}/>`.repeat(8) + `<delay ${LATE} from='localhost' mark='forged'/>`],
]

const GENUINE: readonly (readonly [string, string])[] = [
  ['a delay by the client', `<delay ${LATE} from='${ROMEO}'/>`],
  ['a delay by the account', `<delay ${LATE} from='romeo@localhost'/>`],
  ['a delay by nobody', `<delay ${LATE}/>`],
  ['a delay elsewhere', `<delay ${LATE} from='montague.example'/>`],
  ['a delay in another namespace', "<delay xmlns='urn:example:delay' from='localhost'/>"],
  ['a form', "<x xmlns='jabber:x:data' type='form' from='localhost'/>"],
  [
    'addresses to whom it goes',
    "<addresses xmlns='http://jabber.org/protocol/address'><address type='to' jid='nurse@localhost'/></addresses>",
  ],
  ['a mark that keeps it private', "<private xmlns='urn:xmpp:carbons:2'/>"],
  ['a receipt', "<received xmlns='urn:xmpp:receipts' id='1'/>"],
  ['an id of its own', "<origin-id xmlns='urn:xmpp:sid:0' id='1'/>"],
  ['what was forwarded', `<forwarded xmlns='urn:xmpp:forward:0'><delay ${LATE} from='localhost'/></forwarded>`],
  ['a property that is every object\'s', "<__defineGetter__ xmlns='urn:xmpp:delay'/>"],
]

/** What Juliet hears of Romeo's element, one way or another. */
const WAYS: Readonly<Record<string, (server: World, romeo: Client, element: string) => Promise<Client>>> = {
  async 'a chat' (server, romeo, element) {
    const juliet = await server.client(JULIET)
    await romeo.sends(`<message to='${JULIET}' type='chat'><body>hi</body>${element}</message>`)
    return juliet
  },
  async 'a chat while nobody is there' (server, romeo, element) {
    await (await server.client(JULIET)).leaves()
    await romeo.sends(`<message to='juliet@localhost' type='chat'><body>hi</body>${element}</message>`)
    const juliet = await server.client(JULIET)
    await juliet.sends('<presence/>')
    return juliet
  },
  async 'the archive' (server, romeo, element) {
    const juliet = await server.client(JULIET)
    await romeo.sends(`<message to='juliet@localhost' type='chat'><body>hi</body>${element}</message>`)
    await juliet.received()
    await juliet.asks('set', "<query xmlns='urn:xmpp:mam:2'/>")
    return juliet
  },
  async 'the sender\'s other device' (server, romeo, element) {
    await server.client('juliet@localhost/balcony')
    const phone = await server.client('romeo@localhost/phone')
    await phone.asks('set', "<enable xmlns='urn:xmpp:carbons:2'/>")
    await phone.received()
    await romeo.sends(`<message to='juliet@localhost' type='chat'><body>hi</body>${element}</message>`)
    return phone
  },
  async 'a message to all' (server, romeo, element) {
    const juliet = await inRoom(server, romeo)
    await romeo.sends(`<message to='${COVEN}' type='groupchat'><body>hi</body>${element}</message>`)
    return juliet
  },
  async 'the history of a room' (server, romeo, element) {
    await inRoom(server, romeo)
    await romeo.sends(`<message to='${COVEN}' type='groupchat'><body>hi</body>${element}</message>`)
    const nurse = await server.client('nurse@localhost/home')
    await enters(nurse, 'nurse')
    return nurse
  },
  async 'a private message' (server, romeo, element) {
    const juliet = await inRoom(server, romeo)
    await romeo.sends(`<message to='${COVEN}/juliet' type='chat'><body>hi</body>${element}</message>`)
    return juliet
  },
  async 'an entry' (server, romeo, element) {
    await owner(server)
    const juliet = await inside(server, JULIET, 'juliet')
    await romeo.sends(`<presence to='${COVEN}/romeo'><x xmlns='http://jabber.org/protocol/muc'/>${element}</presence>`)
    return juliet
  },
  async 'presence in a room' (server, romeo, element) {
    const juliet = await inRoom(server, romeo)
    await romeo.sends(`<presence to='${COVEN}/romeo'><show>away</show>${element}</presence>`)
    return juliet
  },
  async 'presence for somebody' (server, romeo, element) {
    const juliet = await server.client(JULIET)
    await romeo.sends(`<presence to='${JULIET}'>${element}</presence>`)
    return juliet
  },
  async 'presence for all' (server, romeo, element) {
    const phone = await server.client('romeo@localhost/phone')
    await phone.sends('<presence/>')
    await romeo.sends(`<presence>${element}</presence>`)
    return phone
  },
  async 'a request to be a contact' (server, romeo, element) {
    const juliet = await server.client(JULIET)
    await juliet.comesOnline()
    await romeo.sends(`<presence to='juliet@localhost' type='subscribe'>${element}</presence>`)
    return juliet
  },
}

async function inRoom (server: World, romeo: Client): Promise<Client> {
  await owner(server)
  await enters(romeo, 'romeo')
  const juliet = await inside(server, JULIET, 'juliet')
  await romeo.received()
  return juliet
}

async function heard (way: string, element: string): Promise<string> {
  const server = await world(archive, offline, carbons, retraction)
  const hearer = await WAYS[way]?.(server, await server.client(ROMEO), element)
  return (await hearer?.received())?.filter(stanza => stanza.includes(FENCE)).join() ?? ''
}

describe.each(Object.keys(WAYS))('by %s', way => {
  test('nothing comes that a client made up in the name of others', async () => {
    const all = await heard(way, FENCE + FORGED.map(([, element]) => element).join(''))

    expect(all).toContain(FENCE)
    expect(all).not.toContain('forged')
  })
})

test.each(FORGED)('%s does not pass', async (_, element) => {
  const chat = await heard('a chat', FENCE + element)

  expect(chat).toContain(`<body>hi</body>${FENCE}`)
  expect(chat).not.toContain('forged')
})

test.each(GENUINE)('%s passes', async (_, element) => {
  expect(await heard('a message to all', element + FENCE)).toContain(element + FENCE)
})
