/** XEP-0045 §7.1 and §7.2: who may come in, and what somebody who does is told, in which order. */
import { describe, expect, test, vi } from 'vitest'
import type { MockInstance } from 'vitest'
import { extension } from '../../extension/api.ts'
import {
  changes,
  configures,
  COVEN,
  enters,
  hears,
  inside,
  leaves,
  owner,
  says,
} from '../../../test/support/world/rooms.ts'
import { world, worldWith } from '../../../test/support/world/world.ts'

const HAG = 'hag66@localhost/pda'

describe('somebody who comes in', () => {
  test('first to a room makes it and owns it (§10.1.1)', async () => {
    const server = await world()
    const crone = await server.client('crone1@localhost/desktop')

    await enters(crone, 'firstwitch')

    expect(await hears(crone)).toEqual([
      'firstwitch owner/moderator crone1@localhost/desktop 110 201', `subject "" by ${COVEN}`])
  })

  test('is told of the others, then of itself, then what was said, then the subject (§7.1)', async () => {
    const server = await world()
    const crone = await owner(server)
    const wicca = await inside(server, 'wiccarocks@localhost/laptop', 'secondwitch')
    await crone.sends(`<message to='${COVEN}' type='groupchat'><subject>Fire Burn</subject></message>`)
    await says(crone, 'Thrice the brinded cat hath mew\'d.')
    const hag = await server.client(HAG)

    await enters(hag, 'thirdwitch')

    expect(await hears(hag)).toEqual([
      'firstwitch owner/moderator', 'secondwitch none/participant', 'thirdwitch none/participant 110',
      'firstwitch: Thrice the brinded cat hath mew\'d. (before)', 'subject "Fire Burn" by firstwitch (before)'])
    expect((await hears(wicca)).at(-1)).toBe('thirdwitch none/participant')
    expect((await hears(crone)).at(-1)).toBe('thirdwitch none/participant hag66@localhost/pda')
  })

  test('is told that addresses are no secret where they are none, and shown to all (§7.2.3)', async () => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, { whois: 'anyone', enablelogging: '1' })
    const hag = await server.client(HAG)

    await enters(hag, 'thirdwitch')

    expect((await hears(hag)).slice(0, 2)).toEqual([
      'firstwitch owner/moderator crone1@localhost/desktop',
      'thirdwitch none/participant hag66@localhost/pda 110 100 170',
    ])
    expect(await hears(crone)).toEqual(['thirdwitch none/participant hag66@localhost/pda'])
  })

  test('brings what its presence says, but nothing that is the room\'s to say', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await server.client(HAG)

    await hag.sends(
      `<presence to='${COVEN}/thirdwitch'><show>xa</show><x xmlns='http://jabber.org/protocol/muc'><password>x</password></x>` +
      "<x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner' role='moderator'/></x></presence>")

    const [seen = ''] = await crone.received()
    expect(seen).toContain('<show>xa</show>')
    expect(seen).not.toContain('owner')
    expect(seen).not.toContain('password')
  })

  test('without saying that it knows rooms is told that it is not in (§7.2.18)', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await server.client(HAG)

    await hag.sends(`<presence to='${COVEN}/thirdwitch'/>`)
    await hag.sends("<presence to='nowhere@conference.localhost/thirdwitch'/>")

    expect(await hears(hag)).toEqual(Array(2).fill('gone thirdwitch none/none 110 307 333'))
    expect(await hears(crone)).toEqual([])
  })

  test('once more is told everything again, and the others nothing new but its presence (§7.2.1)', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await inside(server, HAG, 'thirdwitch')
    await hears(crone)

    await enters(hag, 'thirdwitch')

    const heard = await hears(hag)
    expect(heard.slice(0, 3)).toEqual([
      'firstwitch owner/moderator',
      'thirdwitch none/participant 110',
      `subject "" by ${COVEN}`,
    ])
    expect(await hears(crone)).toEqual(['thirdwitch none/participant hag66@localhost/pda'])
  })
})

