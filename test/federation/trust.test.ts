/** What is not proven is refused, in both directions, and the log says why (RFC 6120 §13.7, XEP-0178, XEP-0220). */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { CertificatePair } from '../../src/net/self-signed.ts'
import { Authority, selfSigned, SERVER_AUTH } from '../support/authority.ts'
import { Federation, START_MS, whyNoPeers } from './federation.ts'
import { expectLogged, expectWaiting } from './heliograph.ts'
import { writeFiles, type FederatedServer } from './server.ts'

const OURS = 'heliograph.example'
const THEIRS = 'prosody.example'
const HOSTS = [THEIRS, `conference.${THEIRS}`]
const DAY_MS = 24 * 3600_000

const missing = whyNoPeers()
if (missing !== undefined) console.warn(missing)

/** It is started anew with this certificate. */
async function showInstead (server: FederatedServer, authority: Authority, pair: CertificatePair): Promise<void> {
  await server.end()
  writeFiles(server.place.folder, server.place.owner, pair, authority.certificate)
  await server.start()
}

describe.skipIf(missing !== undefined)('Where certificates are required', () => {
  let federation: Federation

  beforeAll(async () => { federation = await Federation.start('certificate', 'heliograph', 'prosody') }, START_MS)
  afterAll(() => federation?.[Symbol.asyncDispose]())

  const BAD: readonly (readonly [name: string, reason: string, make: (authority: Authority) => CertificatePair])[] = [
    ['that has expired', 'has expired', authority =>
      authority.issue({ hosts: HOSTS, from: new Date(Date.now() - 9 * DAY_MS), to: new Date(Date.now() - DAY_MS) })],
    ['that is not valid yet', 'is not valid yet', authority =>
      authority.issue({ hosts: HOSTS, from: new Date(Date.now() + DAY_MS), to: new Date(Date.now() + 9 * DAY_MS) })],
    ['that is self-signed', 'is self-signed', () => selfSigned({ hosts: HOSTS })],
    ['with another name', `is for other.example, not for ${THEIRS}`, authority =>
      authority.issue({ hosts: ['other.example'] })],
    ['of an unknown authority', 'is of an unknown authority', () => new Authority().issue({ hosts: HOSTS })],
    ['of an authority whose key was replaced', 'has a wrong signature', authority =>
      new Authority(authority.commonName).issue({ hosts: HOSTS })],
  ]

  test.each(BAD)('a certificate %s is refused in both directions, and one that is renewed is accepted', async (_, reason, make) => {
    const { authority } = federation.neighbourhood
    const [ours, theirs] = [federation.server(OURS), federation.server(THEIRS)]
    await showInstead(theirs, authority, make(authority))
    const [romeo, juliet] = await Promise.all([federation.arrive('romeo', OURS), federation.arrive('juliet', THEIRS)])

    romeo.say(juliet.jid, 'from-ours')
    juliet.say(romeo.jid, 'from-theirs')

    await romeo.expectSeen('message', { type: 'error', id: 'from-ours' }, new RegExp(`<remote-server-.*certificate ${reason}`))
    await juliet.expectSeen('message', { type: 'error', id: 'from-theirs' }, /<remote-server-/)
    const lines = await expectLogged(ours, 'federation.refused', { remote: THEIRS })
    expect(lines.map(line => String(line['reason'])).filter(text => text.includes(`the certificate ${reason}`)))
      .not.toEqual([])

    await showInstead(theirs, authority, authority.issue({ hosts: HOSTS }))
    romeo.say(juliet.jid, 'again')
    const back = await federation.logIn(juliet.jid, 'back')
    await back.expectSeen('message', { id: 'again', from: romeo.fullJid })
    await expectWaiting(ours, THEIRS, 0)
  })

  test('a certificate for servers only, as authorities issue them, is accepted in both directions', async () => {
    const { authority } = federation.neighbourhood
    await showInstead(federation.server(THEIRS), authority, authority.issue({ hosts: HOSTS, usages: [SERVER_AUTH] }))
    const [romeo, juliet] = await Promise.all([federation.arrive('romeo', OURS), federation.arrive('juliet', THEIRS)])

    juliet.say(romeo.fullJid, 'from-theirs')
    await romeo.expectSeen('message', { id: 'from-theirs' })
    romeo.say(juliet.fullJid, 'from-ours')
    await juliet.expectSeen('message', { id: 'from-ours' })
    await expectWaiting(federation.server(OURS), THEIRS, 0)
  })

  test('a server whose STARTTLS is taken away on the way is sent nothing', async () => {
    const [ours, theirs] = [federation.server(OURS), federation.server(THEIRS)]
    await theirs.end()
    await theirs.start()
    const { dns } = federation.neighbourhood
    const name = `_xmpp-server._tcp.${THEIRS}`
    const records = dns.names.get(name) ?? {}
    dns.names.set(name, { srv: [{ port: await stripping(theirs.place.ports.server), target: 'localhost' }], ttl: 0 })
    onTestFinished(() => { dns.names.set(name, records) })
    const romeo = await federation.arrive('romeo', OURS)

    romeo.say(`juliet@${THEIRS}`, 'in-the-clear')

    await romeo.expectSeen('message', { type: 'error', id: 'in-the-clear' }, /<remote-server-/)
    const lines = await expectLogged(ours, 'federation.refused', { remote: THEIRS })
    expect(lines.map(line => line['reason'])).toContainEqual(expect.stringMatching(/STARTTLS is not offered/))
  })
})

