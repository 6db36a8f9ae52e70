/** XEP-0160: Best Practices for Handling Offline Messages. */
import { describe, expect, test } from 'vitest'
import { numbered } from '../../test/support/world/archive-numbers.ts'
import { online } from '../../test/support/world/online.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import { archive } from '../archive/index.ts'
import { carbons } from '../carbons/index.ts'
import { chatStates } from '../chat-states/index.ts'
import { streamManagement } from '../stream-management/index.ts'
import { offline } from './index.ts'

const ENABLE = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"

/** Romeo, online, and Juliet, who has an account and no session. */
async function stage (server: World) {
  const romeo = await online(server, 'romeo@localhost/orchard')
  const juliet = await server.client('juliet@localhost/elsewhere')
  juliet.leaves()
  return romeo
}

async function says (client: Client, ...bodies: readonly string[]): Promise<void> {
  for (const body of bodies) await client.says('juliet@localhost', body)
}

/** A client that is bound, and manages its stream. */
async function managed (server: World, jid: string): Promise<Client> {
  const client = await server.client(jid)
  await client.sendsNonza(ENABLE)
  await client.received()
  return client
}

/** The bodies of the messages among what came, carbons included. */
function bodies (received: readonly string[]): readonly string[] {
  return received.flatMap(xml => /<body>(.*?)<\/body>/.exec(xml)?.[1] ?? [])
}

test('what came while nobody was there comes at the next login, in order, with delay and its id', async () => {
  const server = await world(archive, offline)
  const romeo = await stage(server)
  await says(romeo, 'one', 'two')

  const juliet = await server.client('juliet@localhost/balcony')
  await juliet.sends('<presence/>')

  const message = (body: string, id: number) => expect.stringMatching(new RegExp(
    "^<message from='romeo@localhost/orchard' to='juliet@localhost' type='chat'>" +
    `<body>${body}</body><delay xmlns='urn:xmpp:delay' from='localhost' stamp='\\d{4}-[^']*Z'/>` +
    `<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@localhost' id='${id}'/></message>$`))
  const [, ...messages] = (await juliet.received()).map(xml => numbered(xml, juliet.session.account))
  expect(messages).toEqual([message('one', 1), message('two', 2)])
  expect(await romeo.received()).toEqual([])
})

test('who asks a room for its archive, and then for his own, is left to find what waits there', async () => {
  const server = await world(archive, offline)
  const romeo = await stage(server)
  const juliet = await server.client('juliet@localhost/balcony')
  await juliet.sends("<iq type='set' id='room' to='coven@conference.localhost'><query xmlns='urn:xmpp:mam:2'/></iq>")
  await says(romeo, 'one', 'two')

  await juliet.asks(
    'set',
    "<query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set></query>",
  )
  const found = bodies(await juliet.received())
  await juliet.sends('<presence/>')

  expect(found).toEqual(['one'])
  expect(bodies(await juliet.received())).toEqual([])
})

test('it comes once: not to the next session, nor after a restart', async () => {
  const server = await world(archive, offline)
  const romeo = await stage(server)
  await says(romeo, 'one')
  const balcony = await online(server, 'juliet@localhost/balcony')
  await says(romeo, 'two')
  const chamber = await online(server, 'juliet@localhost/chamber')
  balcony.leaves()
  chamber.leaves()

  const restarted = await server.restarts()
  const later = await restarted.client('juliet@localhost/balcony')
  await later.sends('<presence/>')

  expect(bodies(await later.received())).toEqual([])
})

test('what nobody got before a restart comes after it', async () => {
  const server = await world(archive, offline)
  await says(await stage(server), 'one')

  const restarted = await server.restarts()
  const juliet = await restarted.client('juliet@localhost/balcony')
  await juliet.sends('<presence/>')

  expect(bodies(await juliet.received())).toEqual(['one'])
})

test('a negative priority gets nothing, until it is one no more', async () => {
  const server = await world(archive, offline)
  await says(await stage(server), 'one')
  const juliet = await server.client('juliet@localhost/balcony')

  await juliet.sends('<presence><priority>-1</priority></presence>')
  const before = bodies(await juliet.received())
  await juliet.sends('<presence><priority>0</priority></presence>')

  expect(before).toEqual([])
  expect(bodies(await juliet.received())).toEqual(['one'])
})

