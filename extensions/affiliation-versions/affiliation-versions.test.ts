/** XEP-0463: MUC Affiliations Versioning. */
import { describe, expect, test } from 'vitest'
import { changes, configures, COVEN, enters, leaves, owner, parseStanza } from '../../test/support/world/rooms.ts'
import { world } from '../../test/support/world/world.ts'
import type { Client, World } from '../../test/support/world/world.ts'
import type { Element } from '../../src/xml/element.ts'
import { affiliationVersions } from './index.ts'

const NS = 'urn:xmpp:muc:affiliations:1'
const GROUP = { persistentroom: '1', membersonly: '1', whois: 'anyone' }
const HAG = 'hag66@localhost'

async function stage (values: Readonly<Record<string, string>> = GROUP) {
  const server = await world(affiliationVersions)
  const crone = await owner(server, undefined, undefined, values)
  await changes(crone, [{ jid: HAG, affiliation: 'member' }])
  await crone.received()
  const hag = await server.client(`${HAG}/pda`)
  return { server, crone, hag }
}

/** What came, in brief: the lists' messages with their versions' places among `versions`, and the presences. */
async function told (client: Client, versions: string[] = []): Promise<readonly string[]> {
  const place = (version: string | undefined): string => {
    if (version === undefined) return ''
    if (!versions.includes(version)) versions.push(version)
    return String(versions.indexOf(version))
  }
  return (await client.received()).map(parseStanza).map(stanza => {
    const x = stanza.getChild('x', 'http://jabber.org/protocol/muc#user')
    const mav = x?.getChild('mav', NS)
    const items = x?.getChildren('item').map(({ attrs: { jid, affiliation } }) =>
      `${jid?.split('@')[0]} ${affiliation}`
    ) ?? []
    const what = stanza.attrs['type'] === 'error'
      ? 'error'
      : stanza.name === 'presence'
        ? stanza.attrs['from']?.split('/')[1]
        : stanza.name
    const between = mav ? ` ${place(mav.attrs['since'])}-${place(mav.attrs['until'])}` : ''
    return `${what}${between} ${items.join(', ')}`.trim()
  })
}

/** Comes in with what it knows, and leaves; what it was told up to its own presence. */
async function visits (client: Client, since: string | undefined, versions: string[] = []): Promise<readonly string[]> {
  await enters(client, 'thirdwitch', `<mav xmlns='${NS}'${since === undefined ? '' : ` since='${since}'`}/>`)
  const all = await told(client, versions)
  await leaves(client, 'thirdwitch')
  await client.received()
  return all.slice(0, all.findIndex(line => line.startsWith('thirdwitch')) + 1)
}

test('a room says that it has versions (§4)', async () => {
  const { crone } = await stage()

  const info: Element | undefined = await crone.asks(
    'get',
    "<query xmlns='http://jabber.org/protocol/disco#info'/>",
    COVEN,
  )

  expect(info?.toString()).toContain(NS)
})

