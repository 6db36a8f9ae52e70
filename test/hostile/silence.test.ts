/** Silence as an attack: who connects and says nothing, or half a word. RFC 6120 §4.9.3.4 gives it a name. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EVERYTHING, Innocents } from './innocents.ts'
import { auth, ELSEWHERE, header, NS_TLS, Peer } from './peer.ts'
import { peakMemory, startTarget } from './server.ts'
import type { Target } from './server.ts'

const MOST_MEGABYTES = 400

let target: Target
let innocents: Innocents

beforeAll(async () => {
  target = await startTarget({ 'login-seconds': 3 })
  innocents = await Innocents.logIn(target)
}, 60_000)

afterAll(async () => {
  expect(await innocents.talk()).toEqual(EVERYTHING)
  expect(peakMemory(target)).toBeLessThan(MOST_MEGABYTES)
  await target.stop()
})

async function connect (bytes: string): Promise<Peer> {
  const peer = await Peer.connect(target)
  void peer.send(bytes)
  return peer
}

test.concurrent.each([
  ['nothing', ''],
  ['half a tag', header().slice(0, 60)],
  ['a header', header()],
  ['half an element', `${header()}<iq type='get' id='1'><query`],
  ['half a login', header() + auth('SCRAM-SHA-1', 'n,,n=mallory,r=x')],
  ['white space', header() + ' '.repeat(1000)],
])('who says %s and no more is told that it took too long', async (_name, bytes) => {
  const peer = await connect(bytes)

  expect(await peer.streamError()).toBe('connection-timeout')
})

test.concurrent('who wishes for TLS and says nothing more is cut', async () => {
  const peer = await connect(header())
  await peer.expect('features')
  void peer.send(`<starttls xmlns='${NS_TLS}'/>`)
  await peer.expect('proceed')

  await peer.expectClosed()
})

test.concurrent('who comes to the TLS port and says nothing is cut', async () => {
  const peer = await Peer.connect({ port: target.tlsPort, from: ELSEWHERE })

  await peer.expectClosed()
}, 40_000)

test.concurrent.each([
  ['nothing', ''],
  ['half a request', 'GET /healthz HTTP/1.1\r\nHost:'],
])('who comes to the HTTP port and says %s is cut', async (_name, bytes) => {
  const peer = await Peer.connect({ port: target.httpPort, from: ELSEWHERE })
  peer.ignore()
  await peer.send(bytes)

  await peer.expectClosed()
}, 40_000)

test.concurrent('a thousand silent connections disturb nobody, and are gone in the end', async () => {
  const peers = await Promise.all(Array.from({ length: 1000 }, (_, index) =>
    Peer.connect({ port: target.port, from: `127.0.2.${1 + index % 10}` })))

  const talked = await innocents.talk()
  const conditions = await Promise.all(peers.map(peer => peer.streamError()))

  expect(talked).toEqual(EVERYTHING)
  expect(new Set(conditions)).toEqual(new Set(['connection-timeout']))
})

test.concurrent('one address gets no more streams than the limit says, others do', async () => {
  const peers = await Promise.all(
    Array.from({ length: 201 }, () => Peer.connect({ port: target.port, from: '127.0.3.1' })),
  )

  const opened = await Promise.allSettled(peers.map(peer => peer.open()))
  const other = await Peer.open({ port: target.port, from: '127.0.3.2' })
  for (const peer of [...peers, other]) peer.destroy()

  expect(opened.filter(({ status }) => status === 'fulfilled').length).toBe(200)
})
