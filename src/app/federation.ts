/**
 * Other servers and components: builds the queues for them, the streams to and from them, and the listeners. The queues
 * are there as soon as stanzas may come for them; connections begin when the server starts.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '../cluster/cluster.ts'
import { ComponentServer } from './components.ts'
import { Connections } from '../components/connections.ts'
import type { Components } from '../components/settings.ts'
import type { Core } from './core.ts'
import type { ClusterFacet } from '../extension/facets/cluster.ts'
import type { Logger } from '../log.ts'
import { AddressLimit } from '../net/addresses.ts'
import { Authorities } from '../net/authorities.ts'
import type { Certificates } from '../net/certificates.ts'
import { listen } from '../net/listener.ts'
import type { Listener, ListenOptions } from '../net/listener.ts'
import type { PortAddress } from '../net/ports.ts'
import { Shaper } from '../net/shaper.ts'
import { TlsServer } from '../net/tls.ts'
import { WriteBarrier } from '../net/write-barrier.ts'
import { Connector } from '../s2s/connector.ts'
import { DialbackVerifier } from '../s2s/dialback-verifier.ts'
import type { Counters } from '../s2s/counters.ts'
import { Finder } from '../s2s/finding/finder.ts'
import { VerificationLimits } from '../s2s/incoming-dialback.ts'
import { IncomingStreams } from '../s2s/incoming.ts'
import { LinkError } from '../s2s/link.ts'
import type { Links } from '../s2s/link.ts'
import { OutgoingStreams } from '../s2s/outgoing.ts'
import { RemoteDomains } from '../s2s/queue/remote-domains.ts'
import { DomainPolicy } from '../s2s/settings.ts'
import type { FederationSettings } from '../s2s/settings.ts'
import { statusOf } from '../s2s/status.ts'
import type { FederationStatus } from '../s2s/status.ts'
import type { ProvenPair, Streams } from '../s2s/streams.ts'
import type { Database } from '../storage/database.ts'
import { serverSecret } from '../storage/server-secret.ts'
import type { UnreadStream } from '../stream/unread.ts'
import { ignore } from '../util/ignore.ts'
import { RateLimit } from '../util/rate-limit.ts'
import { StreamError } from '../xmpp/errors.ts'

/** The most connections of servers from one address: a server may need one for each of its domains, and of ours. */
const STREAMS_PER_ADDRESS = 500
/** The interval of the checks of all streams. */
const CHECK_MS = 5_000
/** What may wait for components where no other server is talked to, and for how long. */
const QUEUES = { queue: 10_000, giveUpHours: 24 }
/** Attempts in a minute that connections of a domain's server cause: each is told to all nodes. */
const ATTEMPTS_PER_MINUTE = 6
/** The time for streams to close when the server stops. */
const FAREWELL_MS = 5_000

export interface FederationParts {
  /** False where only components are sent to. */
  readonly settings: FederationSettings | false
  /** What is for them waits in queues as what is for other servers. */
  readonly components: Components
  readonly core: Core
  /** Those of this node. */
  readonly streams: Streams
  readonly db: Database
  /** The same database through the connections for messages. */
  readonly messageDb: Database
  readonly log: Logger
  /** Undefined on a server that is not part of a cluster. */
  readonly cluster: Cluster | undefined
}

/** Where other servers connect to. */
export interface ServerPorts {
  readonly hosts: readonly string[]
  readonly certificates: Certificates
  readonly server: readonly PortAddress[]
  readonly serverTls: readonly PortAddress[]
  readonly component: readonly PortAddress[]
}

/** What one node tells another: a command for the owner of a domain's queue. */
type Request = readonly ['retry' | 'drop', domain: string]

/** The answer of a node that does not own the domain. */
const ELSEWHERE = ''