describe('who comes in (§5.2.1)', () => {
  test('and has no version is given the lists, before any presence, and the version with his own', async () => {
    const { crone, hag } = await stage()
    await changes(crone, [{ jid: 'hecate@localhost', affiliation: 'admin' }, {
      jid: 'thane@localhost',
      affiliation: 'outcast',
    }])

    expect(await visits(hag, undefined)).toEqual([
      'message -0 crone1 owner, hag66 member, hecate admin', 'firstwitch crone1 owner', 'thirdwitch -0 hag66 member'])
  })

  test('and has the latest version is told no more than that', async () => {
    const { hag } = await stage()
    const versions: string[] = []
    await visits(hag, undefined, versions)

    expect(await visits(hag, versions[0], versions)).toEqual(['firstwitch crone1 owner', 'thirdwitch -0 hag66 member'])
  })

  test('is told what has changed since his version, whatever happened in between', async () => {
    const { crone, hag } = await stage()
    await changes(crone, [{ jid: 'hecate@localhost', affiliation: 'admin' }])
    const versions: string[] = []
    await visits(hag, undefined, versions)

    await changes(crone, [{ jid: 'thane@localhost', affiliation: 'member' }])
    await changes(crone, [{ jid: 'hecate@localhost', affiliation: 'none' }, {
      jid: 'thane@localhost',
      affiliation: 'admin',
    }])
    await changes(crone, [{ jid: 'banquo@localhost', affiliation: 'outcast' }])

    const [first] = await visits(hag, versions[0], versions)
    expect(first).toBe('message 0-1 hecate none, thane admin, banquo none')
  })

  test.each(['1', 'zzzzzzzz.abcdefghijklmnop', '-1.x', ''])(
    'with a version that was never his, %j, is given all',
    async since => {
      const { hag } = await stage()

      expect((await visits(hag, since))[0]).toBe('message -0 crone1 owner, hag66 member')
    })

  test('with the number of a version and not its proof is given all (§6)', async () => {
    const { crone, hag } = await stage()
    const versions: string[] = []
    await visits(hag, undefined, versions)
    await changes(crone, [{ jid: 'hecate@localhost', affiliation: 'admin' }])
    const [number] = versions[0]?.split('.') ?? []

    expect((await visits(hag, `${number}.abcdefghijklmnop`, versions))[0]).toMatch(/^message -1 .*crone1 owner/)
  })

  test('with a version of another room is given all', async () => {
    const { server, hag } = await stage()
    const other = 'other@conference.localhost'
    const witch = await owner(server, `${HAG}/desk`, 'thirdwitch', GROUP, other)
    await enters(witch, 'thirdwitch', '', other)
    const version = /<mav [^>]*until='([^']+)'/.exec((await witch.received()).join())?.[1]

    expect((await visits(hag, version))[0]).toBe('message -0 crone1 owner, hag66 member')
    expect(version).toBeDefined()
  })

  test('and may not see the lists is told so, and comes in', async () => {
    const { crone, hag } = await stage({ ...GROUP, whois: 'moderators' })

    expect(await visits(hag, undefined)).toEqual(['error', 'firstwitch undefined owner', 'thirdwitch undefined member'])
    expect((await visits(crone, undefined)).length).toBeGreaterThan(0)
  })

  test.each(['admin', 'member'] as const)(
    'as %s is told of outcasts if he may list them, and else that they are nothing',
    async affiliation => {
      const { crone, hag } = await stage()
      await changes(crone, [{ jid: HAG, affiliation }, { jid: 'thane@localhost', affiliation: 'outcast' }])
      const versions: string[] = []

      const [all] = await visits(hag, undefined, versions)
      await changes(crone, [{ jid: 'banquo@localhost', affiliation: 'outcast' }])
      const [changed] = await visits(hag, versions[0], versions)

      const isAdmin = affiliation === 'admin'
      expect(all).toBe(`message -0 crone1 owner, hag66 ${affiliation}${isAdmin ? ', thane outcast' : ''}`)
      expect(changed).toBe(`message 0-1 banquo ${isAdmin ? 'outcast' : 'none'}`)
    })

  test('is told what has changed since the room was made', async () => {
    const server = await world(affiliationVersions)
    const crone = await owner(server, undefined, undefined, { ...GROUP, membersonly: '0' })
    const hag = await server.client(`${HAG}/pda`)
    const versions: string[] = []
    await visits(hag, undefined, versions)

    await changes(crone, [{ jid: 'hecate@localhost', affiliation: 'admin' }])

    expect((await visits(hag, versions[0], versions))[0]).toBe('message 0-1 hecate admin')
  })

  test('is told of each by the last that has changed, in that order', async () => {
    const { crone, hag } = await stage()
    const versions: string[] = []
    await visits(hag, undefined, versions)

    for (const [name, affiliation] of [['hecate', 'member'], ['thane', 'member'], ['hecate', 'admin']]) {
      await changes(crone, [{ jid: `${name}@localhost`, affiliation: affiliation ?? '' }])
    }

    expect((await visits(hag, versions[0], versions))[0]).toBe('message 0-1 thane member, hecate admin')
  })

  test('is given very many in several messages, from each of which he can go on', async () => {
    const { crone, hag } = await stage()
    const all = Array.from({ length: 1100 }, (_, n) => ({ jid: `witch${n}@localhost`, affiliation: 'member' }))
    await changes(crone, all.slice(0, 600))
    await changes(crone, all.slice(600))
    const versions: string[] = []

    const lists = (await visits(hag, undefined, versions)).filter(line => line.startsWith('message'))
    const rest = (await visits(hag, versions[0], versions)).filter(line => line.startsWith('message'))

    expect(lists.map(line => line.split(' ')[1])).toEqual(['-0', '0-1', '1-2'])
    expect(rest).toEqual(lists.slice(1))
    expect(lists.join().match(/ member/g)).toHaveLength(1101)
  })
})

