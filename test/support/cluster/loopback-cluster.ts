/**
 * Several nodes of a cluster in the test's own process: each a core and listeners of its own, on the test run's
 * database, with a loopback in place of Redis. A test says which node is whose home, or the first to need it is.
 */
import { onTestFinished } from 'vitest'
import { deriveCredentials } from '../../../src/accounts/credentials.ts'
import type { NodeId } from '../../../src/cluster/bus/bus.ts'
import { forwardedStanza, headerOf } from '../../../src/cluster/ownership/redis-homes.ts'
import { taken } from '../../../src/app/cluster-handlers.ts'
import { createCore } from '../../../src/app/core.ts'
import type { Core, CoreCluster } from '../../../src/app/core.ts'
import type { Extension } from '../../../src/extension/api.ts'
import { openLog } from '../../../src/log.ts'
import type { Claim, Found, Homes } from '../../../src/session/homes.ts'
import type { Database } from '../../../src/storage/database.ts'
import type { ClientStream, StreamParts } from '../../../src/stream/client-stream.ts'
import { Jid } from '../../../src/xmpp/jid.ts'
import type { Stanza } from '../../../src/xmpp/stanza.ts'
import { Listeners } from './listeners.ts'
import { Loopback } from './loopback-bus.ts'
import type { LoopbackBus } from './loopback-bus.ts'
import { PASSWORD } from '../wire/wire-client.ts'
import type { WireClient } from '../wire/wire-client.ts'
import { WriteBarrier } from '../../../src/net/write-barrier.ts'

const credentials = await deriveCredentials(PASSWORD)

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
  /** The streams' clock, in milliseconds. */
  now = 1
  #listeners: Listeners | undefined

  private constructor (bus: LoopbackBus, core: Core, homes: TestHomes) {
    this.bus = bus
    this.core = core
    this.homes = homes
  }

  static async start (bus: LoopbackBus, claims: Claims, options: NodesOptions): Promise<TestNode> {
    const homes = new TestHomes(bus, claims)
    const { db, extensions = [], limits, resourceConflict } = options
    const log = await openLog({ level: 'silent' })
    const core = await createCore({
      hosts: ['localhost'],
      db,
      log,
      cluster: { homes, records: FORGETFUL, roomRecords: FORGETFUL_OF_ROOMS, others: NOBODY },
      extensions: extensions.map(extension => ({ extension, options: extension.config?.parse(undefined) })),
    })
    bus.answer('stanza', async (from, header, body) =>
      taken(await core.router.routeHere(forwardedStanza(body, header), from)))
    const node = new TestNode(bus, core, homes)
    node.#listeners = await Listeners.open(core, { bus, homes, barrier: new WriteBarrier(log) }, {
      limits,
      resourceConflict,
      now: () => node.now,
    })
    return node
  }

  get #open (): Listeners {
    if (!this.#listeners) throw new Error('the node is yet to be started')
    return this.#listeners
  }

  get streams (): ReadonlySet<ClientStream> { return this.#open.streams }
  connectTcp (): Promise<WireClient> { return this.#open.connectTcp() }
  connectWebSocket (): Promise<WireClient> { return this.#open.connectWebSocket() }

  /** Logged in and bound by RFC 6120, on TCP. */
  async client (user: string, resource: string): Promise<WireClient> {
    const client = await this.connectTcp()
    await client.logsIn(user)
    await client.binds(resource)
    return client
  }

  close (): void {
    this.#open.close()
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

  get incarnation (): string { return this.#bus.id }

  place (): string { return this.#bus.id }

  elsewhere (account: string): string | undefined { return this.known.get(account) }

  async claim (account: string): Promise<Claim> {
    const { node } = await this.find(account)
    if (node === undefined) this.#claims.set(account, this.#bus.id)
    return { node }
  }

  async find (account: string): Promise<Found> {
    const node = this.known.get(account) ?? this.#claims.get(account)
    if (node === undefined || node === this.#bus.id) return {}
    this.known.set(account, node)
    return { node }
  }

  forget (account: string): void { this.known.delete(account) }
  release (account: string): void { if (this.#claims.get(account) === this.#bus.id) this.#claims.delete(account) }
  async removeAt (): Promise<boolean> { return false }
  confirmLease (): undefined {}

  async forward (node: string, stanza: Stanza): Promise<boolean> {
    const { isElsewhere } = await this.#bus.ask(node, 'stanza', headerOf(stanza), stanza.toBytes())
    return !isElsewhere
  }

  async forwarded (): Promise<void> {}
  confirmRefusal (): void {}
  whenRefusalHeard (): void {}
}

const FORGETFUL_OF_ROOMS: CoreCluster['roomRecords'] = {
  put () {}, forget () {},
  takeOver: () => Promise.resolve(new Map()),
  save: () => Promise.resolve(),
  remove: () => Promise.resolve(),
}

const FORGETFUL: CoreCluster['records'] = {
  touch () {}, append () {}, start () {}, forget () {},
  takeOver: () => Promise.resolve(undefined),
  save: () => Promise.resolve(),
  discard: () => Promise.resolve(),
}

/** Extensions have nobody to ask. */
const NOBODY: CoreCluster['others'] = {
  nodes: [],
  ask: () => Promise.reject(new Error('there is no other node')),
  answer () {},
}
