/** XEP-0045 §8 and §9, and §10.3 to §10.8: who is what in a room, who may see and change it, and what follows. */
import { describe, expect, test } from 'vitest'
import { changes, configures, COVEN, enters, hears, inside, owner, says } from '../../../test/support/world/rooms.ts'
import type { Client } from '../../../test/support/world/world.ts'
import { world, worldWith } from '../../../test/support/world/world.ts'

const HAG = 'hag66@localhost/pda'
const WICCA = 'wiccarocks@localhost/laptop'

/** The items of a list, in brief. */
async function lists (client: Client, by: string): Promise<readonly string[]> {
  const query = await client.asks(
    'get',
    `<query xmlns='http://jabber.org/protocol/muc#admin'><item ${by}/></query>`,
    COVEN,
  )
  return query?.getChildElements().map(({ attrs: { jid, nick, role, affiliation } }) =>
    [jid, nick, role, affiliation].filter(word => word).join(' ')) ?? []
}

describe('a kick (§8.2)', () => {
  test('takes somebody out, who is told first, and by whom, and why', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    const wicca = await inside(server, WICCA, 'secondwitch')
    await Promise.all([hag.received(), crone.received()])

    await changes(crone, [{ nick: 'thirdwitch', role: 'none', reason: 'Avaunt!' }])

    expect(await hears(hag)).toEqual(['gone thirdwitch none/none 110 307 by firstwitch (Avaunt!)'])
    expect(await hears(wicca)).toEqual(['gone thirdwitch none/none 307 by firstwitch (Avaunt!)'])
    await says(hag, 'still here?')
    expect(await hears(hag)).toEqual(['error not-acceptable'])
  })

  test('has a reason of 4096 bytes at most', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await hag.received()
    const reason = 'r'.repeat(5_000)

    await expect(changes(crone, [{ nick: 'thirdwitch', role: 'none', reason }])).rejects.toThrow('policy-violation')
    await expect(changes(crone, [{ jid: 'hag66@localhost', affiliation: 'outcast', reason }])).rejects.toThrow(
      'policy-violation',
    )

    expect(await hag.received()).toEqual([])
  })

  test('that is asked for twice happens once, and with others all at once', async () => {
    const server = await world()
    const crone = await owner(server)
    await inside(server, HAG, 'thirdwitch')
    await inside(server, WICCA, 'secondwitch')
    await crone.received()

    await changes(crone, [
      { nick: 'thirdwitch', role: 'none' },
      { nick: 'thirdwitch', role: 'none' },
      { nick: 'secondwitch', role: 'none' },
    ])

    expect((await hears(crone)).map(line => line.split(' ')[1])).toEqual(['thirdwitch', 'secondwitch'])
  })

  test('takes out all devices of a nick', async () => {
    const server = await world()
    const crone = await owner(server)
    const pda = await inside(server, HAG, 'thirdwitch')
    const desk = await inside(server, 'hag66@localhost/desk', 'thirdwitch')
    await crone.received()

    await changes(crone, [{ nick: 'thirdwitch', role: 'none' }])

    for (const device of [pda, desk])
      expect(await hears(device)).toContain('gone thirdwitch none/none 110 307 by firstwitch')
    expect(await hears(crone)).toHaveLength(1)
  })

  test.each([
    ['a participant', 'thirdwitch', 'forbidden'],
    ['nobody\'s business who is not in', 'fourthwitch', 'item-not-found'],
  ])('by %s is refused', async (_, nick, condition) => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await inside(server, WICCA, 'secondwitch')

    const actor = condition === 'forbidden' ? hag : crone
    await expect(changes(actor, [{ nick, role: 'none' }])).rejects.toThrow(condition)
  })
})

describe('voice (§8.3 to §8.5)', () => {
  test('is granted and revoked, and all are told', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { moderatedroom: '1' })
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await changes(crone, [{ nick: 'thirdwitch', role: 'participant', reason: 'A worthy witch indeed!' }])
    expect(await hears(hag)).toEqual(['thirdwitch none/participant 110 by firstwitch (A worthy witch indeed!)'])
    expect(await lists(crone, "role='participant'")).toEqual(['hag66@localhost/pda thirdwitch participant none'])

    await changes(crone, [{ nick: 'thirdwitch', role: 'visitor' }])
    expect(await hears(hag)).toEqual(['thirdwitch none/visitor 110 by firstwitch'])
    await expect(lists(hag, "role='participant'")).rejects.toThrow('forbidden')
  })
})

