/** Clients that connect to one node while another is their account's home: how they come to a session. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { streamManagement } from '../../../extensions/stream-management/index.ts'
import { el, extension } from '../../extension/api.ts'
import type { PostgresDatabase } from '../../storage/postgres.ts'
import { testDatabase } from '../../../test/support/run/database.ts'
import { Nodes } from '../../../test/support/cluster/loopback-cluster.ts'
import type { NodesOptions, TestNode } from '../../../test/support/cluster/loopback-cluster.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'

const BIND2 = "<bind xmlns='urn:xmpp:bind:0'><tag>phone</tag></bind>"
const BIND2_WITH_SM =
  "<bind xmlns='urn:xmpp:bind:0'><tag>phone</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>"

let db: PostgresDatabase
let users = 0

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())

interface Pair { readonly nodes: Nodes, readonly edge: TestNode, readonly home: TestNode, readonly user: string }

/** A user whose home is the second of two nodes, since he has a client there. */
async function awayFromHome (options: Partial<NodesOptions> = {}): Promise<Pair> {
  const nodes = new Nodes({ db, extensions: [streamManagement], ...options })
  const [edge, home] = [await nodes.start('edge'), await nodes.start('home')]
  const user = `romeo${++users}`
  await nodes.addAccount(`${user}@localhost`)
  await home.client(user, 'anchor')
  return { nodes, edge, home, user }
}

/** The resources that are bound there, but for the one that keeps the home where it is. */
function boundAt (node: TestNode, user: string): readonly string[] {
  const sessions = node.core.accounts.peek(Jid.parse(`${user}@localhost`))?.sessions ?? []
  return sessions.map(({ jid }) => jid.resource).filter(resource => resource !== 'anchor')
}

test('a resource that is bound at an edge is a session at the home, and only there', async () => {
  const { edge, home, user } = await awayFromHome()
  const client = await edge.connectTcp()

  expect(await client.logsIn(user)).toContain("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>")
  const answer = await client.binds('orchard')

  expect(answer).toContain(`>${user}@localhost/orchard</jid>`)
  expect(boundAt(home, user)).toEqual(['orchard'])
  expect(edge.core.accounts.sessionCount).toBe(0)
})

test('what cannot be bound is answered as if the home were here, and the client may ask again', async () => {
  const { edge, home, user } = await awayFromHome({ resourceConflict: 'refuse' })
  await edge.client(user, 'orchard')
  const client = await edge.connectTcp()
  await client.logsIn(user)

  expect(await client.binds('orchard')).toContain('<conflict ')
  expect(await client.binds('street')).toContain(`${user}@localhost/street`)

  expect(boundAt(home, user)).toEqual(['orchard', 'street'])
})

