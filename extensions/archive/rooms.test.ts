/** XEP-0313 §6.1.2: the archives of rooms. */
import { describe, expect, test } from 'vitest'
import { extension } from '../../src/extension/api.ts'
import {
  changes,
  COVEN,
  configures,
  enters,
  hears,
  inside,
  owner,
  parseStanza,
  says,
} from '../../test/support/world/rooms.ts'
import { world, worldWith } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { Jid } from '../../src/xmpp/jid.ts'
import type { Element } from '../../src/xml/element.ts'
import { chatMarkers } from '../chat-markers/index.ts'
import { chatStates } from '../chat-states/index.ts'
import { occupantId } from '../occupant-id/index.ts'
import { archive } from './index.ts'

const HAG = 'hag66@localhost/pda'
const NS = 'urn:xmpp:mam:2'

async function stage (values: Readonly<Record<string, string>> = {}) {
  const server = await world(archive, occupantId, chatMarkers, chatStates)
  const crone = await owner(server, undefined, undefined, { persistentroom: '1', ...values })
  const hag = await inside(server, HAG, 'thirdwitch')
  await crone.received()
  return { server, crone, hag }
}

/** What a query finds: the ids and the messages; the rest of what came is thrown away. */
async function finds (
  client: Client,
  fields: Readonly<Record<string, string>> = {},
  besides = '',
): Promise<readonly { readonly id: string, readonly message: Element }[]> {
  const form = Object.entries(fields).map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`)
    .join('')
  await client.asks('set', `<query xmlns='${NS}' queryid='q'><x xmlns='jabber:x:data' type='submit'>` +
    `<field var='FORM_TYPE'><value>${NS}</value></field>${form}</x>${besides}</query>`, COVEN)
  return (await client.received()).flatMap(xml => {
    const result = parseStanza(xml).getChild('result', NS)
    const message = result?.getChild('forwarded', 'urn:xmpp:forward:0')?.getChild('message', 'jabber:client')
    return result && message ? [{ id: result.attrs['id'] ?? '', message }] : []
  })
}

async function bodies (client: Client, fields: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  return (await finds(client, fields)).map(({ message }) => message.getChildText('body', 'jabber:client') ?? '-')
}

/** The ids that the room gave to what a client received. */
async function ids (client: Client): Promise<readonly string[]> {
  return (await client.received()).flatMap(xml => {
    const id = parseStanza(xml).getChild('stanza-id', 'urn:xmpp:sid:0')
    return id?.attrs['by'] === COVEN ? [id.attrs['id'] ?? ''] : []
  })
}

/** Which numbers of the room's archive ids stand for. */
async function numbers (server: World, all: readonly string[]): Promise<readonly (number | undefined)[]> {
  const room = await server.core.rooms.room(Jid.parse(COVEN))
  return all.map(id => room?.archiveIds.decode(id))
}

async function rows (server: World): Promise<number> {
  const [row] = await server.db.query<{ count: number }>('select count(*)::int as count from archive_message')
  return row?.count ?? 0
}

describe('what is kept', () => {
  test('is each message once, whatever the number of occupants, and those who get it are told its id', async () => {
    const { server, crone, hag } = await stage()

    for (const body of ['one', 'two', 'three']) await says(hag, body)

    const told = await ids(crone)
    const [first = 0, ...others] = await numbers(server, told)
    expect(others).toEqual([first + 1, first + 2])
    expect(await ids(hag)).toEqual(told)
    expect(await rows(server)).toBe(3)
  })

  test('is with the sender\'s occupant address and id, and to nobody', async () => {
    const { hag } = await stage()
    await hag.sends(
      `<message to='${COVEN}' type='groupchat' id='m1'><body>hail</body><x xmlns='http://jabber.org/protocol/muc#user'><item jid='forged@x'/></x></message>`,
    )
    await hag.received()

    const [found] = await finds(hag)

    expect(found?.message.attrs).toEqual({
      xmlns: 'jabber:client',
      id: 'm1',
      from: `${COVEN}/thirdwitch`,
      type: 'groupchat',
    })
    expect(found?.message.getChildElements().map(child => child.getName())).toEqual(['body', 'occupant-id'])
  })

  test('is a new subject too, and nothing that passes, that is private or that was refused', async () => {
    const { server, crone, hag } = await stage({ moderatedroom: '1' })
    const marker = (id: string): string =>
      `<displayed xmlns='urn:xmpp:chat-markers:0' id='${id}'/><store xmlns='urn:xmpp:hints'/>`
    const groupchat = (content: string): string => `<message to='${COVEN}' type='groupchat'>${content}</message>`

    await crone.sends(groupchat('<subject>Fire Burn</subject>'))
    await crone.sends(groupchat("<composing xmlns='http://jabber.org/protocol/chatstates'/>"))
    await crone.sends(groupchat(marker('1')))
    await crone.sends(groupchat("<body>x</body><no-store xmlns='urn:xmpp:hints'/>"))
    await crone.sends(
      `<message to='${COVEN}/thirdwitch' type='chat'><body>psst</body><no-store xmlns='urn:xmpp:hints'/></message>`,
    )
    await says(hag, 'without voice')

    expect((await finds(crone)).map(({ message }) => message.getChildText('subject', 'jabber:client'))).toEqual([
      'Fire Burn',
    ])
    expect(await rows(server)).toBe(1)
  })

  test('is nothing where the owner has turned it off, and the room says so', async () => {
    const { server, crone, hag } = await stage()
    const features = async (): Promise<string> =>
      String(await hag.asks('get', "<query xmlns='http://jabber.org/protocol/disco#info'/>", COVEN))
    for (const feature of [NS, `${NS}#extended`, 'urn:xmpp:sid:0']) expect(await features()).toContain(`'${feature}'`)

    await configures(crone, { enablearchiving: '0' })
    await says(hag, 'hail')

    expect(await features()).not.toContain(NS)
    expect(await rows(server)).toBe(0)
  })

  test('goes with the room, and a room that is made anew uses none of its ids', async () => {
    const { server, crone, hag } = await stage()
    await says(hag, 'hail')
    const [before = 0] = await numbers(server, await ids(hag))
    await crone.asks('set', "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>", COVEN)
    expect(await rows(server)).toBe(0)

    const again = await owner(server)
    await says(again, 'hail')

    expect((await numbers(server, await ids(again)))[0]).toBeGreaterThan(before)
  })

  test('goes on where it ended, after the server was started again', async () => {
    const { server, hag } = await stage()
    await says(hag, 'one')
    const [one = 0] = await numbers(server, await ids(hag))

    const again = await server.restarts()
    const witch = await inside(again, HAG, 'thirdwitch')
    await says(witch, 'two')

    expect(await numbers(again, await ids(witch))).toEqual([one + 1])
    expect(await bodies(witch)).toEqual(['one', 'two'])
  })
})

