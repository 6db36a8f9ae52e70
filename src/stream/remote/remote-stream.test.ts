/** Streams between an edge and the home of their sessions: order, pace, errors, and what becomes of them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ping } from '../../../extensions/ping/index.ts'
import { extension } from '../../extension/api.ts'
import type { Extension } from '../../extension/api.ts'
import type { Session } from '../../session/session.ts'
import type { PostgresDatabase } from '../../storage/postgres.ts'
import { testDatabase } from '../../../test/support/run/database.ts'
import { Nodes } from '../../../test/support/cluster/loopback-cluster.ts'
import type { NodesOptions, TestNode } from '../../../test/support/cluster/loopback-cluster.ts'
import type { WireClient } from '../../../test/support/wire/wire-client.ts'
import { isSliceOver, SLICE_MS } from '../../util/slices.ts'
import { Jid } from '../../xmpp/jid.ts'
import { message } from '../../xmpp/stanza.ts'
import { el } from '../../xml/element.ts'

const PING = "<iq type='get' id='end' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"

let db: PostgresDatabase
let users = 0

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())

interface Away {
  readonly nodes: Nodes
  readonly edge: TestNode
  readonly home: TestNode
  readonly user: string
  readonly client: WireClient
  readonly session: Session
}

/** A client of the one node whose session is on the other, since another client of the account is there. */
async function away (extensions: readonly Extension[] = [], options: Partial<NodesOptions> = {}): Promise<Away> {
  const nodes = new Nodes({ db, extensions: [ping, ...extensions], ...options })
  const [edge, home] = [await nodes.start('edge'), await nodes.start('home')]
  const user = `juliet${++users}`
  await nodes.addAccount(`${user}@localhost`)
  await home.client(user, 'anchor')
  const client = await edge.client(user, 'balcony')
  return { nodes, edge, home, user, client, session: sessionOf(home, user) }
}

function sessionOf (node: TestNode, user: string): Session {
  const session = node.core.accounts.peek(Jid.parse(`${user}@localhost`))?.session('balcony')
  if (!session) throw new Error('there is no session')
  return session
}

function isGone (node: TestNode, user: string): boolean {
  return node.core.accounts.peek(Jid.parse(`${user}@localhost`))?.session('balcony') === undefined
}

/** What the home has been told and has not taken. */
function seen (into: string[]): Extension {
  return extension({
    name: 'seen', xeps: [],
    setup (host) { host.on('send', 'guard', stanza => { into.push(stanza.id ?? '') }) },
  })
}

test('10 000 messages there and back keep their order', async () => {
  const { client, user } = await away()
  const ids = Array.from({ length: 10_000 }, (_, index) => `m${index};`)

  client.send(ids.map(id => `<message to='${user}@localhost/balcony' id='${id}'><body>${id}</body></message>`).join(''))
  client.send(PING)

  const heard = await client.expectHeard("id='end'")
  expect([...heard.matchAll(/<body>(.*?)<\/body>/g)].map(match => match[1])).toEqual(ids)
}, 60_000)

test('each element is a message of its own on a WebSocket', async () => {
  const { edge, user, session } = await away()
  const client = await edge.connectWebSocket()
  await client.authenticates(user, "<bind xmlns='urn:xmpp:bind:0'/>")
  await client.expectHeard('</stream:features>')
  const own = session.account.sessions.at(-1)

  for (let index = 0; index < 3; index++)
    own?.deliver(message('chat', { id: `m${index}` }, el('body', 'jabber:client', {}, 'hi')))

  const heard = await client.expectHeard("id='m2'")
  expect(heard.match(/^<message xmlns='jabber:client'/gm)).toHaveLength(3)
})

