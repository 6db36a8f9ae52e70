import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectTcp, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { openLog } from '../log.ts'
import { AddressLimit } from './addresses.ts'
import { Certificates } from './certificates.ts'
import { listen } from './listener.ts'
import type { ListenOptions } from './listener.ts'
import { makeSelfSigned } from './self-signed.ts'
import type { CertificatePair } from './self-signed.ts'
import type { TcpTransport } from './tcp.ts'
import { endPointHash, TlsServer } from './tls.ts'
import { WriteBarrier } from './write-barrier.ts'

let data: string
let certificates: Certificates
let org: CertificatePair
let net: CertificatePair
const cleanup: (() => void)[] = []
const log = await openLog({ level: 'silent' })

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  data = await mkdtemp(join(tmpdir(), 'tls-'))
  org = await writePair('org', 'example.org')
  net = await writePair('net', 'example.net')
  certificates = await Certificates.load({
    hosts: ['example.org', 'example.net'], data, log, files: filesOf('org'), filesOf: { 'example.net': filesOf('net') },
  })
})

afterEach(() => { for (const undo of cleanup.splice(0)) undo() })

afterAll(async () => {
  vi.useRealTimers()
  certificates.close()
  await rm(data, { recursive: true })
})

function filesOf (name: string): { certificate: string, key: string } {
  return { certificate: join(data, `${name}.pem`), key: join(data, `${name}.key`) }
}

async function writePair (name: string, host: string): Promise<CertificatePair> {
  const pair = makeSelfSigned([host])
  await writeFile(filesOf(name).certificate, pair.certificate)
  await writeFile(filesOf(name).key, pair.key)
  return pair
}

interface Port {
  readonly port: number
  /** In the order of their connections; the stream's part is played by the test. */
  readonly accepted: readonly TcpTransport[]
}

type Accept = (transport: TcpTransport) => void

async function serve (options: Partial<ListenOptions>, accept: Accept = () => {}): Promise<Port> {
  const accepted: TcpTransport[] = []
  const listener = await listen(
    ['127.0.0.1:0'],
    { key: 'listen.client', log, barrier: new WriteBarrier(log), ...options },
    transport => {
      accepted.push(transport)
      accept(transport)
    })
  cleanup.push(() => listener.close())
  return { port: listener.addresses[0]?.port ?? 0, accepted }
}

function serveDirect (options: Partial<ListenOptions> = {}, accept?: Accept): Promise<Port> {
  return serve({ tls: new TlsServer(certificates, { alpn: 'xmpp-client' }), directTlsFor: 'example.org', ...options }, accept)
}

function dial (port: number, options: ConnectionOptions = {}): TLSSocket {
  const socket = connectTls({
    port, host: '127.0.0.1', servername: 'example.org', ca: [org.certificate, net.certificate], ...options,
  })
  cleanup.push(() => socket.destroy())
  return socket
}

async function secured (socket: TLSSocket): Promise<TLSSocket> {
  await once(socket, 'secureConnect')
  return socket
}

describe('STARTTLS', () => {
  function upgradeWhenAsked (transport: TcpTransport): void {
    transport.onData = () => {
      transport.onData = chunk => transport.write(chunk)
      transport.write('<proceed/>')
      transport.startTls('example.net').catch(() => {})
    }
  }

  test('the same connection goes on under TLS, with the certificate of the host that the stream was for', async () => {
    const { port, accepted } = await serve({ tls: new TlsServer(certificates) }, upgradeWhenAsked)
    const plain = connectTcp(port, '127.0.0.1')
    plain.write('<starttls/>')
    const [proceed] = await once(plain, 'data') as [Buffer]

    const socket = connectTls({ socket: plain, ca: net.certificate, checkServerIdentity: () => undefined })
    socket.on('error', () => {})
    await secured(socket)
    socket.write('in secret')
    const [echo] = await once(socket, 'data') as [Buffer]
    socket.end()

    expect(proceed.toString()).toBe('<proceed/>')
    expect(echo.toString()).toBe('in secret')
    expect(socket.getPeerX509Certificate()?.checkHost('example.net')).toBe('example.net')
    expect(accepted[0]?.secure).toMatchObject({ protocol: 'TLSv1.3', sni: undefined })
  })

  test('a handshake that fails rejects and closes the connection with the reason', async () => {
    const failed = Promise.withResolvers<unknown>()
    const closed = Promise.withResolvers<Error | undefined>()
    const { port } = await serve({ tls: new TlsServer(certificates) }, transport => {
      transport.onClose = closed.resolve
      transport.startTls('example.org').catch(failed.resolve)
    })
    const plain = connectTcp(port, '127.0.0.1')
    cleanup.push(() => plain.destroy())

    plain.write('<stream:stream>not a hello')

    expect(await failed.promise).toMatchObject({ code: expect.stringContaining('SSL') })
    expect(await closed.promise).toBe(await failed.promise)
  })

  test('a handshake that never comes ends the connection', async () => {
    const failed = Promise.withResolvers<unknown>()
    const { port } = await serve({ tls: new TlsServer(certificates) }, transport => {
      transport.startTls('example.org').catch(failed.resolve)
    })
    const plain = connectTcp(port, '127.0.0.1')
    await once(plain, 'connect')

    const ended = once(plain, 'close')
    await vi.waitFor(() => { vi.advanceTimersByTime(60_000); expect(plain.readableEnded).toBe(true) })
    plain.destroy()
    await ended

    expect(await failed.promise).toMatchObject({ message: 'the TLS handshake took too long' })
  })

  test('TLS does not start twice', async () => {
    const { port, accepted } = await serveDirect()
    await secured(dial(port))
    await vi.waitFor(() => expect(accepted).toHaveLength(1))

    await expect(accepted[0]?.startTls('example.org')).rejects.toThrow('can not start')
  })
})