describe('a message that comes again', () => {
  const again = (id: string, body: string): string =>
    `<message to='${COVEN}' type='groupchat' id='${id}'><body>${body}</body><origin-id xmlns='urn:xmpp:sid:0' id='${id}'/></message>`

  test('is kept once and goes to the others once; its sender gets it again, with the same id', async () => {
    const { server, crone, hag } = await stage()

    await hag.sends(again('m1', 'hail'))
    await hag.sends(again('m1', 'hail'))

    const [first, second, ...rest] = await ids(hag)
    expect(second).toBe(first)
    expect(rest).toEqual([])
    expect(await ids(crone)).toEqual([first])
    expect(await rows(server)).toBe(1)
  })

  test('is the same after its sender came in with another nick, and another\'s never is', async () => {
    const { server, crone, hag } = await stage()
    await hag.sends(again('m1', 'hail'))
    await hag.sends(`<presence to='${COVEN}/oldhag'/>`)
    await Promise.all([hag.received(), crone.received()])

    await hag.sends(again('m1', 'hail'))
    expect(await hears(crone)).toEqual([])

    await crone.sends(again('m1', 'hail'))
    await hag.sends(again('m1', 'hail?'))
    expect(await hears(crone)).toEqual(['firstwitch: hail', 'oldhag: hail?'])
    expect(await rows(server)).toBe(3)
  })

  test('may come as often as it likes, whatever the rate that new ones are held to', async () => {
    const server = await worldWith({ occupantMessages: 1 }, archive)
    const crone = await owner(server)

    for (let n = 0; n < 10; n++) await crone.sends(again('m1', 'hail'))

    expect(await hears(crone)).toEqual(Array(10).fill('firstwitch: hail'))
  })

  test('does not take the subject back to what it was', async () => {
    const { crone, hag, server } = await stage({ changesubject: '1' })
    const subject = (id: string, text: string): string =>
      `<message to='${COVEN}' type='groupchat'><subject>${text}</subject><origin-id xmlns='urn:xmpp:sid:0' id='${id}'/></message>`
    await hag.sends(subject('s1', 'Fire Burn'))
    await crone.sends(subject('s2', 'Cauldron Bubble'))

    await hag.sends(subject('s1', 'Fire Burn'))

    const wicca = await server.client('wiccarocks@localhost/laptop')
    await enters(wicca, 'secondwitch')
    expect((await hears(wicca)).at(-1)).toContain('Cauldron Bubble')
  })
})