test('a stanza arrives as it was sent, with the prefixes and the language of its stream', async () => {
  const { client, user } = await away()

  client.send(
    `<message to='${user}@localhost/balcony' id='a&amp;&apos;b' type='chat' foo:bar='1' xmlns:foo='urn:foo'>` +
      '<body>ü &lt;</body><foo:x/><stream:y/></message>',
  )

  const heard = await client.expectHeard('</message>')
  expect(heard).toContain(`from='${user}@localhost/balcony'`)
  expect(heard).toContain("id='a&amp;&apos;b' type='chat' xml:lang='en'")
  expect(heard).toMatch(/<body>ü &lt;<\/body><foo:x *\/><stream:y *\/><\/message>/)
})

test('a client that sends more than its home can take is not read on, and loses nothing', async () => {
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>()
  const requests: string[] = []
  const slow = extension({
    name: 'slow', xeps: [],
    setup (host) {
      host.iq({ type: 'set', to: ['server'], name: 'slow', ns: 'urn:slow' }, async ({ payload }) => {
        requests.push(payload.attrs.n ?? '')
        await mayGoOn
      })
    },
  })
  const { edge, client } = await away([slow])
  const ids = Array.from({ length: 2000 }, (_, index) => `${index}`)

  client.send(ids.map(n => `<iq type='set' id='${n}' to='localhost'><slow xmlns='urn:slow' n='${n}'/></iq>`).join(''))
  client.send(PING)
  await expect.poll(() => requests.length).toBe(16) // as many are open as on a stream here
  await expect.poll(() => edge.bus.told.get('stream.element')).toBe(16 + 64)
  await new Promise(resolve => { setTimeout(resolve, 100) })
  const relayed = edge.bus.told.get('stream.element')
  goOn()
  await client.expectHeard("id='end'")

  expect(relayed).toBe(16 + 64)
  expect(requests).toEqual(ids)
})

test('large elements are not sent far ahead either', async () => {
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>()
  const slow = extension({
    name: 'slow', xeps: [],
    setup (host) { host.iq({ type: 'set', to: ['server'], name: 'slow', ns: 'urn:slow' }, () => mayGoOn) },
  })
  const { edge, client } = await away([slow])
  const big = `<iq type='set' id='big' to='localhost'><slow xmlns='urn:slow'>${'x'.repeat(100_000)}</slow></iq>`

  client.send(big.repeat(40))
  await expect.poll(() => edge.bus.told.get('stream.element')).toBe(16 + 3) // as many are open, and three are 300 kB
  await new Promise(resolve => { setTimeout(resolve, 100) })
  const relayed = edge.bus.told.get('stream.element')
  goOn()
  client.send(PING)
  await client.expectHeard("id='end'")

  expect(relayed).toBe(16 + 3)
  expect(edge.bus.told.get('stream.element')).toBe(41)
})

test('the home knows what a slow client has left unread, and when it has read it', async () => {
  const { client, session, user } = await away()
  client.stopReading()

  for (let index = 0; index < 80; index++) {
    session.deliver(message('chat', { id: `m${index}` }, el('body', 'jabber:client', {}, 'x'.repeat(100_000))))
  }
  await expect.poll(() => session.stream?.bufferedBytes).toBeGreaterThan(1_000_000)
  const waiting = session.drained()
  client.readOn()
  await client.expectHeard("id='m79'")

  expect(waiting).toBeInstanceOf(Promise)
  await waiting
  await expect.poll(() => session.stream?.bufferedBytes).toBeLessThan(65_536)
  expect(session.jid.toString()).toBe(`${user}@localhost/balcony`)
})

test('a client that leaves too much unread loses its stream', async () => {
  const { client, session, home, user } = await away()
  client.stopReading()

  const body = el('body', 'jabber:client', {}, 'x'.repeat(200_000))
  let sent = 0
  while (session.stream && sent < 1000) session.deliver(message('chat', { id: `m${sent++}` }, body))
  client.destroy()

  expect(sent).toBeLessThan(700) // 128 MiB, be they on their way or at the edge
  await expect.poll(() => isGone(home, user)).toBe(true)
})

