/** A stream that another server opens, over real TLS: what it must prove, and what is refused. */
import { describe, expect, test } from 'vitest'
import { selfSigned } from '../../test/support/authority.ts'
import { federated } from '../../test/support/world/federated.ts'
import { world } from '../../test/support/world/world.ts'
import type { ServerWire } from '../../test/support/wire/server-wire.ts'

const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const BIDI = "<bidi xmlns='urn:xmpp:bidi'/>"
const DIALBACK = { settings: { trust: 'dialback' as const } }

/** The condition of the error that ends the stream. */
async function errorOf (wire: ServerWire): Promise<string | undefined> {
  return /<stream:error><([a-z-]+)/.exec(await wire.untilClosed())?.[1]
}

describe('the stream header', () => {
  test.each([
    ['for a domain that is not served', { to: 'elsewhere.example' }, 'host-unknown'],
    ['to no domain', { to: '' }, 'improper-addressing'],
    ['from no domain', { from: '' }, 'improper-addressing'],
    ['from an account', { from: 'romeo@remote.example' }, 'improper-addressing'],
    ['from a domain that is served here', { from: 'localhost' }, 'invalid-from'],
    ['of XMPP before 1.0', { attributes: '' }, 'unsupported-version'],
  ])('%s ends the stream', async (_, header, condition) => {
    const server = await federated(await world())
    const wire = await server.connects('remote.example')

    wire.send(wire.header(header))

    expect(await errorOf(wire)).toBe(condition)
  })

  test('of a client ends the stream', async () => {
    const server = await federated(await world())
    const wire = await server.connects('remote.example')

    wire.send(wire.header().replace('jabber:server', 'jabber:client'))

    expect(await errorOf(wire)).toBe('invalid-namespace')
  })

  test('of a blocked domain ends the stream, which is logged with its reason', async () => {
    const server = await federated(await world(), { settings: { block: ['remote.example'] } })
    const wire = await server.connects('rooms.remote.example')

    wire.send(wire.header())

    expect(await errorOf(wire)).toBe('policy-violation')
    expect(server.logged('federation.refused')).toMatchObject([{ remote: 'rooms.remote.example', local: 'localhost' }])
  })
})

describe('TLS', () => {
  test('is the only feature at first, and required', async () => {
    const server = await federated(await world())
    const wire = await server.connects('remote.example')

    const features = await wire.opens()

    expect(features).toMatch(/<stream:features><starttls [^>]*><required\/><\/starttls><\/stream:features>$/)
  })

  test.each([
    ['a stanza', "<message from='a@remote.example' to='b@localhost'/>"],
    ['a login', `<auth xmlns='${NS_SASL}' mechanism='EXTERNAL'>=</auth>`],
  ])('before it %s ends the stream', async (_, xml) => {
    const server = await federated(await world())
    const wire = await server.connects('remote.example')
    await wire.opens()

    wire.send(xml)

    expect(await errorOf(wire)).toBe('policy-violation')
  })

  test('before it dialback is refused with an error of its own, and the stream goes on', async () => {
    const server = await federated(await world(), DIALBACK)
    const wire = await server.connects('remote.example')
    await wire.opens()

    wire.send("<db:result from='remote.example' to='localhost'>key</db:result>")

    expect(await wire.expectHeard('</db:result>')).toContain("type='error'><error type='cancel'><policy-violation")
    wire.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    await wire.expectHeard('<proceed')
  })

  test('what is sent before the handshake is over is no part of the stream', async () => {
    const server = await federated(await world())
    const wire = await server.connects('remote.example')
    await wire.opens()

    wire.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><message/>")

    expect(await wire.untilClosed()).toContain('<failure ')
  })

  test('direct TLS needs no STARTTLS', async () => {
    const server = await federated(await world(), { isDirectTls: true })
    const wire = await server.connects('remote.example')
    await wire.startsTls(server.authority.issue({ hosts: ['remote.example'] }))

    expect(await wire.opens()).toContain('<mechanism>EXTERNAL</mechanism>')
  })
})

