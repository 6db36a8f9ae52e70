/** Builds the whole server, and starts and stops its parts in order. */
import { setTimeout as sleep } from 'node:timers/promises'
import { extensions } from '../../extensions/index.ts'
import { AdminServer } from '../admin/admin-server.ts'
import { serveCommands } from '../admin/commands.ts'
import type {
  FederationCommands, ListenerStatus, NodeLoad, NodeStatus, ServerCommands, ServerStatus,
} from '../admin/commands.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { loadConfig } from '../config/config.ts'
import type { CertificateFiles, Config, Listening } from '../config/config.ts'
import { createCore } from './core.ts'
import type { Core } from './core.ts'
import { endSessions, giveUpAll, sendAway } from './drain.ts'
import { openLog } from '../log.ts'
import type { Logger } from '../log.ts'
import { AddressLimit } from '../net/addresses.ts'
import { Certificates } from '../net/certificates.ts'
import { hostMetaRoutes } from '../net/host-meta.ts'
import { listenHttp } from '../net/http.ts'
import { listen } from '../net/listener.ts'
import type { PortAddress } from '../net/ports.ts'
import { Readiness } from '../net/readiness.ts'
import { Shaper } from '../net/shaper.ts'
import { TlsServer } from '../net/tls.ts'
import type { Transport } from '../net/transport.ts'
import { WriteBarrier } from '../net/write-barrier.ts'
import { WebSocketEndpoint } from '../net/websocket.ts'
import { loadedExtensions, openCore } from './bootstrap.ts'
import type { OpenCore } from './bootstrap.ts'
import type { Database } from '../storage/database.ts'
import { serverSecret } from '../storage/server-secret.ts'
import { ClientStream } from '../stream/client-stream.ts'
import type { StreamParts } from '../stream/client-stream.ts'
import { Edge } from '../stream/remote/edge.ts'
import { LoginLimits } from '../stream/sasl/login-limits.ts'
import { RemoteStreams } from '../stream/remote/remote-streams.ts'
import { limitUnread } from '../stream/unread.ts'
import type { UnreadStream } from '../stream/unread.ts'
import { VERSION } from '../util/version.ts'
import { StreamError } from '../xmpp/errors.ts'

/** The interval of the checks of all streams: timeouts and unread bytes. */
const CHECK_MS = 5_000
/** The time for balancers to notice at /readyz that a node is leaving, before it stops listening. */
const NOTICE_MS = 2_000
/** The time for streams to close when the server stops. */
const FAREWELL_MS = 5_000

export interface Server extends Omit<ServerCommands, 'accounts'> {
  /** Listens; rejects with a sentence for the administrator when a listener fails to open. */
  start (): Promise<void>
  /** Closes streams with `<system-shutdown/>` after their pending writes; the database stops last. */
  stop (): Promise<void>
}

/** `stop` refuses new connections, `close` also ends those it has accepted. */
interface Listener { stop (): void, close (): void }

interface Bound { readonly addresses: readonly { readonly address: string, readonly port: number }[] }

/** Opens the data folder and the database and builds all parts; nothing listens yet. */
export async function createServer (config: Config, log: Logger): Promise<Server> {
  const open = await openCore(config, log)
  return new RunningServer(config, log, open, await serverSecret(open.db, 'login'))
}

class RunningServer implements Server {
  readonly #config: Config
  readonly #log: Logger
  readonly #core: Core
  readonly #secret: Buffer
  readonly #open: OpenCore
  readonly #streams = new Set<ClientStream>()
  readonly #listeners: Listener[] = []
  readonly #listenerStatus: ListenerStatus[] = []
  readonly #startedAt = Date.now()
  readonly #admin: AdminServer
  readonly #readiness: Readiness
  #phase: 'starting' | 'serving' | 'stopping' = 'starting'
  #certificates: Certificates | undefined
  #remote: RemoteStreams | undefined
  #checking: NodeJS.Timeout | undefined