test('a silent client is pinged by its home, and cut when it does not answer', async () => {
  const written: string[] = []
  const watch = extension({
    name: 'watch', xeps: [],
    setup (host) { host.on('write', 'track', stanza => { written.push(stanza.kind) }) },
  })
  const { edge, home, user, client } = await away([watch])
  const [stream] = edge.streams

  stream?.check(edge.now = 100_001)
  await client.expectHeard('urn:xmpp:ping')
  stream?.check(edge.now += 30_001)

  expect(written).toEqual(['iq'])
  expect(await client.untilClosed()).toContain('<connection-timeout ')
  await expect.poll(() => isGone(home, user)).toBe(true)
})

test('a mistake of the client ends its stream with the error that it would be told by its home', async () => {
  const { home, user, client } = await away()

  client.send("<message from='somebody@else'/>")

  expect(await client.untilClosed()).toMatch(/<stream:error><invalid-from [^]*<\/stream:stream>$/)
  await expect.poll(() => isGone(home, user)).toBe(true)
})

test('what the home refuses is answered', async () => {
  const { client } = await away()

  client.send("<message to='@' id='m1'/><iq type='get' id='i1'/>")

  const heard = await client.expectHeard("id='i1'") + await client.expectHeard('</iq>')
  expect(heard).toContain('<jid-malformed ')
  expect(heard).toContain('<bad-request ')
})

test('what a client sent before it closed its stream is dealt with, and then its session ends', async () => {
  const ids: string[] = []
  const { home, user, client } = await away([seen(ids)])

  client.send(`${"<message to='nobody@localhost' id='m'/>".repeat(100)}<message to='nobody@localhost' id='last'/></stream:stream>`)

  await client.untilClosed()
  await expect.poll(() => isGone(home, user)).toBe(true)
  expect(ids).toHaveLength(101)
  expect(ids.at(-1)).toBe('last')
})

test('a stream that its home closes is told why', async () => {
  const { home, client, user } = await away()

  await home.core.accounts.forget(Jid.parse(`${user}@localhost`))

  expect(await client.untilClosed()).toContain('<not-authorized ')
})

test('when the home is gone the client is told to come back', async () => {
  const { nodes, edge, client } = await away()

  nodes.end('home')

  expect(await client.untilClosed()).toMatch(/<stream:error><internal-server-error [^]*<\/stream:stream>$/)
  await expect.poll(() => edge.streams.size).toBe(0)
})

test('when the edge is gone its clients\' sessions end', async () => {
  const { nodes, home, user } = await away()

  nodes.end('edge')

  await expect.poll(() => isGone(home, user)).toBe(true)
})

test('clients of other nodes do not notice when one is gone', async () => {
  const { nodes, home, user } = await away()
  const other = await nodes.start('other')
  const [elsewhere, here] = [await other.client(user, 'elsewhere'), await home.client(user, 'here')]

  nodes.end('edge')

  for (const client of [elsewhere, here]) {
    client.send(PING)
    await client.expectHeard("id='end'")
  }
})

test('sessions hear in slices that their edge is gone, and nothing of it reaches them meanwhile', async () => {
  const seenIds: string[] = []
  const { nodes, home, edge, user, session } = await away([seen(seenIds)])
  const streamBefore = session.stream
  isSliceOver()
  const until = performance.now() + 2 * SLICE_MS
  while (performance.now() < until);

  nodes.loopback.breakBetween('edge', 'home')
  const streamMeanwhile = session.stream
  for (let id = 0; id < 10; id++)
    edge.bus.tell('home', 'stream.element', { stream: String(id) }, Buffer.from("<message id='late'/>"))

  await expect.poll(() => isGone(home, user)).toBe(true)
  expect(streamBefore).toBeDefined()
  expect(streamMeanwhile).toBe(streamBefore)
  expect(seenIds).not.toContain('late')
})