describe('the certificate', () => {
  test.each([
    ['example.org', 'example.org'], ['example.net', 'example.net'], ['EXAMPLE.net', 'example.net'],
    ['unknown.example', 'example.org'],
  ])('a client that names %s by SNI is shown the one of %s', async (servername, expected) => {
    const { port, accepted } = await serveDirect()

    const socket = await secured(dial(port, { servername, checkServerIdentity: () => undefined }))
    await vi.waitFor(() => expect(accepted).toHaveLength(1))

    expect(socket.getPeerX509Certificate()?.checkHost(expected)).toBe(expected)
    expect(accepted[0]?.secure?.sni).toBe(servername)
  })

  test('a renewed one is shown to new connections, and old connections go on', async () => {
    const { port } = await serveDirect({}, transport => { transport.onData = chunk => transport.write(chunk) })
    const old = await secured(dial(port))
    const first = old.getPeerX509Certificate()?.fingerprint256

    org = await writePair('org', 'example.org')
    await certificates.reload()
    const renewed = await secured(dial(port))
    old.write('still here')

    expect(String(await once(old, 'data'))).toBe('still here')
    expect(renewed.getPeerX509Certificate()?.fingerprint256).not.toBe(first)
  })
})

// XEP-0368 §3
describe('ALPN on a port with direct TLS', () => {
  test.each([
    [['xmpp-client'], 'xmpp-client'], [['h2', 'xmpp-client'], 'xmpp-client'], [[], false],
  ])('a client that offers %j is served', async (ALPNProtocols, expected) => {
    const { port, accepted } = await serveDirect()

    const socket = await secured(dial(port, { ALPNProtocols }))

    expect(socket.alpnProtocol).toBe(expected)
    await vi.waitFor(() => expect(accepted).toHaveLength(1))
  })

  test('a client that offers only other protocols is refused', async () => {
    const { port, accepted } = await serveDirect()

    const socket = dial(port, { ALPNProtocols: ['h2', 'xmpp-server'] })

    await expect(secured(socket)).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' })
    expect(accepted).toEqual([])
  })
})

describe('channel bindings', () => {
  test('both sides export the same key on TLS 1.3', async () => {
    const { port, accepted } = await serveDirect()

    const socket = await secured(dial(port))
    await vi.waitFor(() => expect(accepted).toHaveLength(1))

    const exported = accepted[0]?.secure?.exporter()
    expect(exported).toHaveLength(32)
    expect(exported).toEqual(socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)))
  })

  test('no key is exported on TLS 1.2', async () => {
    const { port, accepted } = await serveDirect()

    await secured(dial(port, { maxVersion: 'TLSv1.2' }))
    await vi.waitFor(() => expect(accepted).toHaveLength(1))

    expect(accepted[0]?.secure?.protocol).toBe('TLSv1.2')
    expect(accepted[0]?.secure?.exporter()).toBeUndefined()
  })

  test.each(['example.org', 'example.net'])('the end point is the hash of the certificate of %s', async servername => {
    const { port, accepted } = await serveDirect()

    const socket = await secured(dial(port, { servername }))
    await vi.waitFor(() => expect(accepted).toHaveLength(1))

    const raw = socket.getPeerX509Certificate()?.raw ?? ''
    expect(accepted[0]?.secure?.serverEndPoint()).toEqual(createHash('sha256').update(raw).digest())
  })

  test('a connection that has ended has none', async () => {
    const { port, accepted } = await serveDirect()
    await secured(dial(port))
    await vi.waitFor(() => expect(accepted).toHaveLength(1))
    const ended = new Promise(resolve => { if (accepted[0]) accepted[0].onClose = resolve })

    accepted[0]?.destroy()
    await ended

    expect([accepted[0]?.secure?.exporter(), accepted[0]?.secure?.serverEndPoint()]).toEqual([undefined, undefined])
  })

  // RFC 5929 §4.1
  test.each([
    ['md5WithRSAEncryption', 'sha256'], ['sha1WithRSAEncryption', 'sha256'], ['ecdsa-with-SHA1', 'sha256'],
    ['sha256WithRSAEncryption', 'sha256'], ['ecdsa-with-SHA384', 'sha384'], ['sha512WithRSAEncryption', 'sha512'],
    ['ED25519', undefined], ['rsassaPss', undefined], [undefined, undefined],
  ])('a certificate signed by %s has the end point hash %s', (algorithm, hash) => {
    expect(endPointHash(algorithm)).toBe(hash)
  })
})

