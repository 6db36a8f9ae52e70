/** Components: their listener, and what the configuration lets them do (XEP-0114, XEP-0355, XEP-0356). */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '../cluster/cluster.ts'
import type { Core } from './core.ts'
import { ComponentNodes } from '../components/component-nodes.ts'
import { ComponentStream, hostFor } from '../components/component-stream.ts'
import type { Connections } from '../components/connections.ts'
import { Delegation, delegationElement } from '../components/delegation.ts'
import { PrivilegedComponents, privilegesElement } from '../components/privileges.ts'
import type { Components } from '../components/settings.ts'
import type { ExtensionHost } from '../extension/host.ts'
import type { Logger } from '../log.ts'
import { AddressLimit } from '../net/addresses.ts'
import { listen } from '../net/listener.ts'
import type { Listener } from '../net/listener.ts'
import type { PortAddress } from '../net/ports.ts'
import { WriteBarrier } from '../net/write-barrier.ts'
import type { RemoteDomains } from '../s2s/queue/remote-domains.ts'
import { inBackground } from '../util/background.ts'
import { randomId } from '../util/ids.ts'
import { StreamError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { message } from '../xmpp/stanza.ts'

/** The most connections from one address: all components may run on one machine. */
const STREAMS_PER_ADDRESS = 200
/** The largest stanza, as between servers. */
const STANZA_BYTES = 524_288
/** The interval of the checks of all streams and queues. */
const CHECK_MS = 2_000
/** The time for streams to close when the server stops. */
const FAREWELL_MS = 5_000

export interface ComponentServerParts {
  readonly components: Components
  readonly core: Core
  readonly remotes: RemoteDomains
  readonly connections: Connections
  readonly log: Logger
  /** Undefined on a server that is not part of a cluster. */
  readonly cluster: Cluster | undefined
}

export class ComponentServer {
  readonly #parts: ComponentServerParts
  readonly #host: ExtensionHost
  readonly #privileged: PrivilegedComponents
  readonly #delegation: Delegation
  readonly #streams = new Set<ComponentStream>()
  readonly nodes: ComponentNodes
  #checking: NodeJS.Timeout | undefined

  constructor (parts: ComponentServerParts) {
    this.#parts = parts
    const { components, core, remotes, connections, log } = parts
    const { router, iqs, disco, accounts } = core
    const host = this.#host = core.part('components')
    this.nodes = new ComponentNodes({
      cluster: host.cluster, connections, remotes, log, connected: domain => { this.#connected(domain) },
    })
    this.#privileged = new PrivilegedComponents({
      host, router, components,
      accounts: { atHome: () => accounts.atHome(), exists: async jid => await accounts.locate(jid) !== undefined },
    })
    this.#delegation = new Delegation({
      host, iqs, disco, components, requests: router.requests, isConnected: domain => this.nodes.isConnected(domain),
    })
    // The others know this node by its old id.
    parts.cluster?.membership.whenLeaseLost(() => {
      for (const domain of connections.domains) this.nodes.connectedHere(domain)
    })
    for (const domain of Object.keys(components)) {
      router.serve(domain, remotes)
      disco.addService(({ domain: of }) => hostFor(domain, host.hosts) === of ? { jid: domain } : undefined)
    }
  }

  /** The host that a component belongs to; undefined for any other domain. */
  localOf (domain: string): string | undefined {
    return this.#parts.connections.isComponent(domain) ? hostFor(domain, this.#host.hosts) : undefined
  }

  /** Here or at another node. */
  #connected (domain: string): void {
    this.#privileged.tellPresence(domain)
    this.#delegation.askFeatures(domain)
  }

  /** Listens; rejects with a sentence for the administrator where the listener fails to open. */
  async start (at: readonly PortAddress[]): Promise<Listener> {
    const { log, cluster } = this.#parts
    const barrier = cluster?.barrier ?? new WriteBarrier(log)
    inBackground(log, 'components of other nodes', this.nodes.start())
    this.#checking = setInterval(() => {
      const now = performance.now()
      for (const stream of this.#streams) stream.check(now)
      this.nodes.check()
    }, CHECK_MS)
    const streams = new AddressLimit(STREAMS_PER_ADDRESS)
    return listen(at, { key: 'listen.component', log, barrier, streams }, transport => {
      const stream = ComponentStream.accept(transport, {
        components: this.#parts.components, hosts: this.#host.hosts, log, stanzaBytes: STANZA_BYTES,
        router: this.#routes, now: () => performance.now(),
        closed: () => { this.#streams.delete(stream) },
        connected: one => { this.#proven(one) },
        disconnected: (one, reason) => { this.#lost(one, reason) },
        answersPings: domain => this.#parts.connections.answersPings(domain),
        answered: domain => { this.#parts.connections.answered(domain) },
      })
      this.#streams.add(stream)
    })
  }

  readonly #routes: Parameters<typeof ComponentStream.accept>[1]['router'] = {
    route: stanza => this.#privileged.route(stanza),
    bounce: (stanza, error) => this.#parts.core.router.bounce(stanza, error),
    isServed: domain => this.#parts.core.router.isServed(domain),
  }

  /** What the component may do is the first that it is told. */
  #proven (component: ComponentStream): void {
    const { components, connections } = this.#parts
    const { domain } = component
    const settings = components[domain]
    const told = settings && [privilegesElement(settings.privileges), delegationElement(settings.delegate)]
    for (const host of this.#host.hosts) {
      for (const element of told ?? []) {
        const header = { from: Jid.parse(host), to: Jid.parse(domain), id: randomId() }
        if (element) component.send(message('normal', header, element))
      }
    }
    connections.add(component)
    this.nodes.connectedHere(domain)
  }

  #lost (component: ComponentStream, reason: Error | undefined): void {
    const { connections } = this.#parts
    connections.remove(component, reason)
    if (!connections.isConnected(component.domain)) this.nodes.disconnectedHere(component.domain)
  }

  /** Closes all streams; what is not confirmed waits on disk. */
  async stop (): Promise<void> {
    clearInterval(this.#checking)
    for (const { stream } of this.#streams) stream.close(new StreamError('system-shutdown'))
    const until = performance.now() + FAREWELL_MS
    while (this.#streams.size > 0 && performance.now() < until) await sleep(20)
  }
}