describe('who may read', () => {
  test.each<[string, Readonly<Record<string, string>>, boolean]>([
    ['anybody reads what is said in an open room', {}, true],
    ['only its members read what is said in a room for members', { membersonly: '1' }, false],
    [
      'only who knows the password reads what is said behind one',
      { passwordprotectedroom: '1', roomsecret: 'x' },
      false,
    ],
  ])('%s', async (_, values, isOpen) => {
    const { server, crone } = await stage()
    await says(crone, 'hail')
    await configures(crone, values)
    const stranger = await server.client('stranger@localhost/x')
    const member = await server.client('member@localhost/x')
    await changes(crone, [{ jid: 'member@localhost', affiliation: 'member' }])

    if (isOpen) expect(await bodies(stranger)).toEqual(['hail'])
    else await expect(finds(stranger)).rejects.toThrow('forbidden')
    await expect(stranger.asks('get', `<metadata xmlns='${NS}'/>`, COVEN).then(() => true, () => false)).resolves.toBe(
      isOpen,
    )
    expect(await bodies(member)).toEqual(['hail'])
  })

  test('an outcast reads nothing', async () => {
    const { crone, hag } = await stage()
    await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'outcast' }])

    await expect(finds(hag)).rejects.toThrow('forbidden')
  })

  test('real addresses are shown to those who moderate, and to all where the room hides none', async () => {
    const { crone, hag } = await stage()
    await says(hag, 'hail')
    await Promise.all([hag.received(), crone.received()])
    const authors = async (reader: Client) => (await finds(reader)).map(({ message }) =>
      message.getChild('x', 'http://jabber.org/protocol/muc#user')?.getChild('item')?.attrs['jid'])

    expect(await authors(crone)).toEqual(['hag66@localhost'])
    expect(String((await finds(hag))[0]?.message)).not.toContain('hag66')

    await configures(crone, { whois: 'anyone' })
    expect(await authors(hag)).toEqual(['hag66@localhost'])
  })

  test('what one has written is found by the nick, and by the address only by those who may know it (§4.1.1)', async () => {
    const { crone, hag } = await stage()
    await says(crone, 'one')
    await says(hag, 'two')

    expect(await bodies(hag, { with: `${COVEN}/thirdwitch` })).toEqual(['two'])
    expect(await bodies(crone, { with: 'hag66@localhost' })).toEqual(['two'])
    await expect(finds(hag, { with: 'crone1@localhost' })).rejects.toThrow('forbidden')
  })
})

