/** @xmpp/client, over TCP with STARTTLS, over direct TLS and over WebSocket (RFC 7395). */
import { xml } from '@xmpp/client'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startMeeting, type Meeting } from './server.ts'
import { TRANSPORTS, XmppClient, type Transport } from './xmpp-client.ts'

const ROMEO = 'romeo@localhost'
const JULIET = 'juliet@localhost'

let meeting: Meeting
let clients: XmppClient[] = []

beforeAll(async () => { meeting = await startMeeting('romeo', 'juliet') }, 60_000)
afterAll(() => meeting.stop())
afterEach(async () => {
  await Promise.all(clients.map(client => client.stop()))
  clients = []
})

async function login (name: string, transport: Transport): Promise<XmppClient> {
  const client = await XmppClient.login(meeting, name, transport)
  clients.push(client)
  return client
}

/** Makes each see the other, whatever was between them before. */
async function befriend (one: XmppClient, other: XmppClient): Promise<void> {
  for (const [from, to] of [[one, other], [other, one]] as const) {
    await from.send('presence', { to: to.jid, type: 'subscribed' })
    await to.send('presence', { to: from.jid, type: 'subscribe' })
  }
  await Promise.all([one.expectSeen('presence', other.jid), other.expectSeen('presence', one.jid)])
}

describe.each(TRANSPORTS)('over %s', transport => {
  test('a wrong password is refused with not-authorized', async () => {
    await expect(XmppClient.login(meeting, 'romeo', transport, 'Montague'))
      .rejects.toMatchObject({ name: 'SASLError', condition: 'not-authorized' })
  })

  test('contacts see each other come and go, and chat', async () => {
    const [romeo, juliet] = await Promise.all([login('romeo', transport), login('juliet', transport)])

    await befriend(romeo, juliet)
    await romeo.chat(JULIET, 'Soft, what light ☀?')
    await juliet.chat(ROMEO, 'Art thou not <Romeo> & a Montague?')

    expect((await juliet.expectSeen('message', ROMEO, 'chat')).getChildText('body')).toBe('Soft, what light ☀?')
    expect((await romeo.expectSeen('message', JULIET, 'chat')).getChildText('body'))
      .toBe('Art thou not <Romeo> & a Montague?')
    await juliet.send('presence', { type: 'unavailable' })
    await romeo.expectSeen('presence', JULIET, 'unavailable')
    expect(await romeo.roster()).toEqual({ [JULIET]: 'both' })
  })

  test('the server answers disco, version, time and ping, and keeps a vCard', async () => {
    const romeo = await login('romeo', transport)

    const disco = await romeo.get(xml('query', { xmlns: 'http://jabber.org/protocol/disco#info' }), 'localhost')
    const version = await romeo.get(xml('query', { xmlns: 'jabber:iq:version' }), 'localhost')
    const time = await romeo.get(xml('time', { xmlns: 'urn:xmpp:time' }), 'localhost')
    await romeo.get(xml('ping', { xmlns: 'urn:xmpp:ping' }), 'localhost')
    await romeo.set(xml('vCard', { xmlns: 'vcard-temp' }, xml('FN', {}, `Romeo, ${transport}`)))
    const vcard = await romeo.get(xml('vCard', { xmlns: 'vcard-temp' }))

    expect(disco?.getChild('identity')?.attrs).toMatchObject({ category: 'server', type: 'im' })
    expect(version?.getChildText('name')).toMatch(/./)
    expect(time?.getChildText('utc')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
    expect(vcard?.getChildText('FN')).toBe(`Romeo, ${transport}`)
  })

  test('a request that nobody knows is answered with service-unavailable', async () => {
    const romeo = await login('romeo', transport)

    await expect(romeo.get(xml('query', { xmlns: 'urn:example:unheard-of' }), 'localhost'))
      .rejects.toMatchObject({ condition: 'service-unavailable' })
  })
})

test('a stream that begins anew has a new id', async () => {
  const { headers } = await login('romeo', 'STARTTLS')

  const ids = headers.map(header => header.attrs['id'])
  expect(ids.length).toBeGreaterThan(1)
  expect(new Set(ids).size).toBe(ids.length)
})

test('a message goes from each transport to each', async () => {
  for (const from of TRANSPORTS) {
    for (const to of TRANSPORTS) {
      const [romeo, juliet] = await Promise.all([login('romeo', from), login('juliet', to)])

      await romeo.chat(JULIET, `from ${from} to ${to}`)

      expect((await juliet.expectSeen('message', ROMEO, 'chat')).getChildText('body')).toBe(`from ${from} to ${to}`)
      await Promise.all([romeo.stop(), juliet.stop()])
    }
  }
}, 90_000) // eighteen logins
