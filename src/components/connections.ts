/** The streams of components that are connected to this node, and the links for what is sent to them. */
import { LinkError } from '../s2s/link.ts'
import type { Link, Links } from '../s2s/link.ts'
import type { ProvenPair } from '../s2s/streams.ts'
import type { Logger } from '../log.ts'
import { StreamFault } from '../stream/stream-error.ts'
import { StreamError } from '../xmpp/errors.ts'
import { ComponentLink } from './component-link.ts'
import type { ComponentStream } from './component-stream.ts'
import type { Components } from './settings.ts'

/** The most streams of one component. */
const MAX_STREAMS = 16
/** Stream errors by which a component says that it ends, and not that it refuses what it was sent. */
const FAREWELLS: ReadonlySet<string> = new Set(['system-shutdown', 'conflict', 'reset', 'connection-timeout'])

interface Connected { streams: readonly ComponentStream[], readonly links: Set<ComponentLink> }

export class Connections implements Links {
  readonly #components: Components
  readonly #log: Logger
  readonly #connected = new Map<string, Connected>()
  readonly #answering = new Set<string>()

  constructor (components: Components, log: Logger) {
    this.#components = components
    this.#log = log
  }

  /** A component has proven itself: its stream replaces another, or shares the work with it. */
  add (stream: ComponentStream): void {
    const { domain, address } = stream
    const connected = this.#connected.get(domain) ?? { streams: [], links: new Set() }
    this.#connected.set(domain, connected)
    const others = connected.streams
    const mayShare = this.#components[domain]?.connections === 'many' && others.length < MAX_STREAMS
    const over = mayShare ? [] : others.slice(0, 1)
    connected.streams = [...others.filter(other => !over.includes(other)), stream]
    this.#log.info({ event: 'component.connected', domain, address, tls: stream.tls, stream: stream.stream.id },
      'component: connected')
    for (const other of over) other.stream.close(replaced())
    for (const link of connected.links) link.share(connected.streams)
  }

  /** The stream is over. */
  remove (stream: ComponentStream, reason: Error | undefined): void {
    const { domain } = stream
    const connected = this.#connected.get(domain)
    this.#log.info({ event: 'component.disconnected', domain, stream: stream.stream.id, reason: reason?.message },
      'component: disconnected')
    if (!connected) return
    connected.streams = connected.streams.filter(other => other !== stream)
    if (connected.streams.length === 0) this.#connected.delete(domain)
    const links = [...connected.links]
    connected.links.clear()
    for (const link of links) link.lost(lossBy(reason))
  }

  /** A component that has one connection has connected to another node. */
  replacedElsewhere (domain: string): void {
    if (this.#components[domain]?.connections === 'many') return
    for (const { stream } of this.#connected.get(domain)?.streams ?? []) stream.close(replaced())
  }

  /** Those of the components that are connected. */
  get domains (): readonly string[] {
    return [...this.#connected.keys()]
  }

  /** Whether there is a component of that domain. */
  isComponent (domain: string): boolean {
    return Object.hasOwn(this.#components, domain)
  }

  isConnected (domain: string): boolean {
    return this.#connected.has(domain)
  }

  /** A link to the component, whose domain is `remote`. */
  async open (local: string, remote: string): Promise<Link> {
    const connected = this.#connected.get(remote)
    if (!connected) throw new LinkError('unreachable', 'the component is not connected')
    const link = new ComponentLink(local, remote, connected.streams, closed => { connected.links.delete(closed) })
    connected.links.add(link)
    return link
  }

  answersPings (domain: string): boolean {
    return this.#answering.has(domain)
  }

  /** The component has answered a ping. */
  answered (domain: string): void {
    this.#answering.add(domain)
  }

  /** For the administrator: one for each stream. */
  get pairs (): readonly ProvenPair[] {
    return [...this.#connected.values()].flatMap(({ streams }) => streams.flatMap(({ pair }) => pair ?? []))
  }
}

function replaced (): StreamError {
  return new StreamError('conflict', 'another connection takes over')
}

function lossBy (reason: Error | undefined): LinkError {
  if (reason instanceof StreamFault && !FAREWELLS.has(reason.condition)) {
    return new LinkError('refused', `the component has ended its stream with an error: ${reason.condition}`)
  }
  return new LinkError('unreachable', 'the component has disconnected')
}