test('who took to the archive before is not sent the same, nor is who comes after', async () => {
  const server = await world(archive, offline)
  const romeo = await stage(server)
  await says(romeo, 'one')
  const balcony = await server.client('juliet@localhost/balcony')
  await balcony.asks('get', "<metadata xmlns='urn:xmpp:mam:2'/>")

  await balcony.sends('<presence/>')
  await says(romeo, 'two')
  const chamber = await server.client('juliet@localhost/chamber')
  await chamber.sends('<presence/>')

  expect(bodies(await balcony.received())).toEqual(['two'])
  expect(bodies(await chamber.received())).toEqual([])
})

test('what came after it asked the archive comes at its presence', async () => {
  const server = await world(archive, offline)
  const romeo = await stage(server)
  await says(romeo, 'one')
  const juliet = await server.client('juliet@localhost/balcony')
  await juliet.asks('set', "<query xmlns='urn:xmpp:mam:2'/>")
  await says(romeo, 'two')
  const fromArchive = bodies(await juliet.received())

  await juliet.sends('<presence/>')

  expect(fromArchive).toEqual(['one'])
  expect(bodies(await juliet.received())).toEqual(['two'])
})

test('what is sent meanwhile does not overtake what waits, however much that is', async () => {
  const server = await world(archive, offline, chatStates)
  const romeo = await stage(server)
  const early = Array.from({ length: 120 }, (_, n) => `early ${n}`)
  await says(romeo, ...early)
  const juliet = await server.client('juliet@localhost/balcony')

  await juliet.sends('<presence/>')
  await says(romeo, 'late 0')
  await romeo.sends(
    "<message to='juliet@localhost' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
  )
  await says(romeo, 'late 1')

  const received = await juliet.received()
  expect(bodies(received)).toEqual([...early, 'late 0', 'late 1'])
  expect(received.at(-2)).toContain('composing')
})

describe('while a client takes its time over what waits', () => {
  const EARLY = Array.from({ length: 60 }, (_, n) => `early ${n}`)
  const brief = (body: string): string => body.slice(0, 20)

  /** Two pages wait for her, and she has acknowledged nothing. */
  async function slow (server: World) {
    const romeo = await stage(server)
    await says(romeo, ...EARLY)
    const juliet = await managed(server, 'juliet@localhost/balcony')
    await juliet.sends('<presence/>')
    return { romeo, juliet }
  }

  /** What comes to her, who acknowledges what has come and looks again. */
  async function takes (juliet: Client): Promise<readonly (readonly string[])[]> {
    const portions: (readonly string[])[] = []
    for (let count = 0; ;) {
      const stanzas = (await juliet.received()).filter(xml => /^<(message|presence|iq)/.test(xml))
      if (stanzas.length === 0) return portions
      portions.push(bodies(stanzas))
      count += stanzas.length
      await juliet.sendsNonza(`<a xmlns='urn:xmpp:sm:3' h='${count}'/>`)
    }
  }

  test.for([['many messages', 1200, 10], ['long ones', 40, 60_000]] as const)(
    '%s that come meanwhile make it no faster, and come in their order, once', async ([, count, length]) => {
      const server = await world(archive, offline, streamManagement)
      const { romeo, juliet } = await slow(server)
      const late = Array.from({ length: count }, (_, n) => `late ${n} ${'b'.repeat(length)}`)

      await says(romeo, ...late)
      const portions = await takes(juliet)

      expect(portions[0]).toEqual(EARLY.slice(0, 50))
      expect(portions.flat().map(brief)).toEqual([...EARLY, ...late].map(brief))
    })

  test('of what no archive has so much waits as fits, and the rest comes at once; all of it comes, once', async () => {
    const server = await world(archive, offline, streamManagement)
    const { romeo, juliet } = await slow(server)
    const late = Array.from({ length: 40 }, (_, n) => `late ${n} ${'b'.repeat(60_000)}`)

    for (const body of late) {
      await romeo.sends(
        `<message type='chat' to='juliet@localhost'><body>${body}</body><no-store xmlns='urn:xmpp:hints'/></message>`,
      )
    }
    const portions = await takes(juliet)

    const atOnce = (portions[0] ?? []).filter(body => body.startsWith('late'))
    const waited = late.slice(0, late.length - atOnce.length)
    expect(waited.length).toBe(Math.ceil(1024 * 1024 / 60_000))
    expect(atOnce.map(brief)).toEqual(late.slice(waited.length).map(brief))
    expect(portions.slice(1).flat().map(brief)).toEqual([...EARLY.slice(50), ...waited].map(brief))
  })

  test('what is said to all in a room does not wait for it', async () => {
    const server = await world(archive, offline, streamManagement)
    const { juliet } = await slow(server)
    await juliet.received()

    await juliet.sends(
      "<presence to='balcony@conference.localhost/juliet'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
    )
    await juliet.sends("<message to='balcony@conference.localhost' type='groupchat'><body>ay me</body></message>")

    expect((await juliet.received()).join('')).toContain('<subject')
  })
})

