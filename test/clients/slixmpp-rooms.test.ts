/**
 * Rooms by slixmpp over STARTTLS, as Debian ships it: it makes one, and others are invited, come in, talk and are
 * moderated.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startMeeting, type Meeting } from './server.ts'
import { Slixmpp, whyNoSlixmpp } from './slixmpp.ts'

const JULIET = 'juliet@localhost'
const ROMEO = 'romeo@localhost'
const ROOM = 'garden@conference.localhost'

const missing = whyNoSlixmpp()
if (missing !== undefined) console.warn(`slixmpp is not tested in rooms: ${missing}`)

describe.skipIf(missing !== undefined)('slixmpp in rooms', () => {
  let meeting: Meeting
  let clients: Slixmpp[] = []

  beforeAll(async () => { meeting = await startMeeting('romeo', 'juliet', 'nurse') }, 60_000)
  afterAll(() => meeting.stop())
  afterEach(async () => {
    await Promise.all(clients.map(client => client.stop()))
    clients = []
  })

  async function login (name: string): Promise<Slixmpp> {
    const client = new Slixmpp(meeting, name)
    clients.push(client)
    await client.expectSeen('presence', { jid: `${client.jid}/slixmpp` })
    return client
  }

  /** Romeo's room, set up like that, with Juliet in it where she may come in. */
  async function meetIn (
    room: string,
    options: Readonly<Record<string, unknown>> = {},
  ): Promise<readonly [Slixmpp, Slixmpp]> {
    const [romeo, juliet] = await Promise.all([login('romeo'), login('juliet')])
    expect(await romeo.does('make_room', { room, nick: 'Romeo', options })).toEqual([110, 201])
    expect(await juliet.does('enter', { room, nick: 'Juliet' })).toEqual({
      subject: '',
      occupants: ['Juliet', 'Romeo'],
      history: [],
    })
    return [romeo, juliet]
  }

  test('it makes a room, sets it up by its form as it came, and destroys it', async () => {
    const romeo = await login('romeo')

    await romeo.does('make_room', {
      room: ROOM,
      nick: 'Romeo',
      options: { 'muc#roomconfig_roomname': 'Capulet’s Garden', 'muc#roomconfig_membersonly': true },
    })

    expect(await romeo.does('disco', { to: ROOM })).toMatchObject({
      identities: [['conference', 'text']], features: expect.arrayContaining(['muc_membersonly']),
    })
    expect(await romeo.does('destroy', { room: ROOM, reason: 'The wall is high' })).toBeNull()
    expect(await romeo.does('disco', { to: ROOM })).toBe('item-not-found')
  })

  test('two chat, and who comes later sees what was said, and the subject', async () => {
    const room = `chat.${ROOM}`
    const [romeo, juliet] = await meetIn(room)

    await juliet.does('say', { room, body: 'Art thou not <Romeo> & a Montague?' })
    await romeo.expectSeen('message', {
      jid: `${room}/Juliet`,
      type: 'groupchat',
      body: 'Art thou not <Romeo> & a Montague?',
    })
    await romeo.does('change_subject', { room, subject: 'Parting' })
    await juliet.expectSeen('subject', { subject: 'Parting' })
    const nurse = await login('nurse')

    expect(await nurse.does('enter', { room, nick: 'Nurse' })).toEqual({
      subject: 'Parting', occupants: ['Juliet', 'Nurse', 'Romeo'], history: ['Art thou not <Romeo> & a Montague?'],
    })
  })

  test.each(['invite', 'invite_directly'])('who is invited to a members-only room may come in (%s)', async way => {
    const room = `${way.replace('_', '.')}.${ROOM}`
    const [romeo, juliet, nurse] = await Promise.all(['romeo', 'juliet', 'nurse'].map(login))
    if (!romeo || !juliet || !nurse) throw new Error('not all are there')
    await romeo.does('make_room', { room, nick: 'Romeo', options: { 'muc#roomconfig_membersonly': true } })
    expect(await nurse.does('enter', { room, nick: 'Nurse' })).toBe('registration-required')

    // XEP-0249: who invites directly sees to the membership before.
    if (way === 'invite_directly') await romeo.does('set_affiliation', { room, jid: JULIET, affiliation: 'member' })
    await romeo.does(way, { room, to: JULIET, reason: 'A feast' })

    expect((await juliet.expectSeen('invitation', { room, reason: 'A feast' }))['by']).toMatch(new RegExp(`^${ROMEO}`))
    expect(await juliet.does('enter', { room, nick: 'Juliet' })).toMatchObject({ occupants: ['Juliet', 'Romeo'] })
    expect(await romeo.does('affiliated', { room, affiliation: 'member' })).toEqual([JULIET])
  })

  test('a moderator takes voice, gives it, kicks and bans; others may not', async () => {
    const room = `moderated.${ROOM}`
    const [romeo, juliet] = await meetIn(room, { 'muc#roomconfig_moderatedroom': true })
    const me = `${room}/Juliet`

    await juliet.does('say', { room, body: 'May I speak?' })
    await juliet.expectSeen('message', { jid: room, type: 'error' })
    await romeo.does('set_role', { room, nick: 'Juliet', role: 'participant' })
    await juliet.expectSeen('presence', { jid: me, role: 'participant' })
    await juliet.does('say', { room, body: 'I may' })
    await romeo.expectSeen('message', { jid: me, body: 'I may' })
    expect(await juliet.does('set_role', { room, nick: 'Romeo', role: 'none' })).toBe('forbidden')

    await romeo.does('set_role', { room, nick: 'Juliet', role: 'none' })
    expect((await juliet.expectSeen('presence', { jid: me, type: 'unavailable' }))['codes']).toEqual([110, 307])
    await juliet.does('enter', { room, nick: 'Juliet' })
    await romeo.does('set_affiliation', { room, jid: JULIET, affiliation: 'outcast' })
    expect((await juliet.expectSeen('presence', { jid: me, type: 'unavailable' }))['codes']).toEqual([110, 301])
    expect(await juliet.does('enter', { room, nick: 'Juliet' })).toBe('forbidden')
  })

  test.each(['❤️', '🏳️‍🌈'])('who asks for a nick that is none is told so at once: %s', async nick => {
    const juliet = await login('juliet')

    expect(await juliet.does('enter', { room: `nicks.${ROOM}`, nick })).toBe('jid-malformed')
  })

  test('who leaves is seen to leave', async () => {
    const room = `leaving.${ROOM}`
    const [romeo, juliet] = await meetIn(room)

    await juliet.does('leave', { room, nick: 'Juliet' })

    await romeo.expectSeen('presence', { jid: `${room}/Juliet`, type: 'unavailable', role: 'none' })
  })
})