export class Federation {
  readonly #parts: FederationParts
  readonly #policy: DomainPolicy | undefined
  readonly #attempts = new RateLimit(ATTEMPTS_PER_MINUTE, 60_000)
  readonly #connections: Connections
  readonly #others: ClusterFacet | undefined
  /** Until the server has started nothing is connected to. */
  readonly #links = Promise.withResolvers<Links>()
  readonly remotes: RemoteDomains
  readonly components: ComponentServer
  /** Of both directions; none before the start. */
  readonly #open: (Connector | IncomingStreams)[] = []
  #checking: NodeJS.Timeout | undefined

  constructor (parts: FederationParts) {
    this.#parts = parts
    const { settings, components, core, streams, db, messageDb, log, cluster } = parts
    this.#policy = settings ? new DomainPolicy(settings) : undefined
    const connections = this.#connections = new Connections(components, log)
    const others = this.#others = core.part('federation').cluster
    others?.answer<Request>((_node, [command, domain]) => this.#act(command, domain))
    this.remotes = new RemoteDomains({
      router: core.router, db, messageDb, policies: core.policies, log, settings: settings || QUEUES,
      counters: streams.counters,
      links: {
        open: async (local, remote) => connections.isComponent(remote) ? connections.open(local, remote)
          : (await this.#links.promise).open(local, remote),
      },
      isAllowed: domain => connections.isComponent(domain) || this.#policy?.isAllowed(domain) === true,
      cluster: cluster && { homes: cluster.homes, nodes: () => cluster.membership.nodes },
      localOf: domain => this.components.localOf(domain),
      placeOf: domain => connections.isConnected(domain) ? cluster?.homes.incarnation
        : this.components.nodes.elsewhere(domain),
    })
    this.#links.promise.catch(ignore) // whoever waits is told
    if (settings) core.router.serveOthers(this.remotes)
    this.components = new ComponentServer({ components, core, remotes: this.remotes, connections, log, cluster })
  }

  /**
   * Sends what waits, and listens; rejects with a sentence for the administrator when a listener fails to open. The
   * listeners are the caller's to close.
   */
  async start (ports: ServerPorts): Promise<readonly (readonly [name: string, listener: Listener])[]> {
    const { settings } = this.#parts
    const policy = this.#policy
    const opened = settings && policy ? await this.#startServers(settings, policy, ports) : []
    this.remotes.start()
    return [...opened, ['component', await this.components.start(ports.component)]]
  }

  async #startServers (
    settings: FederationSettings, policy: DomainPolicy, ports: ServerPorts,
  ): Promise<readonly (readonly [name: string, listener: Listener])[]> {
    const { core: { router }, streams, db, log, cluster } = this.#parts
    const authorities = await Authorities.load(settings.authorities)
    authorities.prepare(ports.hosts.map(host => ports.certificates.pairFor(host)))
    const barrier = cluster?.barrier ?? new WriteBarrier(log)
    const shared = {
      log, router, policy, requests: router.requests, streams, stanzaBytes: settings.stanzaBytes,
      secret: await serverSecret(db, 'dialback'), isServed: router.isServed, now: () => performance.now(),
      barrier, authorities, certificates: ports.certificates, shaper: new Shaper(settings.bytesPerSecond),
      finder: new Finder(settings.resolver, domain => policy.addressOf(domain)),
    }
    const connector = new Connector(shared)
    const incoming = new IncomingStreams({
      ...shared, verifier: new DialbackVerifier(connector), verifications: new VerificationLimits(),
      proven: domain => { this.#tryNow(domain) },
    })
    this.#open.push(connector, incoming)
    this.#links.resolve(new OutgoingStreams({ ...shared, connector }))
    this.#checking = setInterval(() => { for (const streams of this.#open) streams.check() }, CHECK_MS)
    return this.#listen(incoming, ports, { ...shared, streams: new AddressLimit(STREAMS_PER_ADDRESS) })
  }

  async #listen (
    incoming: IncomingStreams, { hosts: [first], server, serverTls, certificates }: ServerPorts,
    shared: Omit<ListenOptions, 'key'> & { readonly authorities: Authorities },
  ): Promise<readonly (readonly [name: string, listener: Listener])[]> {
    const { authorities } = shared
    const open = (key: string, at: readonly PortAddress[], options: Partial<ListenOptions>): Promise<Listener> =>
      listen(at, { ...shared, key, ...options }, transport => { incoming.accept(transport) })
    const tls = new TlsServer(certificates, { authorities })
    const directTls = new TlsServer(certificates, { authorities, alpn: 'xmpp-server' })
    return [
      ['server', await open('listen.server', server, { tls })],
      ['server-tls', await open('listen.server-tls', serverTls, { tls: directTls, directTlsFor: first })],
    ]
  }

  /** Sends no more, and closes all streams; what is not confirmed waits on disk, for another node or the next start. */
  async stop (): Promise<void> {
    clearInterval(this.#checking)
    await this.remotes.stop()
    this.#links.reject(new LinkError('unreachable', 'the server does not run')) // where it did not start
    await this.components.stop()
    for (const streams of this.#open) streams.close(new StreamError('system-shutdown'))
    await this.#emptied()
    for (const { streams } of this.#open) for (const stream of streams) stream.abort()
    await this.#emptied()
    await this.remotes.stop() // errors for what came until now wait, too
  }

  /** Resolves when all streams are over, or at the latest after FAREWELL_MS. */
  async #emptied (): Promise<void> {
    const until = performance.now() + FAREWELL_MS
    while (this.#open.some(({ streams }) => streams.size > 0) && performance.now() < until) await sleep(20)
  }

  /** All streams of this node, in both directions. */
  * streams (): Iterable<UnreadStream> {
    for (const { streams } of this.#open) yield * streams
  }

  /** As this node knows it. */
  status (): FederationStatus {
    const remotes = statusOf(this.remotes.status(), this.#pairs, Date.now())
    return { remotes, counters: this.counters }
  }

  get #pairs (): readonly ProvenPair[] {
    return [...this.#parts.streams, ...this.#connections.pairs]
  }

  /** Since the start, those of open streams included. */
  get counters (): Readonly<Counters> {
    const counters = { ...this.#parts.streams.counters }
    for (const { received, sent } of this.#pairs) {
      counters.received += received
      counters.sent += sent
    }
    return counters
  }

  /** As `FederationCommands` has it. */
  async retry (domain: string): Promise<void> {
    await this.#atOwner('retry', domain)
  }

  /** As `FederationCommands` has it. */
  async drop (domain: string): Promise<number> {
    return this.#atOwner('drop', domain)
  }

  /** A server that has connected can be connected to again: what waits for it, at whichever node, is sent now. */
  #tryNow (domain: string): void {
    if (!this.#attempts.take(domain)) return
    this.#act('retry', domain)
    for (const node of this.#others?.nodes ?? []) {
      this.#others?.ask(node, ['retry', domain]).catch(ignore) // it tries later
    }
  }

  /** Acts on the queue of a domain here, or else at the node that has it. */
  async #atOwner (command: 'retry' | 'drop', domain: string): Promise<number> {
    const others = this.#others
    const asked = others?.nodes.map(node => others.ask(node, [command, domain])) ?? []
    const counts = await Promise.allSettled([this.#act(command, domain), ...asked])
    const count = counts.find(answer => answer.status === 'fulfilled' && answer.value !== ELSEWHERE)
    if (count?.status === 'fulfilled') return Number(count.value)
    const failed = counts.find(answer => answer.status === 'rejected')
    if (failed) throw new Error(`a node did not answer: ${String(failed.reason)}`)
    throw new Error(`nothing waits for ${domain}, and there is no stream to it`)
  }

  #act (command: 'retry' | 'drop', domain: string): string {
    return String(this.remotes[command](domain) ?? ELSEWHERE)
  }
}