test('a SASL 2 login binds at the home, switches on what it asks for, and is offered what is not on', async () => {
  const { edge, home, user } = await awayFromHome()
  const client = await edge.connectWebSocket()

  const success = await client.authenticates(user, BIND2_WITH_SM)
  const features = await client.expectHeard('</stream:features>')

  const [resource = ''] = boundAt(home, user)
  expect(resource).toMatch(/^phone\//)
  expect(success).toContain(`<authorization-identifier>${user}@localhost/${resource}</authorization-identifier>`)
  expect(success).toContain("<bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:xmpp:sm:3' id=")
  expect(features).toContain('urn:xmpp:stream-limits:0')
  expect(features).not.toContain('<sm ')
})

test('a SASL 2 login without more is bound afterwards', async () => {
  const { edge, home, user } = await awayFromHome()
  const client = await edge.connectWebSocket()

  const success = await client.authenticates(user, '')
  const features = await client.expectHeard('</stream:features>')
  await client.binds('orchard')

  expect(success).toContain(`<authorization-identifier>${user}@localhost</authorization-identifier>`)
  expect(features).toContain('urn:ietf:params:xml:ns:xmpp-bind')
  expect(boundAt(home, user)).toEqual(['orchard'])
})

test('the same resource from another edge replaces the session, and the first client is told', async () => {
  const { nodes, edge, home, user } = await awayFromHome()
  const other = await nodes.start('other')
  const first = await edge.client(user, 'orchard')

  const second = await other.client(user, 'orchard')

  expect(await first.untilClosed()).toContain('<conflict ')
  second.send(`<message to='${user}@localhost/orchard' id='m1'/>`)
  expect(await second.expectHeard('/>')).toContain("id='m1'")
  expect(boundAt(home, user)).toHaveLength(1)
})

test('a home that has moved is looked up again', async () => {
  const { nodes, edge, home, user } = await awayFromHome()
  await nodes.start('before')
  edge.homes.known.set(`${user}@localhost`, 'before')

  await edge.client(user, 'orchard')

  expect(boundAt(home, user)).toEqual(['orchard'])
})

test('the home of a client that comes when the last home has died is where it comes to', async () => {
  const { nodes, edge, user } = await awayFromHome()
  nodes.end('home')
  edge.homes.known.set(`${user}@localhost`, 'home')

  await edge.client(user, 'orchard')

  expect(boundAt(edge, user)).toEqual(['orchard'])
})

test('a client that comes while its home is dying comes to the next one', async () => {
  const { nodes, edge, home, user } = await awayFromHome()
  home.bus.answer('stream.enter', () => {
    nodes.end('home')
    return new Promise(() => {})
  })

  await edge.client(user, 'orchard')

  expect(boundAt(edge, user)).toEqual(['orchard'])
})

test('while nobody can tell whose home it is, a client is asked to try again', async () => {
  const { edge, user } = await awayFromHome()
  edge.homes.claim = () => Promise.reject(new StanzaError('resource-constraint', 'Redis is away', undefined, 'wait'))
  const client = await edge.connectTcp()
  await client.logsIn(user)

  const answer = await client.binds('orchard')
  const login = await (await edge.connectWebSocket()).authenticates(user, BIND2).catch(String)

  expect(answer).toMatch(/ type='wait'><resource-constraint /)
  expect(login).toContain('<resource-constraint ')
})

test('a client that leaves while it is let in leaves no session behind', async () => {
  const { promise: letIn, resolve: goOn } = Promise.withResolvers<void>()
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
  const slow = extension({
    name: 'slow', xeps: [],
    setup (host) {
      host.stream.resumption('wait', 'urn:slow', async () => {
        ask()
        await letIn
        return { reply: el('waited', 'urn:slow') }
      })
    },
  })
  const { edge, home, user } = await awayFromHome({ extensions: [slow] })
  const client = await edge.connectWebSocket()

  void client.authenticates(user, `<wait xmlns='urn:slow'/>${BIND2}`).catch(() => {})
  await asked
  client.destroy()
  await expect.poll(() => edge.streams.size).toBe(0)
  goOn()

  await expect.poll(() => edge.bus.told.get('stream.lost')).toBe(1)
  await expect.poll(() => boundAt(home, user)).toEqual([])
})

test('an anonymous account\'s home is the node that it logs in at', async () => {
  const { edge, home } = await awayFromHome()
  const client = await edge.connectTcp()
  await client.opens()
  client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'>=</auth>")
  await client.expectHeard('<success')
  await client.opens()

  await client.binds('guest')

  expect(edge.core.accounts.sessionCount).toBe(1)
  expect(home.core.accounts.sessionCount).toBe(1)
})

test('an account of which no client is at its home moves to where its client comes', async () => {
  const { nodes, edge, home } = await awayFromHome()
  await nodes.addAccount('wanderer@localhost')
  await home.core.accounts.locate(Jid.parse('wanderer@localhost'))

  await edge.client('wanderer', 'orchard')

  expect(boundAt(edge, 'wanderer')).toEqual(['orchard'])
  expect(home.core.accounts.peek(Jid.parse('wanderer@localhost'))).toBe(undefined)
})

test('an account whose client leaves while it is given up for that client is at home where the client came to', async () => {
  const { promise: letGo, resolve: goOn } = Promise.withResolvers<void>()
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
  const slow = extension({
    name: 'slow', xeps: [],
    setup (host) {
      host.when('account.beforeMove', () => {
        ask()
        return letGo
      })
    },
  })
  const { nodes, edge, home } = await awayFromHome({ extensions: [slow] })
  await nodes.addAccount('fickle@localhost')
  await home.core.accounts.locate(Jid.parse('fickle@localhost'))
  const client = await edge.connectWebSocket()

  void client.authenticates('fickle', BIND2).catch(() => {})
  await asked
  client.destroy()
  await expect.poll(() => edge.streams.size).toBe(0)
  goOn()

  await expect.poll(() => edge.core.accounts.peek(Jid.parse('fickle@localhost'))).toBeDefined()
  expect(boundAt(edge, 'fickle')).toEqual([])
})