describe('a moderator (§9.6)', () => {
  test('sees the real addresses of those who are there already (§7.2.4)', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')

    await changes(crone, [{ nick: 'thirdwitch', role: 'moderator' }])

    expect(await hears(hag)).toEqual([
      'thirdwitch none/moderator hag66@localhost/pda 110 by firstwitch',
      'firstwitch owner/moderator crone1@localhost/desktop',
    ])
    expect(await lists(crone, "role='moderator'")).toHaveLength(2)
    await expect(lists(hag, "role='moderator'")).rejects.toThrow('forbidden')
  })
})

describe('a ban (§9.1)', () => {
  test('takes somebody out and keeps him out, also after a restart', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { persistentroom: '1' })
    const hag = await inside(server, HAG, 'thirdwitch')
    const wicca = await inside(server, WICCA, 'secondwitch')

    await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'outcast', reason: 'Treason' }])

    expect((await hears(hag)).at(-1)).toBe('gone thirdwitch outcast/none 110 301 by firstwitch (Treason)')
    expect(await hears(wicca)).toEqual(['gone thirdwitch outcast/none 301 by firstwitch (Treason)'])
    expect(await lists(crone, "affiliation='outcast'")).toEqual(['hag66@localhost outcast'])
    const later = await server.restarts()
    const returned = await later.client(HAG)
    await enters(returned, 'thirdwitch')
    expect(await hears(returned)).toEqual(['error forbidden'])
  })

  test('of oneself, or of an owner by an admin, is refused, and with it all that was asked for (§9.2)', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'admin' }])

    await expect(changes(hag, [{ jid: 'hag66@localhost', affiliation: 'outcast' }])).rejects.toThrow('conflict')
    await expect(changes(hag, [
      { jid: 'wiccarocks@localhost', affiliation: 'outcast' }, { jid: 'crone1@localhost', affiliation: 'outcast' },
    ])).rejects.toThrow('not-allowed')

    expect(await lists(crone, "affiliation='outcast'")).toEqual([])
  })

  test('of somebody with a nick of his own frees the nick', async () => {
    const server = await world()
    const crone = await owner(server)
    await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'member', nick: 'thirdwitch' }])
    const wicca = await server.client(WICCA)
    await enters(wicca, 'thirdwitch')
    expect(await hears(wicca)).toEqual(['error conflict'])

    await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'outcast' }])
    await enters(wicca, 'thirdwitch')

    expect(await hears(wicca)).toContain('thirdwitch none/participant 110')
  })
})

