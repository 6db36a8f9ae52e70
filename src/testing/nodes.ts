/**
 * Several nodes of a cluster in the test's own process: each a core and listeners of its own, on the test run's
 * database, with a loopback in place of Redis. A test says which node is whose home, or the first to need it is.
 */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { deriveCredentials } from '../accounts/credentials.ts'
import type { NodeId } from '../cluster/bus.ts'
import { forwardedStanza } from '../cluster/redis-homes.ts'
import { createCore } from '../core.ts'
import type { Core, CoreCluster } from '../core.ts'
import type { Extension } from '../extension/api.ts'
import { openLog } from '../log.ts'
import { TcpTransport } from '../net/tcp.ts'
import type { Transport } from '../net/transport.ts'
import { WebSocketEndpoint } from '../net/websocket.ts'
import type { Claim, Homes } from '../session/homes.ts'
import type { Database } from '../storage/database.ts'
import { ClientStream } from '../stream/client-stream.ts'
import type { StreamParts } from '../stream/client-stream.ts'
import { Gateway } from '../stream/gateway.ts'
import { LoginLimits } from '../stream/login-limits.ts'
import { RemoteStreams } from '../stream/remote-streams.ts'
import { StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import { Loopback } from './loopback-bus.ts'
import type { LoopbackBus } from './loopback-bus.ts'
import { PASSWORD, WireClient } from './wire-client.ts'

const credentials = await deriveCredentials(PASSWORD)
const SECRET = Buffer.alloc(32, 7)

export interface NodesOptions {
  readonly db: Database
  readonly extensions?: readonly Extension[]
  readonly limits?: Partial<StreamParts['limits']>
  readonly resourceConflict?: StreamParts['resourceConflict']
}

/** Whose home is where, as Redis knows it. */
type Claims = Map<string, NodeId>

export class Nodes {
  readonly loopback = new Loopback()
  readonly homes: Claims = new Map()
  readonly #options: NodesOptions
  readonly #nodes: TestNode[] = []

  constructor (options: NodesOptions) {
    this.#options = options
    onTestFinished(() => this.#close())
  }

  async start (id: NodeId): Promise<TestNode> {
    const node = await TestNode.start(this.loopback.bus(id), this.homes, this.#options)
    this.#nodes.push(node)
    return node
  }

  node (id: NodeId): TestNode {
    const node = this.#nodes.find(({ bus }) => bus.id === id)
    if (!node) throw new Error(`there is no node ${id}`)
    return node
  }

  async addAccount (jid: string): Promise<void> {
    await this.#nodes[0]?.core.store.create(Jid.parse(jid), credentials)
  }

  /** The node is gone, and its claims with it. */
  end (id: NodeId): void {
    for (const [account, home] of this.homes) if (home === id) this.homes.delete(account)
    this.loopback.end(id)
  }

  async #close (): Promise<void> {
    for (const node of this.#nodes) node.close()
    for (const node of this.#nodes) await node.core.unload()
  }
}

export class TestNode {
  readonly bus: LoopbackBus
  readonly core: Core
  readonly homes: TestHomes
  readonly streams = new Set<ClientStream>()
  /** The streams' clock, in milliseconds. */
  now = 1
  #remote: RemoteStreams | undefined
  readonly #doors: { readonly port: number, close (): void }[] = []

  private constructor (bus: LoopbackBus, core: Core, homes: TestHomes) {
    this.bus = bus
    this.core = core
    this.homes = homes
  }

  static async start (bus: LoopbackBus, claims: Claims, options: NodesOptions): Promise<TestNode> {
    const homes = new TestHomes(bus, claims)
    const { db, extensions = [] } = options
    const log = await openLog({ level: 'silent' })
    const core = await createCore({
      hosts: ['localhost'], db, log, cluster: { homes, records: FORGETFUL },
      extensions: extensions.map(extension => ({ extension, options: extension.config?.parse(undefined) })),
    })
    bus.answer('stanza', async (_from, { identity }, body) =>
      ({ isHome: await core.incoming.receiveHere(forwardedStanza(body, identity)) }))
    const node = new TestNode(bus, core, homes)
    const parts: StreamParts = {
      ...core, hosts: ['localhost'], log, secret: SECRET, loginLimits: new LoginLimits(0),
      credentials: jid => core.store.find(jid), requireTls: false, allowsAnonymous: true,
      resourceConflict: options.resourceConflict ?? 'replace',
      limits: { stanzaBytes: 262_144, loginSeconds: 60, idleSeconds: 100, ...options.limits },
      now: () => node.now,
      closed: stream => { node.streams.delete(stream) },
      gateway: new Gateway({ bus, homes }),
    }
    node.#remote = new RemoteStreams(bus, parts)
    await node.#listen(parts)
    return node
  }

  async #listen (parts: StreamParts): Promise<void> {
    const accept = (transport: Transport): void => { this.streams.add(new ClientStream(transport, parts, parts.now())) }
    const tcp = createServer({ noDelay: true, allowHalfOpen: true }, socket => { accept(new TcpTransport(socket)) })
    const endpoint = new WebSocketEndpoint({ maxMessageBytes: 262_144 }, accept)
    const http = createHttpServer().on('upgrade', endpoint.upgrade)
    for (const server of [tcp, http]) {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      this.#doors.push({ port: (server.address() as AddressInfo).port, close: () => { server.close() } })
    }
    this.#doors.push({ port: 0, close: () => { endpoint.close() } })
  }

  connectTcp (): Promise<WireClient> { return WireClient.tcp(this.#doors[0]?.port ?? 0) }
  connectWebSocket (): Promise<WireClient> { return WireClient.webSocket(this.#doors[1]?.port ?? 0) }

  /** Logged in and bound by RFC 6120, on TCP. */
  async client (user: string, resource: string): Promise<WireClient> {
    const client = await this.connectTcp()
    await client.logsIn(user)
    await client.binds(resource)
    return client
  }

  close (): void {
    for (const stream of this.streams) stream.close()
    this.#remote?.close(new StreamError('system-shutdown'))
    for (const door of this.#doors) door.close()
  }
}

/** Asks the loopback's claims, and remembers what it heard until it is told that it was wrong. */
class TestHomes implements Homes {
  readonly #bus: LoopbackBus
  readonly #claims: Claims
  /** What this node believes; a test may lead it astray. */
  readonly known = new Map<string, NodeId>()

  constructor (bus: LoopbackBus, claims: Claims) {
    this.#bus = bus
    this.#claims = claims
  }

  elsewhere (account: string): string | undefined { return this.known.get(account) }

  async claim (account: string): Promise<Claim> {
    const node = await this.find(account)
    if (node === undefined) this.#claims.set(account, this.#bus.id)
    return { node }
  }

  async find (account: string): Promise<string | undefined> {
    const node = this.known.get(account) ?? this.#claims.get(account)
    if (node === undefined || node === this.#bus.id) return undefined
    this.known.set(account, node)
    return node
  }

  forget (account: string): void { this.known.delete(account) }
  release (account: string): void { if (this.#claims.get(account) === this.#bus.id) this.#claims.delete(account) }
  async removeAt (): Promise<boolean> { return false }
  certain (): undefined {}

  async forward (node: string, stanza: Stanza): Promise<boolean> {
    const { isHome } = await this.#bus.ask(node, 'stanza', { identity: stanza.identity }, stanza.toBytes())
    return isHome
  }
}

const FORGETFUL: CoreCluster['records'] = {
  touch () {}, note () {}, start () {},
  inherit: () => Promise.resolve(undefined),
  save: () => Promise.resolve(),
}
