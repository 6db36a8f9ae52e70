/**
 * Components in a cluster: every node knows which nodes a component is connected to. One of them owns the queue of what
 * is for it, and the others forward to that one.
 */
import type { ClusterFacet } from '../extension/facets/cluster.ts'
import type { Logger } from '../log.ts'
import type { RemoteDomains } from '../s2s/queue/remote-domains.ts'
import { inBackground } from '../util/background.ts'
import type { Connections } from './connections.ts'

/** What one node tells another; a question where there is no domain. */
type Told = readonly ['connected' | 'disconnected' | 'own', domain: string] | readonly ['which']

export interface ComponentNodesParts {
  /** Undefined on a server that is not part of a cluster. */
  readonly cluster: ClusterFacet | undefined
  readonly connections: Connections
  readonly remotes: Pick<RemoteDomains, 'own' | 'owns' | 'giveUpDomain' | 'retry'>
  readonly log: Logger
  /** A component has connected, to this node or another. */
  readonly connected: (domain: string) => void
}

export class ComponentNodes {
  readonly #parts: ComponentNodesParts
  readonly #elsewhere = new Map<string, Set<string>>()

  constructor (parts: ComponentNodesParts) {
    this.#parts = parts
    parts.cluster?.answer<Told>((node, told) => this.#heard(node, told))
  }

  /** Learns which components are connected to other nodes. */
  async start (): Promise<void> {
    const { cluster } = this.#parts
    await Promise.all(cluster?.nodes.map(async node => {
      const domains = await cluster.ask(node, ['which'])
      for (const domain of domains.split(' ')) this.#connectedTo(node, domain)
    }) ?? [])
  }

  /** Another node that the component is connected to. */
  elsewhere (domain: string): string | undefined {
    const nodes = this.#elsewhere.get(domain)
    return nodes && this.#parts.cluster?.nodes.filter(node => nodes.has(node)).toSorted()[0]
  }

  isConnected (domain: string): boolean {
    return this.#parts.connections.isConnected(domain) || this.elsewhere(domain) !== undefined
  }

  /** A component has connected to this node. */
  connectedHere (domain: string): void {
    const { log, remotes, connected } = this.#parts
    connected(domain)
    const told = this.#tell(['connected', domain]).then(() => remotes.own(domain)).then(() => { remotes.retry(domain) })
    inBackground(log, 'queue of a component that has connected', told)
  }

  /** The last stream of a component to this node is over. */
  disconnectedHere (domain: string): void {
    const { log } = this.#parts
    const told = this.#tell(['disconnected', domain]).then(() => this.#handOver(domain))
    inBackground(log, 'queue of a component that has disconnected', told)
  }

  /** Hands over queues that this node has claimed while another is connected to the component. */
  check (): void {
    const { log, remotes } = this.#parts
    for (const domain of this.#elsewhere.keys()) {
      if (remotes.owns(domain)) inBackground(log, 'queue of a component of another node', this.#handOver(domain))
    }
  }

  async #handOver (domain: string): Promise<void> {
    const { cluster, remotes, connections } = this.#parts
    const node = this.elsewhere(domain)
    if (node === undefined || connections.isConnected(domain)) return
    await remotes.giveUpDomain(domain)
    await cluster?.ask(node, ['own', domain])
  }

  /** A node that does not answer is gone, and learns of it when it is back. */
  async #tell (told: Told): Promise<void> {
    const { cluster } = this.#parts
    await Promise.allSettled(cluster?.nodes.map(node => cluster.ask(node, told)) ?? [])
  }

  async #heard (node: string, [what, domain = '']: Told): Promise<string> {
    const { connections, remotes } = this.#parts
    if (what === 'which') return connections.domains.join(' ')
    if (what === 'disconnected') this.#elsewhere.get(domain)?.delete(node)
    if (what === 'own') {
      await remotes.own(domain)
      remotes.retry(domain)
    }
    if (what === 'connected') await this.#connectedElsewhere(node, domain)
    return ''
  }

  async #connectedElsewhere (node: string, domain: string): Promise<void> {
    const { connections, remotes, connected } = this.#parts
    this.#connectedTo(node, domain)
    connections.replacedElsewhere(domain)
    connected(domain)
    if (!connections.isConnected(domain)) await remotes.giveUpDomain(domain)
  }

  #connectedTo (node: string, domain: string): void {
    if (!this.#parts.connections.isComponent(domain)) return
    const nodes = this.#elsewhere.get(domain) ?? new Set()
    this.#elsewhere.set(domain, nodes.add(node))
  }
}
