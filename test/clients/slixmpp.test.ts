/** slixmpp over STARTTLS, as Debian ships it and with what it does by itself, and with @xmpp/client. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startMeeting, type Meeting } from './server.ts'
import { Slixmpp, whyNoSlixmpp } from './slixmpp.ts'
import { TRANSPORTS, XmppClient } from './xmpp-client.ts'

const ROMEO = 'romeo@localhost'
const JULIET = 'juliet@localhost'

const missing = whyNoSlixmpp()
if (missing !== undefined) console.warn(`slixmpp is not tested: ${missing}`)

describe.skipIf(missing !== undefined)('slixmpp', () => {
  let meeting: Meeting
  let clients: { stop (): Promise<void> }[] = []

  beforeAll(async () => { meeting = await startMeeting('romeo', 'juliet', 'nurse') }, 60_000)
  afterAll(() => meeting.stop())
  afterEach(async () => {
    await Promise.all(clients.map(client => client.stop()))
    clients = []
  })

  function start (name: string, password?: string): Slixmpp {
    const client = new Slixmpp(meeting, name, password)
    clients.push(client)
    return client
  }

  async function loginBoth (): Promise<readonly [Slixmpp, Slixmpp]> {
    const both = [start('romeo'), start('juliet')] as const
    await Promise.all(both.map(client => client.expectSeen('presence', { jid: `${client.jid}/slixmpp` })))
    return both
  }

  test('it logs in bound to its channel of TLS, by its own choice', async () => {
    const session = await start('romeo').expectSeen('session')

    expect(session).toMatchObject({ jid: 'romeo@localhost/slixmpp', tls: 'TLSv1.3' })
    expect(session['mechanism']).toMatch(/^SCRAM-SHA-.*-PLUS$/)
  })

  test('a wrong password is refused', async () => {
    await start('romeo', 'Montague').expectSeen('refused', { condition: 'not-authorized' })
  })

  test('two become contacts by one request, and see each other come, change and go', async () => {
    const [romeo, juliet] = await loginBoth()

    // It grants what it is asked for, and asks in turn.
    await romeo.does('subscribe', { to: JULIET })
    await Promise.all([
      romeo.expectSeen('presence', { jid: `${JULIET}/slixmpp` }),
      juliet.expectSeen('presence', { jid: `${ROMEO}/slixmpp` }),
    ])
    await romeo.does('show', { status: 'in the orchard' })
    await juliet.expectSeen('presence', { jid: `${ROMEO}/slixmpp`, status: 'in the orchard' })

    expect(await romeo.does('roster')).toEqual({ [JULIET]: 'both' })
    expect(await juliet.does('roster')).toEqual({ [ROMEO]: 'both' })
    await juliet.stop()
    await romeo.expectSeen('presence', { jid: `${JULIET}/slixmpp`, type: 'unavailable' })
  })

  test('what it announces of its capabilities is what it answers, and others are not asked again', async () => {
    const [romeo, juliet] = await loginBoth()

    const ver = await romeo.does('want', { node: 'urn:example:lute' })
    await romeo.expectSeen('asked', { ver })
    await romeo.does('ping', { to: 'localhost' }) // behind its answer
    const same = await juliet.does('want', { node: 'urn:example:lute' })
    await juliet.does('ping', { to: 'localhost' })

    expect(same).toBe(ver)
    expect(await juliet.does('count_asked', { ver })).toBe(0)
  })

  test('an avatar that one publishes the other hears of, and finds in the vCard', async () => {
    const [romeo, juliet] = await loginBoth()
    await romeo.does('subscribe', { to: JULIET })
    await juliet.expectSeen('presence', { jid: `${ROMEO}/slixmpp` })

    const id = await romeo.does('publish_avatar', { text: 'a rose' })

    const heard = await juliet.expectSeen('avatar', { jid: ROMEO })
    expect(heard).toMatchObject({ ids: [id] })
    await expect.poll(() => juliet.does('photo', { to: ROMEO })).toBe(id)
  })

  test('a room that it bookmarks in private data is an item for newer clients', async () => {
    const romeo = start('romeo')
    await romeo.expectSeen('session')

    await romeo.does('bookmark', { room: 'garden@conference.localhost' })

    expect(await romeo.does('bookmarked')).toEqual(['garden@conference.localhost'])
  })

  test('two chat', async () => {
    const [romeo, juliet] = await loginBoth()

    await romeo.does('chat', { to: JULIET, body: 'Soft, what light ☀?' })
    await juliet.does('chat', { to: `${ROMEO}/slixmpp`, body: 'Art thou not <Romeo> & a Montague?' })

    await juliet.expectSeen('message', { jid: `${ROMEO}/slixmpp`, type: 'chat', body: 'Soft, what light ☀?' })
    await romeo.expectSeen('message', { jid: `${JULIET}/slixmpp`, body: 'Art thou not <Romeo> & a Montague?' })
  })

  test('the server answers ping, version and time, and a contact what it is asked', async () => {
    const [romeo] = await loginBoth()
    const juliet = `${JULIET}/slixmpp`

    expect(await romeo.does('ping', { to: 'localhost' })).toBeNull()
    expect(await romeo.does('version', { to: 'localhost' })).toMatch(/./)
    expect(await romeo.does('time', { to: 'localhost' })).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
    expect(await romeo.does('ping', { to: juliet })).toBeNull()
    expect(await romeo.does('version', { to: juliet })).toBe('slixmpp agent')
  })

  test('the server says what it is and can, and so does the account', async () => {
    const [romeo] = await loginBoth()

    expect(await romeo.does('disco', { to: 'localhost' })).toMatchObject({
      identities: expect.arrayContaining([['server', 'im']]),
      features: expect.arrayContaining(['jabber:iq:version', 'urn:xmpp:blocking', 'urn:xmpp:ping', 'vcard-temp']),
    })
    expect(await romeo.does('disco', { to: ROMEO })).toMatchObject({
      identities: expect.arrayContaining([['account', 'registered']]),
    })
  })

  test('a vCard that one has published the other reads', async () => {
    const [romeo, juliet] = await loginBoth()

    await romeo.does('set_vcard', { name: 'Romeo ☀ Montague' })

    expect(await juliet.does('vcard', { to: ROMEO })).toBe('Romeo ☀ Montague')
  })

  test('who is blocked is not heard, until unblocked', async () => {
    const [romeo, juliet] = await loginBoth()

    await juliet.does('block', { jid: ROMEO })
    await romeo.does('chat', { to: JULIET, body: 'blocked' })
    await romeo.expectSeen('message', { jid: JULIET, type: 'error' })
    expect(await juliet.does('blocked')).toEqual([ROMEO])
    await juliet.does('unblock', { jid: ROMEO })
    await romeo.does('chat', { to: JULIET, body: 'unblocked' })

    expect(await juliet.expectSeen('message')).toMatchObject({ jid: `${ROMEO}/slixmpp`, body: 'unblocked' })
    expect(await juliet.does('blocked')).toEqual([])
  })

  test('a connection that breaks costs nothing: it goes on with its session, and hears what it missed', async () => {
    const [romeo, juliet] = await loginBoth()

    await juliet.does('lose_connection')
    await juliet.expectSeen('disconnected')
    await romeo.does('chat', { to: `${JULIET}/slixmpp`, body: 'O, wilt thou leave me so unsatisfied?' })
    await juliet.does('come_back')

    await juliet.expectSeen('resumed')
    await juliet.expectSeen('message', { body: 'O, wilt thou leave me so unsatisfied?' })
  })

  test.each(TRANSPORTS)('it and @xmpp/client over %s see each other and chat', async transport => {
    const romeo = start('romeo')
    await romeo.expectSeen('presence', { jid: `${ROMEO}/slixmpp` })
    const nurse = await XmppClient.login(meeting, 'nurse', transport)
    clients.push(nurse)

    await nurse.send('presence', { to: ROMEO, type: 'subscribed' })
    await nurse.send('presence', { to: ROMEO, type: 'subscribe' })
    await Promise.all([
      nurse.expectSeen('presence', ROMEO),
      romeo.expectSeen('presence', { jid: nurse.fullJid, type: 'available' }),
    ])
    await nurse.chat(ROMEO, 'Sir, my mistress…')
    await romeo.does('chat', { to: nurse.jid, body: 'Bid her devise' })

    await romeo.expectSeen('message', { jid: nurse.fullJid, body: 'Sir, my mistress…' })
    expect((await nurse.expectSeen('message', ROMEO, 'chat')).getChildText('body')).toBe('Bid her devise')
  })
})
