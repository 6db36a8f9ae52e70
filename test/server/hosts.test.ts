/** Several hosts on one server, each with its users and its certificate, which may be renewed meanwhile. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { header, Peer, type Address } from '../hostile/peer.ts'
import { makeCertificate } from '../../conformance/peers/server.ts'
import type { XmlElement } from '../../conformance/runner/xml.ts'
import { Installation, OPEN, type RunningServer, type Settings } from './installation.ts'
import { until } from './until.ts'

const HOSTS = ['localhost', 'example.org'] as const

let home: Installation
let server: RunningServer
let peers: Peer[] = []

beforeAll(async () => {
  home = await Installation.make()
  home.configure(settings())
  server = await home.start()
}, 60_000)
afterEach(() => { for (const peer of peers.splice(0)) peer.destroy() })
afterAll(() => home.remove())

/** With certificates that are new. */
function settings (): Settings {
  const [first, second] = HOSTS.map(host => makeCertificate(home.folder, undefined, host))
  return { ...OPEN, hosts: HOSTS, tls: { ...first, hosts: { 'example.org': second } } }
}

async function connect (how: Partial<Address>): Promise<Peer> {
  const peer = await Peer.connect({ ...home.direct, ...how })
  peers.push(peer)
  return peer
}

async function logIn (host: string, jid: string): Promise<Peer> {
  const peer = await Peer.logIn({ ...home.direct, host }, jid)
  peers.push(peer)
  return peer
}

describe('users of two hosts', () => {
  test('subscribe to each other, see each other and talk', async () => {
    const romeo = await logIn('localhost', 'romeo/orchard')
    const juliet = await logIn('example.org', 'juliet/balcony')
    for (const peer of [romeo, juliet]) void peer.send('<presence/>')

    await befriend(romeo, 'romeo@localhost', juliet, 'juliet@example.org')
    void romeo.send("<message to='juliet@example.org' type='chat'><body>But soft</body></message>")
    void juliet.send("<message to='romeo@localhost' type='chat'><body>Ay me</body></message>")
    const heard = [await next(juliet, 'message'), await next(romeo, 'message')]
    juliet.destroy()

    expect(heard.map(({ attributes, children }) => [attributes.get('from'), children[0]?.text])).toEqual([
      ['romeo@localhost/orchard', 'But soft'], ['juliet@example.org/balcony', 'Ay me'],
    ])
    expect((await next(romeo, 'presence', 'unavailable')).attributes.get('from')).toBe('juliet@example.org/balcony')
  })

  test('may have the same name, and are not the same', async () => {
    const here = await logIn('localhost', 'benvolio/one')
    const there = await logIn('example.org', 'benvolio/one')

    void here.send("<message to='benvolio@example.org/one'><body>who are you?</body></message>")

    expect((await there.expect('message')).attributes.get('from')).toBe('benvolio@localhost/one')
    await here.expectPong()
  })

  test('are not known at the other', async () => {
    await logIn('localhost', 'tybalt/one')
    const peer = await connect({ host: 'example.org' })
    await peer.open()

    await expect(peer.prove('tybalt')).rejects.toThrow('not-authorized')
  })
})

test('a stream for another host is ended with host-unknown', async () => {
  const peer = await connect({})

  void peer.send(header('elsewhere.example'))

  expect(await peer.streamError()).toBe('host-unknown')
})

describe.each(HOSTS)('%s', host => {
  test('has its own certificate on a port that is TLS at once', async () => {
    expect((await connect({ host })).certificate?.subjectAltName).toBe(`DNS:${host}`)
  })

  test('has its own certificate after STARTTLS', async () => {
    const peer = await connect({ port: home.port, isTls: false, host })
    await peer.open()
    await peer.startTls()

    expect(peer.certificate?.subjectAltName).toBe(`DNS:${host}`)
    await peer.open()
  })
})

test('a renewed certificate is shown to the next connection, and those that are open go on', async () => {
  const old = await logIn('example.org', 'mercutio/one')

  makeCertificate(home.folder, undefined, 'example.org')
  await server.logged('certificate.renewed')
  const fresh = await connect({ host: 'example.org' })

  expect(fresh.certificate?.subjectAltName).toBe('DNS:example.org')
  expect(fresh.certificate?.serialNumber).not.toBe(old.certificate?.serialNumber)
  await old.expectPong()
})

/** Makes each see the other. */
async function befriend (one: Peer, oneJid: string, other: Peer, otherJid: string): Promise<void> {
  const both = [[one, otherJid], [other, oneJid]] as const
  for (const [peer, to] of both) {
    void peer.send(`<presence type='subscribed' to='${to}'/>`)
    await peer.expectPong()
  }
  for (const [peer, to] of both) void peer.send(`<presence type='subscribe' to='${to}'/>`)
  for (const [peer, to] of both) {
    await until(() => peer.next(), ({ name, attributes }) =>
      name === 'presence' && attributes.get('from')?.startsWith(`${to}/`) === true)
  }
}

/** The next of its kind, whatever comes before it. */
function next (peer: Peer, kind: string, type?: string): Promise<XmlElement> {
  return until(() => peer.next(), ({ name, attributes }) =>
    name === kind && (type === undefined || attributes.get('type') === type))
}