describe('nobody comes in', () => {
  test.each([
    [
      'without a nick (§7.2.1)',
      {},
      `<presence to='${COVEN}'><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
      'jid-malformed',
    ],
    [
      "with a nick that can't be seen (§17.1)",
      {},
      `<presence to='${COVEN}/ '><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
      'jid-malformed',
    ],
    ['without the password (§7.2.5)', { passwordprotectedroom: '1', roomsecret: 'cauldronburn' }, '', 'not-authorized'],
    ['who is no member of a room for members (§7.2.6)', { membersonly: '1' }, '', 'registration-required'],
    [
      'under a nick that somebody else has (§7.2.8)',
      {},
      `<presence to='${COVEN}/firstwitch'><x xmlns='http://jabber.org/protocol/muc'/></presence>`,
      'conflict',
    ],
    ['to a room that is full (§7.2.9)', { maxusers: '1' }, '', 'service-unavailable'],
  ])('%s', async (_, values, presence, condition) => {
    const server = await world()
    const crone = await owner(server, undefined, undefined, values)
    const hag = await server.client(HAG)

    await (presence === '' ? enters(hag, 'thirdwitch') : hag.sends(presence))

    expect(await hears(hag)).toEqual([`error ${condition}`])
    expect(await hears(crone)).toEqual([])
  })

  test.each(['firstwitch ', ' firstwitch', 'FirstWitch', '\uFF46irstwitch'])(
    'under a nick that looks like somebody\'s who is in, or may be: "%s" (RFC 8266)',
    async nick => {
      const server = await world()
      const crone = await owner(server)
      const hag = await server.client(HAG)
      await enters(hag, 'hag')
      await hears(hag)

      await hag.sends(`<presence to='${COVEN}/${nick}'/>`)
      expect(await hears(hag)).toEqual(['error conflict'])
      await crone.sends(`<presence to='${COVEN}/${nick}'/>`)

      expect(await hears(hag)).toEqual([
        expect.stringMatching(/^gone firstwitch /), expect.stringContaining(nick.trim()),
      ])
      await crone.sends(`<presence to='${COVEN}/wyrd'/>`)
      await hears(hag)
      await hag.sends(`<presence to='${COVEN}/${nick}'/>`)
      expect((await hears(hag)).join()).toContain('110')
    })

  test('under one that looks like what somebody has reserved (§7.12)', async () => {
    const server = await world()
    const crone = await owner(server)
    await changes(crone, [{ jid: 'nurse@localhost', affiliation: 'member', nick: 'Angelica' }])
    const [hag, nurse] = [await server.client(HAG), await server.client('nurse@localhost/home')]

    await enters(hag, 'angelica ')
    await enters(nurse, 'Angelica')

    expect(await hears(hag)).toEqual(['error conflict'])
    expect((await hears(nurse)).join()).toContain('110')
  })

  test('without hearing in the error what he asked for, from where he asked, and who says so (§7.2)', async () => {
    const server = await world()
    const crone = await owner(server)
    await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'outcast' }])
    const hag = await server.client(HAG)

    await enters(hag, 'thirdwitch')

    expect(await hag.received()).toEqual([expect.stringMatching(
      `^<presence from='${COVEN}/thirdwitch' to='${HAG}'[^>]*><error [^>]*by='${COVEN}'.*<x xmlns='http://jabber.org/protocol/muc'/></presence>$`,
    )])
  })

  test('who is banned, himself or with his whole domain (§7.2.7 and §9.2)', async () => {
    const server = await world()
    const crone = await owner(server)
    const hag = await server.client(HAG)

    for (const jid of ['hag66@localhost', 'localhost']) {
      await changes(crone, [{ jid, affiliation: 'outcast' }])
      await enters(hag, 'thirdwitch')
      expect(await hears(hag)).toEqual(['error forbidden'])
      await changes(crone, [{ jid, affiliation: 'none' }])
    }
    await enters(hag, 'thirdwitch')
    expect(await hears(hag)).toContain('thirdwitch none/participant 110')
  })

  test('before the owner has said what the room is to be (§7.2.10)', async () => {
    const server = await world()
    const crone = await server.client('crone1@localhost/desktop')
    const hag = await server.client(HAG)
    await enters(crone, 'firstwitch')

    await enters(hag, 'thirdwitch')
    expect(await hears(hag)).toEqual(['error item-not-found'])

    await configures(crone, {})
    await enters(hag, 'thirdwitch')
    expect(await hears(hag)).toContain('thirdwitch none/participant 110')
  })

  test('where the service lets nobody make rooms, or not that many (§10.1.1)', async () => {
    const closed = await worldWith({ create: 'nobody' })
    const hag = await closed.client(HAG)
    await enters(hag, 'thirdwitch')
    expect(await hears(hag)).toEqual(['error not-allowed'])
  })

  test('in more rooms of his own than there may be', async () => {
    const server = await worldWith({ roomsPerOwner: 1 })
    const crone = await owner(server)

    await enters(crone, 'firstwitch', '', 'other@conference.localhost')

    expect(await hears(crone)).toEqual(['error not-allowed'])
  })

  test('in more rooms of his own than there may be, though they are yet to be set up', async () => {
    const server = await worldWith({ roomsPerOwner: 2 })
    const crone = await server.client('crone1@localhost/desktop')

    for (const room of ['a', 'b', 'c']) await enters(crone, 'firstwitch', '', `${room}@conference.localhost`)

    expect((await hears(crone)).filter(line => line.startsWith('error'))).toEqual(['error not-allowed'])
  })

  test.each(
    [
      ['local', 'error not-allowed'], ['anyone', 'firstwitch owner/moderator crone1@localhost/desktop 110 201'],
    ] as const,
  )(
    'as a guest, where rooms are for %s to make', async (create, answer) => {
      const server = await worldWith({ create })
      const guest = await server.guest('crone1@localhost/desktop')

      await enters(guest, 'firstwitch')

      expect((await hears(guest))[0]).toBe(answer)
    })
})

