/** Opening streams to another server, which is played by a script over real sockets, TLS and DNS. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { Authority, selfSigned } from '../../test/support/authority.ts'
import { DnsServer } from '../../test/support/dns/dns-server.ts'
import { PROCEED, scriptedServer } from '../../test/support/s2s/scripted-server.ts'
import type { ScriptedServer, ScriptedServerOptions, Step } from '../../test/support/s2s/scripted-server.ts'
import { openLog } from '../log.ts'
import { Authorities } from '../net/authorities.ts'
import { Certificates } from '../net/certificates.ts'
import { WriteBarrier } from '../net/write-barrier.ts'
import type { Router } from '../routing/router.ts'
import { ServerRequests } from '../routing/server-requests.ts'
import { StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { message } from '../xmpp/stanza.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { Connector } from './connector.ts'
import { DialbackVerifier } from './dialback-verifier.ts'
import { Finder } from './finding/finder.ts'
import { OutgoingStreams } from './outgoing.ts'
import { DomainPolicy } from './settings.ts'
import type { Trust } from './settings.ts'
import { Streams } from './streams.ts'
import { dialbackKey } from './trust/dialback-key.ts'

const SECRET = Buffer.from('secret')
const authority = new Authority()
const log = await openLog({ level: 'silent' })
let folder: string
let certificates: Certificates
let authorities: Authorities
const servers: ScriptedServer[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 's2s-'))
  const files = { certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
  const pair = authority.issue({ hosts: ['us.test'] })
  await writeFile(files.certificate, pair.certificate)
  await writeFile(files.key, pair.key)
  await writeFile(join(folder, 'ca.pem'), authority.certificate)
  certificates = await Certificates.load({ hosts: ['us.test'], data: folder, files, log })
  authorities = await Authorities.load(join(folder, 'ca.pem'))
})

afterEach(() => { for (const server of servers.splice(0)) server.close() })

afterAll(async () => {
  certificates.close()
  await rm(folder, { recursive: true })
})

// ——— the other server

const HEADER = "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' " +
  "xmlns:stream='http://etherx.jabber.org/streams' id='ID' from='them.test' to='us.test' version='1.0'>"
const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
const EXTERNAL = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>"
const DIALBACK = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
const BIDI = "<bidi xmlns='urn:xmpp:features:bidi'/>"
const SM = "<sm xmlns='urn:xmpp:sm:3'/>"
const SUCCESS = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
const FAILURE = "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>"
const VALID = "<db:result from='them.test' to='us.test' type='valid'/>"
const ENABLED = "<enabled xmlns='urn:xmpp:sm:3'/>"

function features (...all: readonly string[]): string {
  return `${HEADER}<stream:features>${all.join('')}</stream:features>`
}

function streamError (condition: string): string {
  return `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`
}

const TO_TLS: readonly Step[] = [['<stream:stream ', features(STARTTLS)], ['<starttls ', PROCEED]]

async function peer (
  script: readonly Step[], options: Partial<ScriptedServerOptions> = {},
): Promise<ScriptedServer> {
  const server = await scriptedServer({ script, pair: authority.issue({ hosts: ['them.test'] }), ...options })
  servers.push(server)
  return server
}

// ——— this server

interface Us {
  readonly connector: Connector
  readonly outgoing: OutgoingStreams
  readonly verifier: DialbackVerifier
  readonly routed: Stanza[]
  readonly streams: Streams
  passes (ms: number): void
}

function us (finder: Finder, trust: Trust = 'certificate'): Us {
  const routed: Stanza[] = []
  const requests = new ServerRequests(() => {})
  const router = {
    isServed: (domain: string) => domain === 'us.test',
    route (stanza: Stanza) { if (stanza.kind !== 'iq' || !requests.take(stanza)) routed.push(stanza) },
  }
  let clock = 0
  const connector = new Connector({
    log, finder, certificates, authorities, barrier: new WriteBarrier(log), now: () => clock,
    stanzaBytes: 100_000,
  })
  const streams = new Streams()
  const outgoing = new OutgoingStreams({
    log, connector, streams, requests, secret: SECRET, router: router as unknown as Router,
    policy: new DomainPolicy({ trust, allow: [], block: ['evil.test'], domains: {} }),
  })
  return {
    connector, outgoing, verifier: new DialbackVerifier(connector), routed, streams,
    passes (ms) {
      clock += ms
      connector.check()
    },
  }
}

function at (port: number): Finder {
  return new Finder('system', () => ({ host: '127.0.0.1', port }))
}

function reaching ({ port }: ScriptedServer, trust?: Trust): Us {
  return us(at(port), trust)
}

function hello (id: string): Stanza {
  return message('chat', { from: Jid.parse('a@us.test'), to: Jid.parse('b@them.test'), id })
}

const WITH_CERTIFICATE: readonly Step[] = [
  ...TO_TLS, ['<stream:stream ', features(EXTERNAL, DIALBACK)], ['</auth>', SUCCESS],
]
const KEY = dialbackKey(SECRET, 'them.test', 'us.test', 'ID')

describe('a stream to another server', () => {
  test('is proven by the certificates of both', async () => {
    const them = await peer([...WITH_CERTIFICATE, ['<stream:stream ', features()]])

    const link = await reaching(them).outgoing.open('us.test', 'them.test')
    link.send(hello('1'))

    expect(link).toMatchObject({ provenBy: 'certificate', tls: 'TLSv1.3', isOpen: true })
    expect(them.shown).toEqual(['DNS:us.test'])
    await expect.poll(() => them.heard[0]).toMatch(/<message.* id='1'/)
    expect(them.heard[0]).toContain(`mechanism='EXTERNAL'>${Buffer.from('us.test').toString('base64')}</auth>`)
  })

  test('names the domains of both ends each time', async () => {
    const them = await peer([...WITH_CERTIFICATE, ['<stream:stream ', features()]])

    await reaching(them).outgoing.open('us.test', 'them.test')

    const headers = them.heard[0]?.match(/<stream:stream [^>]*>/g)
    expect(headers).toHaveLength(3)
    for (const header of headers ?? []) expect(header).toMatch(/xmlns='jabber:server'.* from='us.test' to='them.test'/)
  })

  test('is found by direct TLS', async () => {
    const them = await peer([...WITH_CERTIFICATE.slice(2), ['<stream:stream ', features()]], { isDirectTls: true })
    await using dns = await DnsServer.start({
      '_xmpps-server._tcp.them.test': { srv: [{ port: them.port, target: 'host.test' }] },
      'host.test': { a: ['127.0.0.1'] },
    })

    const link = await us(new Finder(dns, () => undefined)).outgoing.open('us.test', 'them.test')

    expect(link.provenBy).toBe('certificate')
  })

  test('is opened to another host where one does not work', async () => {
    const broken = await peer([['<stream:stream ', HEADER + streamError('system-shutdown')]])
    const them = await peer([...WITH_CERTIFICATE, ['<stream:stream ', features()]])
    await using dns = await DnsServer.start({
      '_xmpp-server._tcp.them.test': {
        srv: [{ priority: 1, port: broken.port, target: 'host.test' }, { priority: 2, port: them.port, target: 'host.test' }],
      },
      'host.test': { a: ['127.0.0.1'] },
    })

    const link = await us(new Finder(dns, () => undefined)).outgoing.open('us.test', 'them.test')

    expect(link.isOpen).toBe(true)
    expect(broken.heard).toHaveLength(1)
  })

  test('is one for all who ask for it at the same time, and later', async () => {
    const them = await peer([...WITH_CERTIFICATE, ['<stream:stream ', features()]])
    const { outgoing } = reaching(them)

    const links = await Promise.all([outgoing.open('us.test', 'them.test'), outgoing.open('us.test', 'them.test')])
    const later = await outgoing.open('us.test', 'them.test')

    expect(new Set([...links, later]).size).toBe(1)
    expect(them.heard).toHaveLength(1)
  })

  test('ends when it is needed again and nothing comes on it', async () => {
    const them = await peer([...WITH_CERTIFICATE, ['<stream:stream ', features(SM)], ['<enable ', ENABLED]])
    const { outgoing, passes } = reaching(them)

    const link = await outgoing.open('us.test', 'them.test')
    passes(11_000)
    const wasOpen = link.isOpen
    await outgoing.open('us.test', 'them.test')
    await expect.poll(() => them.heard[0]).toContain('<r ')
    passes(11_000)

    expect([wasOpen, link.isOpen]).toEqual([true, false])
    await expect.poll(() => them.heard[0]).toContain('<connection-timeout ')
  })

  test('is known while it is open', async () => {
    const script: readonly Step[] = [
      ...WITH_CERTIFICATE, ['<stream:stream ', features()], ['</stream:stream>', '</stream:stream>'],
    ]
    const { outgoing, streams } = reaching(await peer(script))

    const link = await outgoing.open('us.test', 'them.test')
    const known = [...streams]
    const lost = new Promise(resolve => { link.whenLost(resolve) })
    link.close()
    await lost

    expect(known).toMatchObject([{ local: 'us.test', remote: 'them.test', provenBy: 'certificate', direction: 'out' }])
    expect([...streams]).toEqual([])
  })
})

describe('dialback', () => {
  test('proves this server where the other does not ask for its certificate', async () => {
    const them = await peer([...TO_TLS, ['<stream:stream ', features(DIALBACK)], ['</db:result>', VALID]])

    const link = await reaching(them).outgoing.open('us.test', 'them.test')

    expect(link).toMatchObject({ provenBy: 'certificate', isOpen: true })
    expect(them.heard[0]).toContain(`<db:result from='us.test' to='them.test'>${KEY}</db:result>`)
  })

  test('follows where the certificate of this server is not accepted', async () => {
    const script: readonly Step[] = [
      ...TO_TLS, ['<stream:stream ', features(EXTERNAL, DIALBACK)], ['</auth>', FAILURE], ['</db:result>', VALID],
    ]

    const link = await reaching(await peer(script)).outgoing.open('us.test', 'them.test')

    expect(link.isOpen).toBe(true)
  })

  test('is not tried where a server that does not accept the certificate has none', async () => {
    const them = await peer([...TO_TLS, ['<stream:stream ', features(EXTERNAL)], ['</auth>', FAILURE]])

    const opening = reaching(them).outgoing.open('us.test', 'them.test')

    await expect(opening).rejects.toMatchObject({ kind: 'refused', message: expect.stringContaining('certificate') })
    expect(them.heard[0]).not.toContain('<db:result')
  })

  test('suffices for a server without a valid certificate, where the configuration says so', async () => {
    const script: readonly Step[] = [...TO_TLS, ['<stream:stream ', features(DIALBACK)], ['</db:result>', VALID]]
    const them = await peer(script, { pair: selfSigned({ hosts: ['them.test'] }) })

    const link = await reaching(them, 'dialback').outgoing.open('us.test', 'them.test')

    expect(link.provenBy).toBe('dialback')
  })

  test.each([
    ["<db:result from='them.test' to='us.test' type='invalid'/>", 'refused', 'it does not accept the dialback key'],
    [dialbackError('item-not-found'), 'refused', 'it answers dialback: item-not-found'],
    [dialbackError('remote-connection-failed'), 'unreachable', 'it answers dialback: remote-connection-failed'],
    [dialbackError('made-up'), 'unreachable', 'it answers dialback with an error'],
    ["<db:result from='evil.test' to='us.test' type='valid'/>", 'unreachable', 'this server ended the stream'],
  ])('fails by the answer %s', async (answer, kind, text) => {
    const them = await peer([...TO_TLS, ['<stream:stream ', features(DIALBACK)], ['</db:result>', answer]])

    const opening = reaching(them).outgoing.open('us.test', 'them.test')

    await expect(opening).rejects.toMatchObject({ kind, message: expect.stringContaining(text) })
  })
})

function dialbackError (condition: string): string {
  return `<db:result from='them.test' to='us.test' type='error'><error type='cancel'><${condition} ` +
    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>"
}

describe('no stream is opened', () => {
  const hour = 3600_000
  test.each([
    ['has expired', authority.issue({ hosts: ['them.test'], to: new Date(Date.now() - hour) })],
    ['is self-signed', selfSigned({ hosts: ['them.test'] })],
    ['is of an unknown authority', new Authority().issue({ hosts: ['them.test'] })],
    ['is for other.test, not for them.test', authority.issue({ hosts: ['other.test'] })],
  ])('to a server whose certificate %s, and it is told why', async (problem, pair) => {
    const them = await peer([...TO_TLS, ['<stream:stream ', features(EXTERNAL, DIALBACK)]], { pair })

    const opening = reaching(them).outgoing.open('us.test', 'them.test')

    await expect(opening).rejects.toMatchObject({ kind: 'refused', message: expect.stringContaining(problem) })
    await expect.poll(() => them.heard[0]).toMatch(/<stream:error><not-authorized /)
    expect(them.heard[0]).not.toContain('<auth')
  })

  test.each([
    ['STARTTLS is not offered', [['<stream:stream ', features()]]],
    ['it does not speak XMPP 1.0', [['<stream:stream ', HEADER.replace(" version='1.0'", '')]]],
    ['the other server ended the stream: host-unknown', [['<stream:stream ', HEADER + streamError('host-unknown')]]],
  ] satisfies [string, Step[]][])('by a server that refuses: %s', async (text, script) => {
    const opening = reaching(await peer(script)).outgoing.open('us.test', 'them.test')

    await expect(opening).rejects.toMatchObject({ kind: 'refused', message: text })
  })

  test.each([
    ['the other server ended the stream: system-shutdown', [['<stream:stream ', HEADER + streamError('system-shutdown')]]],
    ['TLS failed', [['<stream:stream ', features(STARTTLS)], ['<starttls ', `${PROCEED} `]]],
    ['STARTTLS failed', [['<stream:stream ', features(STARTTLS)], ['<starttls ', `${PROCEED}<message/>`]]],
  ] satisfies [string, Step[]][])('by a server that fails for now: %s', async (text, script) => {
    const opening = reaching(await peer(script)).outgoing.open('us.test', 'them.test')

    await expect(opening).rejects.toMatchObject({ kind: 'unreachable', message: expect.stringContaining(text) })
  })

  test('to a domain that does not exist', async () => {
    await using dns = await DnsServer.start()

    const opening = us(new Finder(dns, () => undefined)).outgoing.open('us.test', 'them.test')

    await expect(opening).rejects.toMatchObject({ kind: 'not-found' })
  })

  test('by a server that says nothing, when this one stops', async () => {
    const them = await peer([])
    const { outgoing, connector } = reaching(them)

    const opening = outgoing.open('us.test', 'them.test')
    const failed = expect(opening).rejects.toMatchObject({ kind: 'unreachable', message: 'this server is stopping' })
    await expect.poll(() => them.heard[0]).toContain('<stream:stream ')
    connector.close(new StreamError('system-shutdown'))

    await failed
    await expect.poll(() => connector.streams.size).toBe(0)
  })

  test('by a server that says nothing, when it is late', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const them = await peer([])

    const opening = reaching(them).outgoing.open('us.test', 'them.test')
    const failed = expect(opening).rejects.toMatchObject({ kind: 'unreachable', message: 'it took too long' })
    await expect.poll(() => them.heard[0]).toContain('<stream:stream ')
    vi.runAllTimers()

    await failed
    vi.useRealTimers()
  })

  test('after this server has stopped', async () => {
    const { outgoing, connector } = us(at(1))

    connector.close(new StreamError('system-shutdown'))

    await expect(outgoing.open('us.test', 'them.test')).rejects.toThrow('this server is stopping')
  })

  test('to a domain that the configuration blocks', async () => {
    await expect(us(at(1)).outgoing.open('us.test', 'evil.test')).rejects.toMatchObject({ kind: 'refused' })
  })
})

describe('what was sent is confirmed', () => {
  test('by stream management', async () => {
    const script: readonly Step[] = [
      ...WITH_CERTIFICATE, ['<stream:stream ', features(SM)], ['<enable ', ENABLED], ['<r ', "<a xmlns='urn:xmpp:sm:3' h='2'/>"],
    ]
    const them = await peer(script)
    const link = await reaching(them).outgoing.open('us.test', 'them.test')

    link.send(hello('1'))
    link.send(hello('2'))
    await link.confirm()

    expect(them.heard[0]).toMatch(/id='1'.*id='2'.*<r /s)
    expect(them.heard[0]).not.toContain('resume')
  })

  test('by the answer to a ping behind it, on the same stream', async () => {
    const them = await peer([...TO_TLS, ['<stream:stream ', features(EXTERNAL, BIDI)], ['</auth>', SUCCESS],
      ['<stream:stream ', features()]])
    const link = await reaching(them).outgoing.open('us.test', 'them.test')

    link.send(hello('1'))
    const confirmed = link.confirm()
    await expect.poll(() => them.heard[0]).toMatch(/id='1'.*<ping/s)
    const id = /<iq[^>]* id='([^']*)'/.exec(them.heard[0] ?? '')?.[1]
    them.say(`<iq type='result' id='${id}' from='them.test' to='us.test'/>`)

    await expect(confirmed).resolves.toBeUndefined()
  })

  test('not when the stream breaks', async () => {
    const script: readonly Step[] = [...WITH_CERTIFICATE, ['<stream:stream ', features(SM)], ['<enable ', ENABLED]]
    const them = await peer(script)
    const link = await reaching(them).outgoing.open('us.test', 'them.test')
    link.send(hello('1'))

    const confirmed = link.confirm()
    them.cut()

    await expect(confirmed).rejects.toMatchObject({ kind: 'unreachable' })
    expect(link.isOpen).toBe(false)
  })
})

describe('a stream for both directions', () => {
  const script: readonly Step[] = [
    ...TO_TLS, ['<stream:stream ', features(EXTERNAL, BIDI)], ['</auth>', SUCCESS], ['<stream:stream ', features()],
  ]

  test('is asked for before the proof, and brings stanzas of the pair', async () => {
    const them = await peer(script)
    const { outgoing, routed } = reaching(them)

    await outgoing.open('us.test', 'them.test')
    them.say("<message from='b@them.test/x' to='a@us.test' id='in'/>")

    await expect.poll(() => routed.map(({ id }) => id)).toEqual(['in'])
    expect(them.heard[0]).toMatch(/<bidi xmlns='urn:xmpp:bidi'\/><auth /)
  })

  test('brings no stanzas of others', async () => {
    const them = await peer(script)
    const { outgoing, routed } = reaching(them)

    const link = await outgoing.open('us.test', 'them.test')
    them.say("<message from='b@evil.test/x' to='a@us.test' id='in'/>")

    await expect.poll(() => them.heard[0]).toContain('<invalid-from ')
    expect([routed, link.isOpen]).toEqual([[], false])
  })

  test('is not one that was not asked for', async () => {
    const them = await peer([...WITH_CERTIFICATE, ['<stream:stream ', features()]])
    const { outgoing, routed } = reaching(them)

    await outgoing.open('us.test', 'them.test')
    them.say("<message from='b@them.test/x' to='a@us.test' id='in'/>")

    await expect.poll(() => them.heard[0]).toContain('<not-authorized ')
    expect(routed).toEqual([])
  })
})

describe('a key of dialback', () => {
  test.each([['valid', true], ['invalid', false]])('that its domain calls %s', async (type, isValid) => {
    const answer = `<db:verify from='them.test' to='us.test' id='7' type='${type}'/>`
    const them = await peer([...TO_TLS, ['<stream:stream ', features()], ['</db:verify>', answer]])

    const verified = await reaching(them).verifier.verify('them.test', 'us.test', '7', 'abc')

    expect(verified).toBe(isValid)
    expect(them.heard[0]).toContain("<db:verify from='us.test' to='them.test' id='7'>abc</db:verify>")
  })

  test.each([
    "<db:verify from='them.test' to='us.test' id='8' type='valid'/>",
    "<db:verify from='evil.test' to='us.test' id='7' type='valid'/>",
    "<db:result from='them.test' to='us.test' type='valid'/>",
  ])('is not vouched for by an answer to something else: %s', async answer => {
    const them = await peer([...TO_TLS, ['<stream:stream ', features()], ['</db:verify>', answer]])

    await expect(reaching(them).verifier.verify('them.test', 'us.test', '7', 'abc')).rejects.toThrow()
  })
})
