/**
 * What can't be read ends the stream with an error, and the session with it, whichever layer finds it: the transport's
 * (RFC 7395 §3.5, RFC 6120 §4.9.3.14), or the parser.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { streamManagement } from '../../extensions/stream-management/index.ts'
import type { PostgresDatabase } from '../storage/postgres.ts'
import { testDatabase } from '../../test/support/run/database.ts'
import { Nodes } from '../../test/support/cluster/loopback-cluster.ts'
import type { TestNode } from '../../test/support/cluster/loopback-cluster.ts'
import type { WireClient } from '../../test/support/wire/wire-client.ts'

const NS = 'urn:xmpp:sm:3'
const ROOM_FOR_STANZAS = 262_144

let db: PostgresDatabase
let users = 0

beforeAll(async () => { db = await testDatabase() })
afterAll(() => db.close())

type Way = 'tcp' | 'websocket'
type Place = 'here' | 'elsewhere'

interface Managed {
  readonly node: TestNode
  readonly user: string
  readonly anchor: WireClient
  readonly client: WireClient
  readonly id: string
}

function connect (node: TestNode, way: Way): Promise<WireClient> {
  return way === 'tcp' ? node.connectTcp() : node.connectWebSocket()
}

/** A client with a session that it may resume, at the node to which it is connected or at another. */
async function managed (way: Way, place: Place): Promise<Managed> {
  const nodes = new Nodes({ db, extensions: [streamManagement], limits: { stanzaBytes: ROOM_FOR_STANZAS } })
  const [edge, home] = [await nodes.start('edge'), await nodes.start('home')]
  const user = `tybalt${++users}`
  await nodes.addAccount(`${user}@localhost`)
  const anchor = await home.client(user, 'anchor')
  const node = place === 'here' ? home : edge
  const client = await connect(node, way)
  await client.logsIn(user)
  await client.binds('street')
  client.send(`<enable xmlns='${NS}' resume='true'/>`)
  const id = /id='([^']*)'/.exec(await client.expectHeard('/>'))?.[1] ?? ''
  return { node, user, anchor, client, id }
}

/** Whether the session goes on. */
async function resumes ({ node, user, id }: Managed, way: Way): Promise<string> {
  const client = await connect(node, way)
  await client.logsIn(user)
  client.send(`<resume xmlns='${NS}' previd='${id}' h='0'/>`)
  return client.expectHeard('>')
}

const END: Readonly<Record<Way, string>> = {
  tcp: '</stream:stream>', websocket: "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>\n",
}
const message = (bytes: number): Buffer =>
  Buffer.from(`<message xmlns='jabber:client'><body>${'y'.repeat(bytes)}</body></message>`)

const FAULTS: readonly (readonly [string, readonly Way[], Buffer, boolean, string])[] = [
  ['a stanza that is too large', ['tcp', 'websocket'], message(300_000), false, 'policy-violation'],
  [
    'a stanza that is a little too large',
    ['tcp', 'websocket'],
    message(ROOM_FOR_STANZAS - 40),
    false,
    'policy-violation',
  ],
  [
    'what is not UTF-8',
    ['tcp', 'websocket'],
    Buffer.from("<message xmlns='jabber:client'>\xC3(</message>", 'latin1'),
    false,
    'unsupported-encoding',
  ],
  [
    'what is not well-formed',
    ['tcp', 'websocket'],
    Buffer.from("<message xmlns='jabber:client'></iq>"),
    false,
    'not-well-formed',
  ],
  ['a binary message', ['websocket'], Buffer.from("<message xmlns='jabber:client'/>"), true, 'bad-format'],
]
const CASES = FAULTS.flatMap(([name, ways, bytes, isBinary, condition]) =>
  ways.map(way => ({ name, way, bytes, isBinary, condition }))
)

describe.each(['here', 'elsewhere'] as const)('where the session is %s', place => {
  test.each(CASES)(
    '$name on $way ends the stream with $condition, and the session',
    async ({ way, bytes, isBinary, condition }) => {
      const session = await managed(way, place)
      const { client, anchor, user } = session

      client.send(`<message xmlns='jabber:client' to='${user}@localhost/anchor' id='before'/>`)
      client.sendBytes(bytes, isBinary)

      const heard = await client.untilClosed()
      expect(heard).toMatch(new RegExp(`<stream:error[^>]*><${condition} `))
      expect(heard.endsWith(END[way])).toBe(true)
      await anchor.expectHeard("id='before'")
      await expect.poll(() => resumes(session, way)).toContain('<failed ')
    })

  test.each(['tcp', 'websocket'] as const)('a connection of %s that breaks leaves the session as it is', async way => {
    const session = await managed(way, place)

    session.client.destroy()

    expect(await resumes(session, way)).toContain('<resumed ')
  })
})

test.each(CASES)(
  '$name on $way ends a stream before the login with $condition',
  async ({ way, bytes, isBinary, condition }) => {
    const nodes = new Nodes({ db })
    const client = await connect(await nodes.start('alone'), way)
    if (way === 'tcp') await client.opens()

    client.sendBytes(bytes, isBinary)

    const heard = await client.untilClosed()
    if (way === 'websocket') expect(heard).toMatch(/^<open /)
    expect(heard).toMatch(new RegExp(`<stream:error[^>]*><${condition} `))
    expect(heard.endsWith(END[way])).toBe(true)
  })