describe('membership (§9.3 to §9.5)', () => {
  test('is granted to several at once, and those who are not in are invited to a room for members', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { membersonly: '1' })
    const hag = await server.client(HAG)
    await hag.comesOnline()
    await hag.received()

    await changes(crone, [
      { jid: 'hag66@localhost', affiliation: 'member', nick: 'thirdwitch' },
      { jid: 'wiccarocks@localhost', affiliation: 'member' },
    ])

    expect((await hag.received())[0]).toMatch(/#user'><invite from='crone1@localhost'\/>/)
    expect(await lists(crone, "affiliation='member'")).toEqual([
      'hag66@localhost thirdwitch member',
      'wiccarocks@localhost member',
    ])
    await enters(hag, 'thirdwitch')
    expect(await hears(hag)).toContain('thirdwitch member/participant 110')
  })

  test('that is revoked takes somebody out of a room for members, in one step (§9.4)', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { membersonly: '1' })
    await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'member' }])
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'none' }])

    expect(await hears(hag)).toEqual(['gone thirdwitch none/none 110 321 by firstwitch'])
    expect(await hears(crone)).toEqual(['gone thirdwitch none/none hag66@localhost/pda 321 by firstwitch'])
  })

  test('in another room is only told', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { moderatedroom: '1' })
    const hag = await inside(server, HAG, 'thirdwitch')

    await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'member' }])
    expect(await hears(hag)).toEqual(['thirdwitch member/participant 110 by firstwitch'])

    await changes(crone, [{ jid: HAG, affiliation: 'none' }])
    expect(await hears(hag)).toEqual(['thirdwitch none/participant 110 by firstwitch'])
  })

  test('of somebody who is not in is told to those who may know addresses (§10.3)', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await crone.received()

    await changes(crone, [{ jid: 'wiccarocks@localhost', affiliation: 'member' }])

    expect(await hears(crone)).toEqual([`${COVEN} member/- wiccarocks@localhost by firstwitch`])
    expect(await hears(hag)).toEqual([])
  })

  test('is no secret in a room where addresses are none, and is in another', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await changes(crone, [{ jid: 'wiccarocks@localhost', affiliation: 'member' }])
    await expect(lists(hag, "affiliation='member'")).rejects.toThrow('forbidden')
    await expect(lists(hag, "affiliation='owner'")).rejects.toThrow('forbidden')

    await configures(crone, { whois: 'anyone' })

    expect(await lists(hag, "affiliation='member'")).toEqual(['wiccarocks@localhost member'])
    expect(await lists(hag, "affiliation='owner'")).toEqual(['crone1@localhost owner'])
    await expect(lists(hag, "affiliation='outcast'")).rejects.toThrow('forbidden')
    await configures(crone, { getmemberlist: 'moderator' })
    await expect(lists(hag, "affiliation='member'")).rejects.toThrow('forbidden')
  })

  test('is for no more than the configuration allows', async () => {
    const server = await worldWith({ members: 2 })
    const crone = await owner(server)

    await changes(crone, [{ jid: 'a@localhost', affiliation: 'member' }])

    await expect(changes(crone, [{ jid: 'b@localhost', affiliation: 'member' }])).rejects.toThrow('resource-constraint')
  })
})

describe('owners and admins (§10.3 to §10.8)', () => {
  test('are made and unmade by owners, with the role that goes with it', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')

    for (
      const [affiliation, role] of [
        ['admin', 'moderator'], ['owner', 'moderator'], ['member', 'participant'], ['none', 'participant'],
      ]
    ) {
      await changes(crone, [{ jid: 'hag66@localhost', affiliation: affiliation ?? '' }])
      expect((await hears(hag)).at(-1)).toMatch(new RegExp(`^thirdwitch ${affiliation}/${role} .*110 by firstwitch$`))
    }
  })

  test('are not made by admins', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'admin' }])

    await expect(changes(hag, [{ jid: 'wiccarocks@localhost', affiliation: 'admin' }])).rejects.toThrow('forbidden')
    await expect(changes(hag, [{ jid: 'hag66@localhost', affiliation: 'owner' }])).rejects.toThrow('forbidden')
  })

  test('leave at least one owner (§10.4)', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')

    await expect(changes(crone, [{ jid: 'crone1@localhost', affiliation: 'admin' }])).rejects.toThrow('conflict')
    await changes(crone, [{ jid: 'crone1@localhost', affiliation: 'admin' }, {
      jid: 'hag66@localhost',
      affiliation: 'owner',
    }])

    expect((await hears(hag)).at(-1)).toMatch(/^thirdwitch owner\/moderator/)
    expect((await hears(crone)).at(-2)).toMatch(/^firstwitch admin\/moderator/)
  })
})

test.each([
  ["<item nick='thirdwitch'/>", 'bad-request'], ["<item affiliation='king' jid='a@localhost'/>", 'bad-request'],
  ["<item role='king' nick='thirdwitch'/>", 'bad-request'], ['', 'bad-request'],
  ["<item affiliation='member' jid='hag66@localhost' role='moderator' nick='thirdwitch'/>", 'bad-request'],
  ["<item affiliation='member' jid='@'/>", 'jid-malformed'],
  ["<item affiliation='member' jid='localhost'/>", 'not-acceptable'],
])('a change like %j is refused', async (items, condition) => {
  const server = await world()
  const crone = await owner(server)
  await inside(server, HAG, 'thirdwitch')

  const asked = crone.asks('set', `<query xmlns='http://jabber.org/protocol/muc#admin'>${items}</query>`, COVEN)

  await expect(asked).rejects.toThrow(condition)
})