test('what waits comes although the connection to the database broke while it was read', async () => {
  const server = await world(archive, offline)
  await says(await stage(server), 'one', 'two')
  const locked = Promise.withResolvers<void>()
  const broken = Promise.withResolvers<void>()
  const lock = server.db.transaction(async tx => {
    await tx.query('lock table archive_message in access exclusive mode')
    locked.resolve()
    await broken.promise
  })
  await locked.promise
  const juliet = await server.client('juliet@localhost/balcony')

  const arrival = juliet.sends('<presence/>')
  await expect.poll(() => server.db.query(`select pg_terminate_backend(pid) from pg_locks
    where relation = 'archive_message'::regclass and not granted`)).toHaveLength(1)
  broken.resolve()
  await Promise.all([lock, arrival])

  const received: string[] = []
  await expect.poll(async () => {
    received.push(...bodies(await juliet.received()))
    return received
  }).toEqual(['one', 'two'])
})

describe('a session whose stream is managed', () => {
  test('has what it acknowledged, and the rest comes to the next one', async () => {
    const server = await world(archive, offline, streamManagement)
    const romeo = await stage(server)
    await says(romeo, 'one', 'two')
    const balcony = await managed(server, 'juliet@localhost/balcony')
    await balcony.sends('<presence/>')
    await balcony.received()
    await balcony.sendsNonza("<a xmlns='urn:xmpp:sm:3' h='2'/>") // its presence, and one
    balcony.leaves(false)

    const chamber = await online(server, 'juliet@localhost/chamber')
    await says(romeo, 'three')

    expect(bodies(await chamber.received())).toEqual(['three'])
  })

  test.for([
    ['that has taken to the archive and says goodbye leaves nothing to come again', true, (one: Client) => {
      one.closes()
    }, []],
    ['that has taken to the archive and is cut off leaves it to the next', true, (one: Client) => {
      one.leaves(false)
    }, ['one']],
    ['that has not taken to the archive leaves it to the next', false, (one: Client) => { one.closes() }, ['one']],
  ] as const)('%s', async ([, usesArchive, goes, comesAgain]) => {
    const server = await world(archive, offline, streamManagement)
    const romeo = await stage(server)
    const balcony = await managed(server, 'juliet@localhost/balcony')
    if (usesArchive) await balcony.asks('get', "<metadata xmlns='urn:xmpp:mam:2'/>")
    await balcony.sends('<presence/>')
    await says(romeo, 'one')
    const before = bodies(await balcony.received())

    goes(balcony)
    const again = await server.client('juliet@localhost/balcony')
    await again.sends('<presence/>')

    expect(before).toEqual(['one'])
    expect(bodies(await again.received())).toEqual(comesAgain)
  })

  test('is sent no more than a page before it acknowledges it', async () => {
    const server = await world(archive, offline, streamManagement)
    const romeo = await stage(server)
    const all = Array.from({ length: 70 }, (_, n) => `${n}`)
    await says(romeo, ...all)
    const juliet = await managed(server, 'juliet@localhost/balcony')

    await juliet.sends('<presence/>')
    const first = bodies(await juliet.received())
    await says(romeo, 'late')
    await juliet.sendsNonza("<a xmlns='urn:xmpp:sm:3' h='51'/>")
    const second = bodies(await juliet.received())
    await juliet.sendsNonza("<a xmlns='urn:xmpp:sm:3' h='71'/>")

    expect(first).toEqual(all.slice(0, 50))
    expect(second).toEqual(all.slice(50))
    expect(bodies(await juliet.received())).toEqual(['late'])
  })

  test('gets what came meanwhile once, also where it is to be given what waits anew', async () => {
    const server = await world(archive, offline, streamManagement)
    const romeo = await stage(server)
    const all = Array.from({ length: 70 }, (_, n) => `${n}`)
    await says(romeo, ...all)
    const juliet = await managed(server, 'juliet@localhost/balcony')
    await juliet.sends('<presence/>')
    const received = [...bodies(await juliet.received())]
    await says(romeo, 'late')

    await juliet.sends('<presence><priority>-1</priority></presence>')
    await juliet.sends('<presence/>')
    for (const h of [53, 73, 74]) {
      await juliet.sendsNonza(`<a xmlns='urn:xmpp:sm:3' h='${h}'/>`)
      received.push(...bodies(await juliet.received()))
    }

    expect(received).toEqual([...all, 'late'])
  })

  test('leaves what it never acknowledged to another that does not have it', async () => {
    const server = await world(archive, offline, streamManagement)
    const romeo = await stage(server)
    const phone = await managed(server, 'juliet@localhost/phone')
    await phone.sends('<presence/>')
    const laptop = await online(server, 'juliet@localhost/laptop')
    await romeo.says('juliet@localhost/phone', 'for the phone')
    await romeo.says('juliet@localhost', 'for all')
    const before = bodies(await laptop.received())

    phone.leaves(false)

    expect(before).toEqual(['for all'])
    expect(bodies(await laptop.received())).toEqual(['for the phone'])
  })

  test('leaves nothing to another that has a copy', async () => {
    const server = await world(archive, offline, carbons, streamManagement)
    const romeo = await stage(server)
    const phone = await managed(server, 'juliet@localhost/phone')
    await phone.sends('<presence/>')
    const laptop = await online(server, 'juliet@localhost/laptop')
    await laptop.asks('set', "<enable xmlns='urn:xmpp:carbons:2'/>")
    await romeo.says('juliet@localhost/phone', 'for the phone')
    const before = bodies(await laptop.received())

    phone.leaves(false)

    expect(before).toEqual(['for the phone'])
    expect(bodies(await laptop.received())).toEqual([])
  })
})

