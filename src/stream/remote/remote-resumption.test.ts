/** XEP-0198 between edges and the home: what is counted, and sessions that go on by another edge. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ping } from '../../../extensions/ping/index.ts'
import { streamManagement } from '../../../extensions/stream-management/index.ts'
import { extension } from '../../extension/api.ts'
import type { Extension } from '../../extension/api.ts'
import type { Session } from '../../session/session.ts'
import type { PostgresDatabase } from '../../storage/postgres.ts'
import { testDatabase } from '../../../test/support/run/database.ts'
import { Nodes } from '../../../test/support/cluster/loopback-cluster.ts'
import type { TestNode } from '../../../test/support/cluster/loopback-cluster.ts'
import type { WireClient } from '../../../test/support/wire/wire-client.ts'
import { StreamError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'

const NS = 'urn:xmpp:sm:3'
const PING = "<iq xmlns='jabber:client' type='get' id='ping' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>"

let db: PostgresDatabase
let users = 0

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())

interface Managed {
  readonly nodes: Nodes
  readonly edge: TestNode
  readonly home: TestNode
  readonly user: string
  readonly client: WireClient
  readonly id: string
  readonly session: Session
}

/**
 * A client of the one node with a session that it may resume on the other, where another of its account's clients is.
 */
async function managed (...extensions: readonly Extension[]): Promise<Managed> {
  const nodes = new Nodes({ db, extensions: [streamManagement, ping, ...extensions] })
  const [edge, home] = [await nodes.start('edge'), await nodes.start('home')]
  const user = `mercutio${++users}`
  await nodes.addAccount(`${user}@localhost`)
  await home.client(user, 'anchor')
  const client = await edge.client(user, 'street')
  client.send(`<enable xmlns='${NS}' resume='true'/>`)
  const id = /id='([^']*)'/.exec(await client.expectHeard('/>'))?.[1] ?? ''
  return { nodes, edge, home, user, client, id, session: sessionOf(home, user) }
}

function sessionOf (node: TestNode, user: string): Session {
  const session = node.core.accounts.peek(Jid.parse(`${user}@localhost`))?.session('street')
  if (!session) throw new Error('there is no session')
  return session
}

/** Logs in at that node and asks to go on; gives the answer. */
async function resumes (
  node: TestNode,
  user: string,
  id: string,
  h: number,
): Promise<{ client: WireClient, answer: string }> {
  const client = await node.connectTcp()
  await client.logsIn(user)
  client.send(`<resume xmlns='${NS}' previd='${id}' h='${h}'/>`)
  return { client, answer: await client.expectHeard('>') }
}

async function counted (client: WireClient): Promise<string> {
  client.send(`<r xmlns='${NS}'/>`)
  await client.expectHeard('<a ')
  return /h='(\d+)'/.exec(await client.expectHeard('/>'))?.[1] ?? ''
}

test('a session goes on by another edge, with what came meanwhile, and every stanza counts once', async () => {
  const { nodes, client, user, id, session } = await managed()
  const other = await nodes.start('other')
  client.send('<presence/>' + PING)
  await client.expectHeard("id='ping'")
  client.destroy()
  await expect.poll(() => session.stream).toBe(undefined)
  const friend = await other.client(user, 'elsewhere')
  friend.send(`<message to='${user}@localhost/street' id='m1'/><message to='${user}@localhost/street' id='m2'/>${PING}`)
  await friend.expectHeard("id='ping'")

  const { client: again, answer } = await resumes(other, user, id, 2) // its own presence, and the ping's result

  expect(answer).toBe(`<resumed xmlns='${NS}' previd='${id}' h='2'/>`)
  const sentAgain = await again.expectHeard('<r ')
  expect([...sentAgain.matchAll(/ id='(m\d)'/g)].map(match => match[1])).toEqual(['m1', 'm2'])
  again.send(`<a xmlns='${NS}' h='4'/>${PING}`)
  await again.expectHeard("id='ping'")
  expect(await counted(again)).toBe('3')
  expect(sessionOf(nodes.node('home'), user)).toBe(session)
})

test('a session is resumed within a SASL 2 login', async () => {
  const { nodes, client, user, id, session } = await managed()
  const other = await nodes.start('other')
  client.destroy()
  await expect.poll(() => session.stream).toBe(undefined)
  const again = await other.connectWebSocket()

  const success = await again.authenticates(user, `<resume xmlns='${NS}' previd='${id}' h='0'/>`)

  expect(success).toContain(`<authorization-identifier>${user}@localhost/street</authorization-identifier><resumed `)
  again.send(PING)
  expect(await again.expectHeard("id='ping'")).not.toContain('features')
})

test('who resumes while the old stream is open ends it, and only what it brought before counts', async () => {
  const { home, client, user, id } = await managed()
  client.send(PING)
  await client.expectHeard("id='ping'")

  const { client: again, answer } = await resumes(home, user, id, 1)

  expect(answer).toContain("h='1'")
  expect(await client.untilClosed()).toContain('<conflict ')
  again.send(PING)
  await again.expectHeard("id='ping'")
})

test('a session that cannot be resumed is bound anew on the same stream', async () => {
  const { edge, user } = await managed()

  const { client, answer } = await resumes(edge, user, 'nothing', 0)

  expect(answer).toContain('<failed ')
  expect(await client.binds('again')).toContain(`${user}@localhost/again`)
})

test('sessions of an edge that is gone wait for their clients', async () => {
  const { nodes, home, user, id, session } = await managed()

  nodes.end('edge')

  expect(session.stream).toBe(undefined)
  expect((await resumes(home, user, id, 0)).answer).toContain('<resumed ')
})

test('sessions of an edge that shuts down wait for their clients', async () => {
  const { edge, home, user, id, session, client } = await managed()

  for (const stream of edge.streams) stream.close(new StreamError('system-shutdown'))

  expect(await client.untilClosed()).toContain('<system-shutdown ')
  await expect.poll(() => session.stream).toBe(undefined)
  expect((await resumes(home, user, id, 0)).answer).toContain('<resumed ')
})

test('a hole between two nodes costs streams, and no session', async () => {
  const { nodes, edge, user, id, client } = await managed()

  nodes.loopback.breakBetween('edge', 'home')

  expect(await client.untilClosed()).toContain('<internal-server-error ')
  expect((await resumes(edge, user, id, 0)).answer).toContain('<resumed ')
})

test('what is handled is counted in order, at the home, and told by way of the edge', async () => {
  const { client, user, session } = await managed()

  client.send(`<message to='${user}@localhost/street'/>`.repeat(300) + "<message to='@'/>" + PING)
  await client.expectHeard("id='ping'")

  client.send(`<a xmlns='${NS}' h='301'/>`)
  expect(await counted(client)).toBe('302')
  expect(session.smInbound?.taken).toBe(302)
})

test('a message is known by its place in the session, which does not change when it is sent again', async () => {
  const identities: (string | undefined)[] = []
  const watch = extension({
    name: 'watch', xeps: [],
    setup (host) { host.on('send', 'guard', stanza => { identities.push(stanza.dedupKey) }) },
  })
  const { client, session, nodes, user, id } = await managed(watch)
  client.send(`<message id='m1'/>${PING}<message to='@'/><message id='m4'/>`)
  await expect.poll(() => identities.length).toBe(3)
  client.destroy()
  await expect.poll(() => session.stream).toBe(undefined)

  const { client: again } = await resumes(await nodes.start('other'), user, id, 0)
  again.send('<message/>')

  const counts = session.smInbound?.id
  await expect.poll(() => identities).toEqual([`${counts}#1`, undefined, `${counts}#4`, `${counts}#5`])
})