/** The port of one in the middle who takes STARTTLS out of what the server offers. */
async function stripping (port: number): Promise<number> {
  const sockets: Socket[] = []
  const middle: Server = createServer(client => {
    const server = connect(port, '127.0.0.1')
    sockets.push(client, server)
    client.on('error', () => {}).on('close', () => { server.destroy() }).pipe(server)
    server.on('error', () => {}).on('close', () => { client.destroy() }).on('data', (chunk: Buffer) => {
      client.write(chunk.toString('latin1').replace(/<starttls.*<\/starttls>/, ''), 'latin1')
    })
  }).listen(0, '127.0.0.1')
  await once(middle, 'listening')
  onTestFinished(() => {
    middle.close()
    for (const socket of sockets) socket.destroy()
  })
  const address = middle.address()
  return typeof address === 'object' && address ? address.port : NaN
}

describe.skipIf(missing !== undefined)('Where one domain may prove itself by dialback', () => {
  let federation: Federation

  beforeAll(async () => {
    federation = await Federation.start('dialback')
    await federation.add('prosody')
    await federation.add('ejabberd')
    await federation.addOurs({ trust: 'certificate', domains: { [THEIRS]: { trust: 'dialback' } } })
  }, START_MS)
  afterAll(() => federation?.[Symbol.asyncDispose]())

  test('its self-signed certificate does not matter, in either direction, and another domain\'s does', async () => {
    const [romeo, juliet, tybalt] = await Promise.all([
      federation.arrive('romeo', OURS), federation.arrive('juliet', THEIRS), federation.arrive('tybalt', 'ejabberd.example'),
    ])

    romeo.say(juliet.fullJid, 'from-ours')
    juliet.say(romeo.fullJid, 'from-theirs')
    romeo.say(tybalt.fullJid, 'to-another')
    tybalt.say(romeo.fullJid, 'from-another')

    await juliet.expectSeen('message', { id: 'from-ours', from: romeo.fullJid })
    await romeo.expectSeen('message', { id: 'from-theirs', from: juliet.fullJid })
    await romeo.expectSeen('message', { id: 'to-another', type: 'error' }, /<remote-server-/)
    await tybalt.expectSeen('message', { id: 'from-another', type: 'error' }, /<remote-server-/)
  })
})

describe.skipIf(missing !== undefined).each([
  ['blocks another', { block: [THEIRS] }],
  ['blocks the domain above another', { block: ['example'] }],
  ['allows others only', { allow: ['ejabberd.example'] }],
])('A server that %s', (_, lists) => {
  let federation: Federation

  beforeAll(async () => {
    federation = await Federation.start('certificate')
    await federation.add('prosody')
    await federation.addOurs(lists)
  }, START_MS)
  afterAll(() => federation?.[Symbol.asyncDispose]())

  test('sends it nothing and takes nothing from it', async () => {
    const [romeo, juliet] = await Promise.all([federation.arrive('romeo', OURS), federation.arrive('juliet', THEIRS)])

    romeo.say(juliet.fullJid, 'from-ours')
    juliet.say(romeo.fullJid, 'from-theirs')

    await romeo.expectSeen('message', { id: 'from-ours', type: 'error' }, /<not-allowed /)
    await juliet.expectSeen('message', { id: 'from-theirs', type: 'error' })
    const [line] = await expectLogged(federation.server(OURS), 'federation.refused', { remote: THEIRS })
    expect(line?.['reason']).toMatch(/policy-violation/)
    expect(romeo.hasSeen(/from-theirs/)).toBe(false)
  })
})