test('nobody comes in, with whatever rights, where the service has no room for more', async () => {
  const server = await worldWith({ occupants: 1 })
  await owner(server)
  const desk = await server.client('crone1@localhost/other')

  await enters(desk, 'firstwitch')

  expect(await hears(desk)).toEqual(['error service-unavailable'])
})

test('who is refused is told with the element by which he asked, and without what was in it (§7.2.5)', async () => {
  const server = await world()
  await owner(server, undefined, undefined, { passwordprotectedroom: '1', roomsecret: 'cauldronburn' })
  const hag = await server.client(HAG)

  await enters(hag, 'thirdwitch', '<password>cauldron</password>')

  const [refused = ''] = await hag.received()
  expect(refused).toContain("<x xmlns='http://jabber.org/protocol/muc'/>")
})

test('a password lets somebody in (§7.2.5)', async () => {
  const server = await world()
  await owner(server, undefined, undefined, { passwordprotectedroom: '1', roomsecret: 'cauldronburn' })
  const hag = await server.client(HAG)

  await enters(hag, 'thirdwitch', '<password>cauldron</password>')
  await enters(hag, 'thirdwitch', '<password>cauldronburn</password>')

  expect((await hears(hag)).slice(0, 3)).toEqual([
    'error not-authorized',
    'firstwitch owner/moderator',
    'thirdwitch none/participant 110',
  ])
})

test('an admin comes in although the room is full (§7.2.9)', async () => {
  const server = await world()
  const crone = await owner(server, undefined, undefined, { maxusers: '1' })
  await changes(crone, [{ jid: 'hag66@localhost', affiliation: 'admin' }])

  const hag = await inside(server, HAG, 'thirdwitch')

  expect(hag.session.directed?.size).toBe(1)
})

describe('two devices of one account under one nick (§7.2.8)', () => {
  test('are both in, and the others see one', async () => {
    const server = await world()
    const crone = await owner(server)
    const pda = await inside(server, HAG, 'thirdwitch')
    await hears(crone)
    const desk = await server.client('hag66@localhost/desk')

    await enters(desk, 'thirdwitch')

    expect((await hears(desk)).slice(0, 2)).toEqual(['firstwitch owner/moderator', 'thirdwitch none/participant 110'])
    expect([await hears(crone), await hears(pda)]).toEqual([[], []])
    await says(crone, 'hail')
    expect([await hears(desk), await hears(pda)]).toEqual([['firstwitch: hail'], ['firstwitch: hail']])
    await says(desk, 'well met')
    expect(await hears(crone)).toEqual(['firstwitch: hail', 'thirdwitch: well met'])
  })

  test('leave one by one, and only the last for good', async () => {
    const server = await world()
    const crone = await owner(server)
    const pda = await inside(server, HAG, 'thirdwitch')
    const desk = await inside(server, 'hag66@localhost/desk', 'thirdwitch')
    await hears(crone)

    await leaves(pda, 'thirdwitch')
    expect(await hears(pda)).toEqual(['gone thirdwitch none/none 110'])
    expect(await hears(crone)).toEqual(['thirdwitch none/participant hag66@localhost/desk'])
    expect(await hears(desk)).toEqual(['thirdwitch none/participant 110'])

    await leaves(desk, 'thirdwitch')
    expect(await hears(crone)).toEqual(['gone thirdwitch none/none hag66@localhost/desk'])
  })
})

test('who asks again hears everything again, and that the room is yet to be set up (§7.2.1, §10.1.1)', async () => {
  const server = await world()
  const crone = await server.client('crone1@localhost/desktop')
  await enters(crone, 'firstwitch')
  await crone.received()

  await enters(crone, 'firstwitch')

  expect((await hears(crone)).slice(0, 2)).toEqual([
    'firstwitch owner/moderator crone1@localhost/desktop 110 201', `subject "" by ${COVEN}`])
})

describe('who was made a member by others', () => {
  const MADE = [{ jid: 'hag66@localhost', affiliation: 'member' }]

  test('hears that he is in when it is kept that he has accepted it', async () => {
    let heardBefore: number | undefined
    let delivered: MockInstance | undefined
    const server = await world(extension({
      name: 'witness',
      xeps: [],
      setup (host) { host.when('room.affiliated', () => { heardBefore = delivered?.mock.calls.length }) },
    }))
    const crone = await owner(server, undefined, undefined, { membersonly: '1' })
    await changes(crone, MADE)
    const hag = await server.client(HAG)
    await hag.received()
    delivered = vi.spyOn(hag.session, 'deliver')

    await enters(hag, 'thirdwitch')

    expect(heardBefore).toBe(0)
    expect((await hears(hag)).at(-1)).toMatch(/^subject/)
  })

  test('has not accepted it where he was not let in', async () => {
    const server = await world()
    const crone = await owner(server)
    await changes(crone, MADE)
    const hag = await server.client(HAG)
    await hag.received()

    await enters(hag, 'firstwitch')

    expect(await hears(hag)).toEqual(['error conflict'])
    const kept = await server.db.query('select is_unasked from room_affiliation where jid = $1', ['hag66@localhost'])
    expect(kept).toEqual([{ is_unasked: true }])
  })
})