test('who sends very much to somebody who is away shuts nobody else out', async () => {
  const server = await world(archive, offline)
  const romeo = await stage(server)
  const paris = await server.client('paris@localhost/street')
  await Promise.all(Array.from({ length: 1200 }, (_, n) => paris.says('juliet@localhost', `${n}`)))

  await says(romeo, 'at last')

  const juliet = await server.client('juliet@localhost/balcony')
  await juliet.sends('<presence/>')
  expect([await romeo.received(), await paris.received()]).toEqual([[], []])
  expect(bodies(await juliet.received()).at(-1)).toBe('at last')
})

describe('a carbon is a copy, and delivers nothing', () => {
  const CARBONS = "<enable xmlns='urn:xmpp:carbons:2'/>"
  const NEGATIVE = '<presence><priority>-1</priority></presence>'

  test.for([['whose stream is managed', true], ['whose stream is not', false]] as const)(
    'what only a session of negative priority got a copy of, %s, comes at the next login, once',
    async ([, isManaged]) => {
      const server = await world(archive, offline, carbons, streamManagement)
      const romeo = await stage(server)
      const tablet = isManaged
        ? await managed(server, 'juliet@localhost/tablet')
        : await server.client('juliet@localhost/tablet')
      await tablet.asks('set', CARBONS)
      await tablet.sends(NEGATIVE)
      await says(romeo, 'hello')
      const copies = bodies(await tablet.received())
      await tablet.sendsNonza("<a xmlns='urn:xmpp:sm:3' h='3'/>")

      const balcony = await server.client('juliet@localhost/balcony')
      await balcony.sends('<presence/>')
      await tablet.sends('<presence/>')

      expect(copies).toEqual(['hello'])
      expect(bodies(await balcony.received())).toEqual(['hello'])
      expect(bodies(await tablet.received())).toEqual([])
      balcony.leaves()
      expect(bodies(await (await online(server, 'juliet@localhost/chamber')).received())).toEqual([])
    })

  test('what a session that is over never acknowledged waits for who has no copy, and not for who has one', async () => {
    const server = await world(archive, offline, carbons, streamManagement)
    const romeo = await stage(server)
    const phone = await managed(server, 'juliet@localhost/phone')
    await phone.sends('<presence/>')
    const laptop = await server.client('juliet@localhost/laptop')
    await laptop.asks('set', CARBONS)
    await laptop.sends('<presence/>')
    await romeo.says('juliet@localhost/phone', 'for the phone')
    const copies = bodies(await laptop.received())

    phone.leaves(false)
    const again = await server.client('juliet@localhost/phone')
    await again.sends('<presence/>')

    expect(copies).toEqual(['for the phone'])
    expect(bodies(await again.received())).toEqual(['for the phone'])
    expect(bodies(await laptop.received())).toEqual([])
  })
})