test('each change tells which version it makes of which, also of who is not in (§5.2.2)', async () => {
  const { crone, hag } = await stage()
  const versions: string[] = []
  await enters(hag, 'thirdwitch', `<mav xmlns='${NS}'/>`)
  await told(hag, versions)

  await changes(crone, [{ jid: HAG, affiliation: 'admin' }, { jid: 'hecate@localhost', affiliation: 'member' }])
  await changes(crone, [{ jid: 'hecate@localhost', affiliation: 'none' }])
  await changes(crone, [{ jid: 'hecate@localhost', affiliation: 'none' }])

  expect(await told(hag, versions)).toEqual([
    'thirdwitch 0-1 hag66 admin',
    'message 1-2 hecate member',
    'message 2-3 hecate none',
  ])
  await leaves(hag, 'thirdwitch')
  await hag.received()
  expect(await visits(hag, versions[3], versions)).toEqual(['firstwitch crone1 owner', 'thirdwitch -3 hag66 admin'])
})

test('a room that is not set up yet tells no version', async () => {
  const server = await world(affiliationVersions)
  const crone = await server.client('crone1@localhost/desktop')

  await enters(crone, 'firstwitch', `<mav xmlns='${NS}'/>`)

  const heard = (await crone.received()).join()
  expect(heard).toContain("code='201'")
  expect(heard).not.toContain('mav')
})

test('what somebody knows is nothing that others are told (§5.1)', async () => {
  const { crone, hag } = await stage({ ...GROUP, whois: 'moderators' })

  await enters(hag, 'thirdwitch', `<mav xmlns='${NS}' since='x'/>`)

  expect((await crone.received()).join()).not.toContain('mav')
})

test('versions go on after the server was started again', async () => {
  const { server, crone, hag } = await stage()
  const versions: string[] = []
  await visits(hag, undefined, versions)
  await changes(crone, [{ jid: 'banquo@localhost', affiliation: 'member' }])

  const again: World = await server.restarts()
  const witch = await again.client(`${HAG}/pda`)

  expect((await visits(witch, versions[0], versions))[0]).toBe('message 0-1 banquo member')
  expect((await visits(witch, versions[1], versions))[0]).toBe('thirdwitch -1 hag66 member')
})

test('those who are something since before there were versions are told of together', async () => {
  const { server } = await stage()
  await server.db.query(
    "insert into room_affiliation (room, jid, affiliation) select $1, 'witch' || n || '@localhost', 'member' from generate_series(1, 600) as n",
    [COVEN],
  )
  const hag = await (await server.restarts()).client(`${HAG}/pda`)

  const lists = (await visits(hag, undefined)).filter(line => line.startsWith('message'))

  expect(lists.map(line => line.split(' ')[1])).toEqual(['-0', '0-1'])
  expect(lists[0]?.match(/witch\d+ member/g)).toHaveLength(600)
  expect(lists[1]).toBe('message 0-1 hag66 member')
})

test('a room that is made anew under the same name has none of the versions', async () => {
  const { crone, hag } = await stage()
  const versions: string[] = []
  await visits(hag, undefined, versions)
  await crone.asks('set', `<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>`, COVEN)

  await enters(crone, 'firstwitch')
  await configures(crone, GROUP)
  await changes(crone, [{ jid: HAG, affiliation: 'member' }])

  expect((await visits(hag, versions[0], versions))[0]).toBe('message -1 crone1 owner, hag66 member')
})

test('of very many who are nothing any more the first are forgotten, and whoever does not know of them is given all', async () => {
  const { server, crone, hag } = await stage()
  const versions: string[] = []
  await visits(hag, undefined, versions)
  const gone = Array.from({ length: 1000 }, (_, n) => ({ jid: `witch${n}@localhost`, affiliation: 'outcast' }))
  await changes(crone, gone)
  await changes(crone, gone.map(({ jid }) => ({ jid, affiliation: 'none' })))
  await visits(hag, undefined, versions)
  const late = versions.at(-1)
  for (const affiliation of ['outcast', 'none']) {
    await changes(crone, ['thane', 'duncan', 'macduff'].map(name => ({ jid: `${name}@localhost`, affiliation })))
  }
  await changes(crone, [{ jid: 'banquo@localhost', affiliation: 'admin' }])

  const all = 'crone1 owner, hag66 member, banquo admin'
  expect((await visits(hag, versions[0]))[0]).toBe(`message -0 ${all}`)
  expect((await visits(hag, late))[0]).toBe('message 0-1 thane none, duncan none, macduff none, banquo admin')
  const witch = await (await server.restarts()).client(`${HAG}/pda`)
  expect((await visits(witch, versions[0]))[0]).toBe(`message -0 ${all}`)
})