  constructor (config: Config, log: Logger, open: OpenCore, secret: Buffer) {
    this.#config = config
    this.#log = log
    this.#open = open
    this.#core = open.core
    this.#secret = secret
    this.#admin = new AdminServer(log)
    this.#readiness = new Readiness(log)
    this.#readiness.check('server', () => this.#phase === 'serving' ? undefined : this.#phase, true)
    this.#readiness.check('database', async () => {
      await open.db.query('select 1')
      return undefined
    })
  }

  async start (): Promise<void> {
    const { tls, hosts, data } = this.#config
    this.#certificates = await Certificates.load({
      hosts, data, files: pair(tls), log: this.#log,
      filesOf: Object.fromEntries(Object.entries(tls.hosts).flatMap(([host, files]) => {
        const own = pair(files)
        return own ? [[host, own]] : []
      })),
    })
    await this.#listen(this.#certificates)
    await this.#federate(this.#certificates)
    this.#checking = setInterval(() => { this.#check() }, CHECK_MS)
    serveCommands(this.#admin, {
      accounts: this.#core.commands, federation: this.federation,
      status: () => this.status(), drain: () => this.drain(), reload: () => this.reload(),
    })
    await this.#admin.start(data)
    this.#phase = 'serving'
  }

  async #listen (certificates: Certificates): Promise<void> {
    const { listen: at, limits, hosts } = this.#config
    const log = this.#log
    const shared = {
      log, barrier: this.#open.cluster?.barrier ?? new WriteBarrier(log),
      streams: new AddressLimit(limits.streamsPerAddress), shaper: new Shaper(limits.bytesPerSecond),
    }
    const parts = this.#streamParts()
    if (this.#open.cluster) this.#joined(this.#open.cluster, parts)
    const accept = (transport: Transport): void => {
      this.#streams.add(new ClientStream(transport, parts, parts.now()))
    }
    const client = { ...shared, key: 'listen.client', tls: new TlsServer(certificates) }
    this.#opened('client', await listen(addresses(at.client), client, accept))
    const direct = {
      ...shared, key: 'listen.client-tls', tls: new TlsServer(certificates, { alpn: 'xmpp-client' }),
      directTlsFor: hosts[0],
    }
    this.#opened('client-tls', await listen(addresses(at.clientTls), direct, accept))
    const { origins } = this.#config.http
    const webSocket = new WebSocketEndpoint({ ...shared, maxMessageBytes: limits.stanzaBytes, origins }, accept)
    this.#listeners.push({ stop () {}, close () { webSocket.close() } })
    this.#opened('http', await listenHttp(addresses(at.http), {
      key: 'listen.http', log, connections: new AddressLimit(limits.streamsPerAddress),
      routes: { ...hostMetaRoutes(undefined), ...this.#readiness.routes },
      upgrades: { '/ws': webSocket.upgrade },
    }))
  }

  async #federate (certificates: Certificates): Promise<void> {
    const { hosts, listen: at, components } = this.#config
    const opened = await this.#open.federation?.start({
      hosts, certificates, server: addresses(at.server), serverTls: addresses(at.serverTls),
      component: Object.keys(components).length > 0 ? addresses(at.component) : [],
    })
    for (const [name, listener] of opened ?? []) this.#opened(name, listener)
  }

  #opened (name: string, listener: Listener & Bound): void {
    this.#listeners.push(listener)
    for (const { address, port } of listener.addresses) this.#listenerStatus.push({ name, host: address, port })
  }

  #streamParts (): StreamParts {
    const { hosts, auth, limits } = this.#config
    const { router, accounts, stages, streams, iqs, events, store } = this.#core
    return {
      hosts, router, accounts, stages, streams, iqs, events, limits, log: this.#log, secret: this.#secret,
      loginLimits: new LoginLimits(limits.failedLoginsPerMinute),
      credentials: jid => store.find(jid),
      requireTls: auth.requireTls, allowsAnonymous: auth.anonymous, resourceConflict: auth.resourceConflict,
      now: () => performance.now(),
      closed: stream => { this.#streams.delete(stream) },
      lost: (session, stream, mayResume) => { this.#core.lost(session, stream, mayResume) },
      edge: this.#open.cluster && new Edge(this.#open.cluster, this.#log),
    }
  }

  /** Serves the sessions of clients that are connected to other nodes, and publishes this node's load. */
  #joined (cluster: Cluster, parts: StreamParts): void {
    const { bus, membership, redis } = cluster
    this.#remote = new RemoteStreams(cluster, parts)
    membership.publish((): NodeLoad => ({
      sessions: this.#core.accounts.sessionCount,
      streams: this.#streams.size,
      homes: this.#core.accounts.homeCount,
      busLagMs: bus.lagMs,
      isLeaving: this.#phase === 'stopping',
    }))
    this.#readiness.check('sessions', () => redis.isUp ? undefined : 'Redis is away')
  }

  #check (): void {
    const now = performance.now()
    for (const stream of this.#streams) stream.check(now)
    limitUnread(this.#allStreams(), this.#config.limits.unreadBytes, now)
  }

  /** Those of other servers, too. */
  * #allStreams (): Iterable<UnreadStream> {
    yield * this.#streams
    if (this.#open.federation) yield * this.#open.federation.streams()
  }

  async stop (): Promise<void> {
    const wasServing = this.#phase === 'serving'
    this.#phase = 'stopping'
    clearInterval(this.#checking)
    this.#certificates?.close()
    await this.#admin.stop()
    const isAlone = this.#open.cluster === undefined
    if (!isAlone && wasServing) await sleep(NOTICE_MS)
    for (const listener of this.#listeners) listener.stop()
    await this.#closeStreams(isAlone)
    this.#open.cluster?.homes.leave()
    await this.#open.federation?.stop() // before: what others send would keep accounts and rooms busy
    if (!isAlone) await giveUpAll(this.#core)
    for (const listener of this.#listeners) listener.close()
    await this.#open[Symbol.asyncDispose]()
  }

  async #closeStreams (isAlone: boolean): Promise<void> {
    if (isAlone) await this.#core.rooms.stop()
    await sendAway(this.#streams)
    this.#remote?.close(new StreamError('system-shutdown'))
    await this.#emptied()
    if (isAlone && this.#open.federation) await endSessions(this.#core.accounts)
  }

  /** Resolves when all streams are closed, or at the latest after FAREWELL_MS. */
  async #emptied (): Promise<void> {
    const until = Date.now() + FAREWELL_MS
    while (this.#streams.size > 0 && Date.now() < until) await new Promise(resolve => { setTimeout(resolve, 20) })
  }

  async status (): Promise<ServerStatus> {
    return {
      pid: process.pid,
      version: VERSION,
      node: this.#config.node,
      uptimeSeconds: Math.floor((Date.now() - this.#startedAt) / 1000),
      hosts: this.#config.hosts,
      listeners: this.#listenerStatus,
      sessions: this.#core.accounts.sessionCount,
      nodes: await this.#nodes(),
      federation: this.#open.federation?.status() ?? null,
      memoryBytes: process.memoryUsage.rss(),
      database: withoutPassword(this.#config.database),
    }
  }

  get federation (): FederationCommands {
    return this.#open.federation ?? { retry: refuseFederation, drop: refuseFederation }
  }

  /** Ends as on SIGTERM. */
  async drain (): Promise<void> {
    process.kill(process.pid, 'SIGTERM')
  }

  async #nodes (): Promise<readonly NodeStatus[]> {
    const known = await this.#open.cluster?.membership.status() ?? new Map<string, unknown>()
    return [...known].map(([id, load]) => ({ id, load: load as NodeLoad | null })) // as `#joined` publishes it
  }

  async reload (): Promise<readonly string[]> {
    const fresh = loadConfig(this.#config.file, process.env, extensions)
    await this.#certificates?.reload()
    this.#log.level = fresh.log.level
    const before = new Map<string, unknown>(Object.entries(this.#config))
    return Object.entries(fresh)
      .filter(([key]) => key !== 'log' && key !== 'warnings')
      .filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(before.get(key)))
      .map(([key]) => key)
  }
}

function refuseFederation (): Promise<never> {
  return Promise.reject(new Error('this server talks to no others: see `federation` in the configuration'))
}

/** The table that `heliograph stages` prints; opens neither database nor socket. */
export async function describeStages (config: Config): Promise<string> {
  const refuse = (): Promise<never> => Promise.reject(new Error('there is no database here'))
  const db: Database = { query: refuse, transaction: refuse }
  const core = await createCore({
    hosts: config.hosts, db, log: await openLog({ level: 'silent' }), extensions: loadedExtensions(config),
  })
  return core.stages.toString()
}

function pair ({ certificate, key }: CertificateFiles): { certificate: string, key: string } | undefined {
  return certificate !== undefined && key !== undefined ? { certificate, key } : undefined
}

function addresses (listening: readonly Listening[]): readonly PortAddress[] {
  return listening.map(({ host, port, proxyProtocol }) =>
    ({ at: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, balancers: proxyProtocol }))
}

function withoutPassword (database: string): string {
  if (!URL.canParse(database)) return database
  const url = new URL(database)
  url.password = ''
  return url.toString()
}