describe('what TLS must bear', () => {
  test('TLS 1.1 is refused', async () => {
    const { port } = await serveDirect()

    const socket = dial(port, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })

    await expect(secured(socket)).rejects.toMatchObject({ code: expect.stringContaining('PROTOCOL_VERSION') })
  })

  test('a session is resumed', async () => {
    const { port } = await serveDirect({}, transport => transport.write('welcome'))
    const first = dial(port)
    const [session] = await once(first, 'session') as [Buffer]

    const second = await secured(dial(port, { session }))

    expect([first.isSessionReused(), second.isSessionReused()]).toEqual([false, true])
  })

  test('a peer that ends its side with its last words is answered', async () => {
    const { port } = await serveDirect({}, transport => {
      transport.onData = chunk => transport.write(`heard ${chunk.toString()}`)
    })
    const socket = await secured(dial(port))
    let answer = ''
    socket.on('data', chunk => { answer += chunk.toString() })

    socket.cork()
    socket.end('goodbye')
    await closed(socket)

    expect(answer).toBe('heard goodbye')
  })

  test('what a client sends together with the end of its handshake is not lost', async () => {
    const heard = Promise.withResolvers<string>()
    const { port } = await serveDirect({}, transport => { transport.onData = chunk => heard.resolve(chunk.toString()) })
    const server = connectTcp(port, '127.0.0.1')
    const held: Buffer[] = []
    const relay = createServer(client => {
      server.pipe(client)
      client.once('data', hello => { server.write(hello); client.on('data', chunk => held.push(chunk)) })
    }).listen(0, '127.0.0.1')
    await once(relay, 'listening')
    cleanup.push(() => { relay.close(); server.destroy() })
    const socket = await secured(dial((relay.address() as AddressInfo).port))

    socket.write('<stream:stream>')
    await vi.waitFor(() => expect(Buffer.concat(held).length).toBeGreaterThan(90))
    server.write(Buffer.concat(held))

    expect(await heard.promise).toBe('<stream:stream>')
  })

  test('garbage never becomes a stream, and gives its place back', async () => {
    const { port, accepted } = await serveDirect({ streams: new AddressLimit(1) })

    const torn = Buffer.from([0x16, 3, 1, 0xff, 0xff])
    for (const garbage of ['GET / HTTP/1.1\r\n\r\n', Buffer.alloc(70_000, 0x16), torn, '']) {
      const plain = connectTcp(port, '127.0.0.1')
      plain.on('error', () => {}).end(garbage).resume()
      await closed(plain)
    }
    await vi.waitFor(async () => { await secured(dial(port)) })

    await vi.waitFor(() => expect(accepted).toHaveLength(1))
  })

  test('garbage after the handshake ends the connection', async () => {
    const reason = Promise.withResolvers<Error | undefined>()
    const { port, accepted } = await serveDirect({}, transport => { transport.onClose = reason.resolve })
    const beneath = connectTcp(port, '127.0.0.1')
    const relay = createServer(client => { client.pipe(beneath).pipe(client) }).listen(0, '127.0.0.1')
    await once(relay, 'listening')
    cleanup.push(() => { relay.close(); beneath.destroy() })
    await secured(dial((relay.address() as AddressInfo).port))
    await vi.waitFor(() => expect(accepted).toHaveLength(1))

    beneath.write(Buffer.concat([Buffer.from([0x17, 3, 3, 0, 100]), Buffer.alloc(100)]))

    expect(await reason.promise).toMatchObject({ code: expect.stringContaining('SSL') })
  })
})

function closed (socket: Socket): Promise<unknown> {
  return new Promise(resolve => { socket.once('close', resolve) })
}