describe('a certificate', () => {
  test('that proves the domain lets it in, which is logged', async () => {
    const server = await federated(await world())
    const wire = await server.connects('remote.example')

    const features = await wire.proves(server.authority.issue({ hosts: ['remote.example'] }))

    expect(features).toContain("<sm xmlns='urn:xmpp:sm:3'/>")
    expect(features).not.toContain('<mechanisms')
    expect(server.logged('federation.proven')).toMatchObject([
      { local: 'localhost', remote: 'remote.example', by: 'certificate', tls: 'TLSv1.3', address: '127.0.0.1' },
    ])
    expect([...server.streams]).toMatchObject([{ local: 'localhost', remote: 'remote.example', direction: 'in' }])
  })

  test('counts from the stream on that begins after the login: nothing is sent before', async () => {
    const server = await federated(await world())
    const wire = await server.connects('remote.example')
    await wire.secures(server.authority.issue({ hosts: ['remote.example'] }))
    await wire.opens()

    wire.send(`${BIDI}<auth xmlns='${NS_SASL}' mechanism='EXTERNAL'>=</auth>`)
    await wire.expectHeard(`<success xmlns='${NS_SASL}'/>`)
    const before = [server.streams.link('localhost', 'remote.example'), ...server.proven]
    await wire.opens()

    expect(before).toEqual([undefined])
    expect(server.streams.link('localhost', 'remote.example')).toMatchObject({ isOpen: true })
    expect(server.proven).toEqual(['remote.example'])
  })

  test('that proves the domain says that its server can be reached again', async () => {
    const server = await federated(await world())

    const stranger = await server.connects('remote.example')
    await server.proves('other.example')

    expect(server.proven).toEqual(['other.example'])
    stranger.destroy()
  })

  test('proves one stream, which is forgotten when it is closed', async () => {
    const server = await federated(await world())
    const wire = await server.proves('remote.example')

    wire.send('</stream:stream>')
    await wire.untilClosed()

    expect([...server.streams]).toEqual([])
    await expect.poll(() => server.incoming.streams.size).toBe(0)
  })

  test.each([
    ['of another authority', () => selfSigned({ hosts: ['remote.example'] }), 'is self-signed'],
    ['for another domain', undefined, 'is for other.example, not for remote.example'],
    ['that is missing', () => ({}), 'is missing'],
  ])('%s ends the stream, and one line of the log says why', async (_, make, reason) => {
    const server = await federated(await world())
    const wire = await server.connects('remote.example')
    await wire.secures(make?.() ?? server.authority.issue({ hosts: ['other.example'] }))

    wire.send(wire.header())

    expect(await errorOf(wire)).toBe('not-authorized')
    expect(server.logged('federation.')).toMatchObject([
      { event: 'federation.refused', remote: 'remote.example', reason: `not-authorized: the certificate ${reason}` },
    ])
  })

  test.each([
    ['another mechanism', "<auth xmlns='NS' mechanism='PLAIN'>=</auth>", 'invalid-mechanism'],
    ['another identity', `<auth xmlns='NS' mechanism='EXTERNAL'>${btoa('other.example')}</auth>`, 'invalid-authzid'],
    ['no base64', "<auth xmlns='NS' mechanism='EXTERNAL'>!</auth>", 'incorrect-encoding'],
    ['an answer to no challenge', "<response xmlns='NS'>=</response>", 'malformed-request'],
  ])('a login with %s fails', async (_, xml, condition) => {
    const server = await federated(await world())
    const wire = await server.connects('remote.example')
    await wire.secures(server.authority.issue({ hosts: ['remote.example'] }))
    await wire.opens()

    wire.send(xml.replace('NS', NS_SASL))

    expect(await wire.expectHeard('</failure>')).toContain(`<failure xmlns='${NS_SASL}'><${condition}/>`)
  })

  test.each([
    ['the domain as its identity', `<auth xmlns='NS' mechanism='EXTERNAL'>${btoa('remote.example')}</auth>`],
    ['an identity after a challenge', "<auth xmlns='NS' mechanism='EXTERNAL'/><response xmlns='NS'>=</response>"],
  ])('a login with %s succeeds', async (_, xml) => {
    const server = await federated(await world())
    const wire = await server.connects('remote.example')
    await wire.secures(server.authority.issue({ hosts: ['remote.example'] }))
    await wire.opens()

    wire.send(xml.replaceAll('NS', NS_SASL))

    await wire.expectHeard(`<success xmlns='${NS_SASL}'/>`)
  })

  test('after the proof the header names the same domain', async () => {
    const server = await federated(await world())
    const wire = await server.connects('remote.example')
    await wire.secures(server.authority.issue({ hosts: ['remote.example', 'other.example'] }))
    await wire.opens()
    wire.send(`<auth xmlns='${NS_SASL}' mechanism='EXTERNAL'>=</auth>`)
    await wire.expectHeard('<success')

    wire.send(wire.header({ from: 'other.example' }))

    expect(await errorOf(wire)).toBe('invalid-from')
  })

  test('after three failures the stream ends', async () => {
    const server = await federated(await world(), DIALBACK)
    const wire = await server.connects('remote.example')
    await wire.secures()
    await wire.opens()

    wire.send(`<auth xmlns='${NS_SASL}' mechanism='EXTERNAL'>=</auth>`.repeat(3))

    expect(await errorOf(wire)).toBe('policy-violation')
  })
})

describe('deadlines and limits', () => {
  test('a stream of both directions ends when its server has opened another and says nothing on it', async () => {
    const server = await federated(await world())
    const [lost, kept] = [await server.proves('remote.example', BIDI), await server.proves('other.example', BIDI)]
    await server.proves('remote.example', BIDI)
    await server.proves('other.example', BIDI)

    kept.send("<enable xmlns='urn:xmpp:sm:3'/>")
    await kept.expectHeard('<enabled ')
    server.passes(11_000)

    expect(await errorOf(lost)).toBe('connection-timeout')
    expect([...server.streams].map(({ remote }) => remote)).toEqual(['remote.example', 'other.example', 'other.example'])
  })

  test('a server that proves nothing in time is disconnected, however busy it is', async () => {
    const server = await federated(await world(), DIALBACK)
    const wire = await server.connects('remote.example')
    await wire.secures()
    await wire.opens()

    server.passes(31_000)

    expect(await errorOf(wire)).toBe('connection-timeout')
  })

  test('a server that is nested deeply, or sends much before its proof, is disconnected', async () => {
    const server = await federated(await world())
    const [deep, large] = [await server.proves('remote.example'), await server.connects('remote.example')]

    deep.send('<message>' + '<a>'.repeat(100))
    large.send(`${large.header()}<message>${'x'.repeat(20_000)}`)

    expect(await errorOf(deep)).toBe('policy-violation')
    expect(await errorOf(large)).toBe('policy-violation')
  })

  test('a thousand streams that are half open leave nothing behind', async () => {
    const server = await federated(await world())
    const wires = await Promise.all(Array.from({ length: 1000 }, () => server.connects('remote.example')))
    for (const wire of wires) wire.send(wire.header())
    await Promise.all(wires.map(wire => wire.expectHeard('</stream:features>')))
    expect(server.incoming.streams.size).toBe(1000)

    server.passes(31_000)

    expect(await Promise.all(wires.map(errorOf))).toEqual(wires.map(() => 'connection-timeout'))
    await expect.poll(() => server.incoming.streams.size).toBe(0)
  })
})