describe('very much that waits', () => {
  const MANY = 150_000

  /** Romeo, online, and Juliet, for whom so much is in the archive. */
  async function flooded (): Promise<{ readonly server: World, readonly romeo: Client }> {
    const before = await world(archive, offline, streamManagement)
    await stage(before)
    await before.db.query(`insert into archive_message (owner, seq, peer, is_sent, sent_at, stanza)
      select 'juliet@localhost', n, 'romeo@localhost', n % 10 = 0, 0,
        '<message xmlns="jabber:client" from="romeo@localhost/orchard" to="juliet@localhost" type="chat"><body>' || n || '</body></message>'
      from generate_series(1, ${MANY}) as n`)
    const server = await before.restarts()
    return { server, romeo: await online(server, 'romeo@localhost/orchard') }
  }

  test(
    'comes page by page, as it is acknowledged; the rest comes at the next login, and what was acknowledged does not',
    async () => {
      const { server, romeo } = await flooded()
      const balcony = await managed(server, 'juliet@localhost/balcony')

      await balcony.sends('<presence/>')
      const first = bodies(await balcony.received())
      await romeo.says('juliet@localhost', 'meanwhile')
      await balcony.sendsNonza("<a xmlns='urn:xmpp:sm:3' h='51'/>")
      const second = bodies(await balcony.received())
      balcony.leaves(false)
      const chamber = await managed(server, 'juliet@localhost/chamber')
      await chamber.sends('<presence/>')

      expect([first.length, first[0], first.at(-1)]).toEqual([50, '1', '55'])
      expect([second.length, second[0], second.at(-1)]).toEqual([50, '56', '111'])
      expect(bodies(await chamber.received())[0]).toBe('56')
    }, 60_000)

  test('is skipped at once by who takes to the archive, and waits for nobody after that', async () => {
    const { server, romeo } = await flooded()
    const balcony = await managed(server, 'juliet@localhost/balcony')
    await balcony.asks('get', "<metadata xmlns='urn:xmpp:mam:2'/>")

    await balcony.sends('<presence/>')
    await romeo.says('juliet@localhost', 'news')

    expect(bodies(await balcony.received())).toEqual(['news'])
  }, 60_000)
})

test.each([
  ['where no archive is kept', [offline], '<body>hi</body>'],
  ['when it is not to be kept', [archive, offline], "<body>hi</body><no-store xmlns='urn:xmpp:hints'/>"],
])('a message to nobody is refused %s (RFC 6121 §8.5.2.2.1)', async (_when, extensions, content) => {
  const server = await world(...extensions)
  const romeo = await stage(server)

  await romeo.sends(`<message to='juliet@localhost' type='chat'>${content}</message>`)

  expect(await romeo.receivedInBrief()).toEqual(['message error service-unavailable from juliet@localhost'])
})