test('it is read in pages, from an id on, and its ends are told', async () => {
  const { hag } = await stage()
  for (const body of ['one', 'two', 'three']) await says(hag, body)
  const [one = '', two = '', three = ''] = await ids(hag)

  expect(await bodies(hag, { 'after-id': one })).toEqual(['two', 'three'])
  const last = await finds(hag, {}, "<set xmlns='http://jabber.org/protocol/rsm'><max>1</max><before/></set>")
  expect(last.map(({ id }) => id)).toEqual([three])
  await expect(finds(hag, { ids: '1' })).rejects.toThrow('item-not-found')
  expect((await finds(hag, { ids: two })).map(({ id }) => id)).toEqual([two])
  const metadata = await hag.asks('get', `<metadata xmlns='${NS}'/>`, COVEN)
  expect(metadata?.getChild('start')?.attrs['id']).toBe(one)
  expect(metadata?.getChild('end')?.attrs['id']).toBe(three)
})

test('newcomers are shown what was said before the room came into memory (XEP-0045 §7.2.13)', async () => {
  const { server, hag } = await stage()
  for (const body of ['one', 'two', 'three']) await says(hag, body)
  const sent = await ids(hag)

  const again = await server.restarts()
  const newcomer = await again.client('crone2@localhost/desktop')
  await enters(newcomer, 'secondwitch', "<history maxstanzas='2'/>")

  const shown = (await newcomer.received()).filter(xml => xml.includes('<body>'))
  expect(shown.map(xml => parseStanza(xml).getChildText('body'))).toEqual(['two', 'three'])
  for (const xml of shown) {
    expect(parseStanza(xml).getChild('delay', 'urn:xmpp:delay')?.attrs['from']).toBe(COVEN)
    expect(sent).toContain(parseStanza(xml).getChild('stanza-id', 'urn:xmpp:sid:0')?.attrs['id'])
  }
})

test('nobody gets what could not be kept, and its sender hears of it', async () => {
  const { server, crone, hag } = await stage()
  await server.db.query(
    "create function fail () returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '23514'; end $$",
  )
  await server.db.query('create trigger fail before insert on archive_message for each row execute function fail()')
  try {
    await says(hag, 'hail')
    expect(await hears(hag)).toEqual(['error internal-server-error'])
    expect(await hears(crone)).toEqual([])
  } finally {
    await server.db.query('drop function fail cascade')
  }
})

test('what turns out to be kept, although its sender was told otherwise, goes to those who are in, once', async () => {
  const server = await world([archive, archive.config?.parse({ patience: 1 })])
  const crone = await owner(server, undefined, undefined, { persistentroom: '1' })
  const { promise, resolve } = Promise.withResolvers<void>()
  const isLocked = Promise.withResolvers<void>()
  const lock = server.db.transaction(async tx => {
    await tx.query('lock table archive_message in exclusive mode')
    isLocked.resolve()
    await promise
  })
  await isLocked.promise

  await says(crone, 'hail')
  resolve()
  await lock
  const [refusal, ...heard] = await hears(crone)
  expect(refusal).toBe('error internal-server-error')

  await expect.poll(async () => {
    if (!heard.includes('firstwitch: again')) await says(crone, 'again') // refused as long as it is not clear where the archive ends
    heard.push(...(await hears(crone)).filter(line => !line.startsWith('error')))
    return heard
  }, { timeout: 5000 }).toEqual(['firstwitch: hail', 'firstwitch: again'])
  expect(await bodies(crone)).toEqual(['hail', 'again'])
})

test('what a room\'s archive gives counts for nothing in the reader\'s own', async () => {
  const given: (string | undefined)[] = []
  const watch = extension({
    name: 'watch', xeps: [],
    setup (host) { host.on('write', 'track', stanza => { given.push(stanza.archiveNumber) }) },
  })
  const server = await world(archive, watch)
  const crone = await owner(server, undefined, undefined, { persistentroom: '1' })
  await says(crone, 'hail')

  expect(await bodies(crone)).toEqual(['hail'])

  expect(given.length).toBeGreaterThan(3)
  expect(given.filter(id => id !== undefined)).toEqual([])
})
