/** The server's start and end as whoever runs it sees them: signals, a second start, ports that are taken. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { Peer } from '../hostile/peer.ts'
import { formatXml } from '../../conformance/runner/xml.ts'
import { Installation, OPEN } from './installation.ts'

const OPEN_ELEMENT = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='localhost' version='1.0'/>"

const SQUARE = 'square@conference.localhost'

let home: Installation

beforeAll(async () => { home = await Installation.make(OPEN) })
afterEach(() => home.end())
afterAll(() => home.remove())

test('SIGTERM ends every stream with <system-shutdown/>, the database last, and the next start is quick', async () => {
  const server = await home.start()
  const romeo = await Peer.logIn(home.direct, 'romeo/orchard')
  const juliet = await logInByStartTls(home.port, 'juliet', 'balcony')
  const stranger = await Peer.open({ port: home.port })
  const webSocket = await openWebSocket(home.httpPort)

  server.kill('SIGTERM')

  expect(await Promise.all([romeo, juliet, stranger].map(peer => peer.streamError())))
    .toEqual(['system-shutdown', 'system-shutdown', 'system-shutdown'])
  expect(await webSocket.ended).toMatch(/<system-shutdown [^]*<close [^>]*\/>$/) // RFC 7395 §3.6.1
  expect(await server.ended()).toBe(0)
  expect(home.databaseProcesses()).toEqual([])

  const since = performance.now()
  await home.start()
  await Peer.logIn(home.direct, 'romeo/orchard', false)
  console.log(`second start to first login: ${Math.round(performance.now() - since)} ms`)
}, 60_000)

test(
  'who is in a room hears with status 332 that the server ends, before the stream does (XEP-0045 §11.2, §16.6.2)',
  async () => {
    const server = await home.start()
    const [balthasar, abram] = [
      await Peer.logIn(home.direct, 'balthasar/street'),
      await Peer.logIn(home.direct, 'abram/street'),
    ]
    await balthasar.send(`<presence to='${SQUARE}/balthasar'><x xmlns='http://jabber.org/protocol/muc'/></presence>`)
    await expectHeard(balthasar, 'subject')
    await balthasar.send(
      `<iq type='set' id='instant' to='${SQUARE}'><query xmlns='http://jabber.org/protocol/muc#owner'>` +
    "<x xmlns='jabber:x:data' type='submit'/></query></iq>")
    await expectHeard(balthasar, "id='instant'")
    await abram.send(`<presence to='${SQUARE}/abram'><x xmlns='http://jabber.org/protocol/muc'/></presence>`)
    await expectHeard(abram, 'subject')

    server.kill('SIGTERM')

    expect(await expectHeard(balthasar, "type='unavailable'")).toMatch(
      /from='square@conference\.localhost\/balthasar'[^]*<status code='332'\/>/,
    )
    expect(await expectHeard(abram, "type='unavailable'")).toMatch(
      /from='square@conference\.localhost\/abram'[^]*<status code='332'\/>/,
    )
    expect(await Promise.all([balthasar, abram].map(peer => peer.streamError()))).toEqual([
      'system-shutdown',
      'system-shutdown',
    ])
    expect(await server.ended()).toBe(0)
  }, 60_000)

test('a client that takes no leave does not keep the server from ending', async () => {
  const server = await home.start()
  const mercutio = await Peer.logIn(home.direct, 'mercutio/street')
  mercutio.stopReading()

  server.kill('SIGTERM')

  expect(await server.ended()).toBe(0)
  expect(home.databaseProcesses()).toEqual([])
}, 60_000)

test.each(['SIGINT', 'SIGTERM'] as const)(
  'a %s that comes twice, as it does from a terminal by npm, is one',
  async signal => {
    const server = await home.start()
    const clients = await Promise.all(
      Array.from({ length: 20 }, (_, n) => Peer.logIn(home.direct, `client${n}/${signal}`, signal === 'SIGINT')),
    )

    server.kill(signal)
    await delay(20)
    server.kill(signal)
    await server.logged('server.stopping')
    server.kill(signal)

    expect(await Promise.all(clients.map(client => client.streamError()))).toEqual(clients.map(() => 'system-shutdown'))
    expect(await server.ended()).toBe(0)
  }, 60_000)

test('a SIGINT some seconds after the first ends the server at once, and its database with it', async () => {
  const server = await home.start()
  const benvolio = await Peer.logIn(home.direct, 'benvolio/street')
  benvolio.stopReading() // so that the first has to wait

  server.kill('SIGINT')
  await delay(2_500)
  server.kill('SIGINT')

  expect(await server.ended()).toBe(1)
  await home.databaseEnded()
  await home.start()
  await Peer.logIn(home.direct, 'benvolio/street', false)
}, 60_000)

test('a second start in the same data folder is refused with the process that runs there, which goes on', async () => {
  const server = await home.start()
  const tybalt = await Peer.logIn(home.direct, 'tybalt/street')

  const { code, out } = await home.run('serve')

  expect(code).toBe(1)
  expect(messages(out)).toEqual([`${home.data} is in use by another Heliograph, process ${server.pid}`])
  await tybalt.expectPong()
}, 60_000)

test('a port in use is said with its key, and nothing is left behind', async () => {
  const other = createServer().listen(home.tlsPort, '127.0.0.1')
  await once(other, 'listening')

  const { code, out } = await home.run('serve')

  other.close()
  expect(code).toBe(1)
  expect(messages(out).at(-1)).toContain(`listen.client-tls: 127.0.0.1:${home.tlsPort} is already in use`)
  expect(home.databaseProcesses()).toEqual([])
}, 60_000)

/** What comes up to a stanza with that in it, which is given. */
async function expectHeard (peer: Peer, part: string): Promise<string> {
  for (;;) {
    const heard = formatXml(await peer.next())
    if (heard.includes(part)) return heard
  }
}

async function logInByStartTls (port: number, local: string, resource: string): Promise<Peer> {
  const peer = await Peer.open({ port })
  await peer.startTls()
  await peer.open()
  await peer.register(local)
  await peer.authenticate(local)
  await peer.bind(resource)
  return peer
}

/** With an open stream; `ended` resolves with all that came until it was closed. */
async function openWebSocket (port: number): Promise<{ readonly ended: Promise<string> }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, 'xmpp')
  let heard = ''
  socket.on('message', (data: Buffer) => { heard += data.toString() })
  await once(socket, 'open')
  socket.send(OPEN_ELEMENT)
  while (!heard.includes('features>')) await once(socket, 'message')
  return { ended: once(socket, 'close').then(() => heard) }
}

function messages (log: string): readonly unknown[] {
  return log.trim().split('\n').map(line => (JSON.parse(line) as { msg: unknown }).msg)
}
