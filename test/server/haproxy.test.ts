/** deploy/haproxy.cfg with Debian's HAProxy: clients come in by every port, as who they are, and never in vain. */
import { on, once } from 'node:events'
import { get } from 'node:https'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { auth, ELSEWHERE, PASSWORD, Peer, type Address } from '../hostile/peer.ts'
import { startHaproxy, whyNoHaproxy, type Front } from './haproxy.ts'
import { Installation, type RunningServer } from './installation.ts'

const OPEN = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>"
const BIND = "<iq type='set' id='1' xmlns='jabber:client'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"

const missing = whyNoHaproxy()
if (missing !== undefined) console.warn(`HAProxy is not tested: ${missing}`)

describe.skipIf(missing !== undefined)('HAProxy', () => {
  let home: Installation
  let server: RunningServer
  let peers: Peer[] = []

  beforeAll(async () => {
    home = await Installation.make()
    const at = (port: number): object => ({ 'at': `127.0.0.1:${port}`, 'proxy-protocol': true })
    home.configure({ listen: { 'client': at(home.port), 'client-tls': at(home.tlsPort), 'http': at(home.httpPort) } })
    server = await home.start()
    await home.run(`user add romeo@localhost --password ${PASSWORD}`)
  }, 60_000)
  afterEach(() => { for (const peer of peers.splice(0)) peer.destroy() })
  afterAll(() => home.remove())

  async function open (address: Address): Promise<Peer> {
    const peer = await Peer.open(address)
    peers.push(peer)
    return peer
  }

  async function start (change?: (text: string) => string): Promise<Front> {
    const front = await startHaproxy([home], change)
    onTestFinished(() => front.end())
    return front
  }

  test.each([
    'send-proxy', 'send-proxy-v2',
  ])('passes on STARTTLS and TLS by %s, each client as who it is', async version => {
    const front = await start(text => text.replaceAll('send-proxy-v2', version))

    const clear = await open({ port: front.port })
    await clear.startTls()
    await clear.open()
    for (const peer of [clear, await open({ port: front.tlsPort, isTls: true })]) {
      await peer.authenticate('romeo')
      await peer.bind('')
      expect(await server.logged('session.bound')).toMatchObject({ address: ELSEWHERE })
    }
  }, 60_000)

  test('lets nobody in vain come to nodes that are gone and not missed yet', async () => {
    const front = await start()

    for (let count = 0; count < 4; count++) await expect(open({ port: front.port })).resolves.toBeDefined()
  }, 60_000)

  test('ends the TLS of a WebSocket, whose client then may log in, as who it is', async () => {
    const front = await start()
    const webSocket = new WebSocket(`wss://127.0.0.1:${front.httpsPort}/ws`, 'xmpp', {
      rejectUnauthorized: false, localAddress: '127.0.0.77',
    })
    onTestFinished(() => { webSocket.terminate() })
    const messages: AsyncIterator<readonly unknown[]> = on(webSocket, 'message')
    const next = async (): Promise<string> => String((await messages.next()).value[0])
    const ask = async (element: string): Promise<string> => {
      webSocket.send(element)
      return await next()
    }
    await once(webSocket, 'open')

    expect(await ask(OPEN)).toMatch(/^<open /)
    expect(await next()).toContain('<mechanism>PLAIN</mechanism>')
    expect(await ask(auth('PLAIN', `\0romeo\0${PASSWORD}`))).toMatch(/^<success /)
    expect(await ask(OPEN)).toMatch(/^<open /)
    await next()
    expect(await ask(BIND)).toContain('romeo@localhost/')
    expect(await server.logged('session.bound')).toMatchObject({ address: '127.0.0.77' })
  }, 60_000)

  test.each(['/readyz', '/healthz', '/'])('shows nobody outside what is at %s', async path => {
    const front = await start()

    expect(await statusOf(front, path)).toBe(404)
    expect(await statusOf(front, '/.well-known/host-meta')).toBe(200)
  }, 60_000)
})

/** By hand: what `fetch` takes for a certificate can not be told to it. */
function statusOf ({ httpsPort }: Front, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get({ port: httpsPort, path, rejectUnauthorized: false }, response => {
      response.resume()
      resolve(response.statusCode)
    }).on('error', reject)
  })
}
