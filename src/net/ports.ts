/** Opens ports, behind balancers where there are any; says in a sentence why one can not be opened. */
import type { AddressInfo, Server } from 'node:net'
import type { Logger } from '../log.ts'
import { parseListenAddress } from './addresses.ts'
import type { ListenAddress } from './addresses.ts'
import { ProxyGate } from './proxy-protocol.ts'

export interface PortOptions {
  /** The key of the config that holds the addresses: an administrator is told by it. */
  readonly key: string
  readonly log: Logger
}

/** ADDRESS:PORT, which with `balancers` (addresses, networks) can be reached through these only (PROXY protocol). */
export type PortAddress = string | { readonly at: string, readonly balancers: readonly string[] }

/** Asked for; the system caps it (net.core.somaxconn). Thousands of clients come back at once after a restart. */
const BACKLOG = 4096

/** Ports that are open. */
export class Ports<S extends Server = Server> {
  readonly servers: readonly S[]
  readonly #gates: readonly ProxyGate[]

  constructor (servers: readonly S[], gates: readonly ProxyGate[]) {
    this.servers = servers
    this.#gates = gates
  }

  /** Where they listen: for port 0, what came of it. */
  get addresses (): readonly AddressInfo[] {
    return this.servers.map(server => server.address())
      .filter(address => typeof address === 'object' && address !== null)
  }

  /** Accepts no more; what has come in goes on. */
  stop (): void {
    for (const server of this.servers) server.close()
    for (const gate of this.#gates) gate.close()
  }
}

/** Opens a port on each address with a server of its own; all or none. */
export async function openPorts<S extends Server> (
  addresses: readonly PortAddress[], options: PortOptions, create: () => S,
): Promise<Ports<S>> {
  const { key, log } = options
  const texts = addresses.map(address => typeof address === 'string' ? address : address.at)
  const servers: S[] = []
  const gates: ProxyGate[] = []
  try {
    for (const [index, text] of texts.entries()) {
      const server = create()
      for (const gate of gateOf(addresses[index], options, server)) gates.push(gate)
      servers.push(await openPort(text, texts, key, server))
    }
  } catch (error) {
    for (const server of servers) server.close()
    throw error
  }
  // No descriptors left for a connection: it is lost, the port stays open.
  for (const server of servers) {
    server.on('error', err => log.warn({ event: 'listener.accept_failed', err, key }, 'listener: connection not accepted'))
  }
  return new Ports(servers, gates)
}

function gateOf (address: PortAddress | undefined, options: PortOptions, server: Server): readonly ProxyGate[] {
  if (typeof address !== 'object' || address.balancers.length === 0) return []
  const gate = new ProxyGate(address.balancers, options)
  gate.guard(server)
  return [gate]
}

function openPort<S extends Server> (text: string, all: readonly string[], key: string, server: S): Promise<S> {
  const address = parseListenAddress(text)
  if (!address) return Promise.reject(new Error(`${key}: "${text}" is not ADDRESS:PORT`))
  // Where IPv4 has the port as well, [::] must not take it for both.
  const isV6Only = address.host === '::' && all.some(other => isV4Twin(address, parseListenAddress(other)))
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(new Error(describeFailure(error, text, key), { cause: error }))
    server.once('error', fail)
    server.listen({ host: address.host, port: address.port, backlog: BACKLOG, ipv6Only: isV6Only }, () => {
      server.off('error', fail)
      resolve(server)
    })
  })
}

function isV4Twin (address: ListenAddress, other: ListenAddress | undefined): boolean {
  return other?.port === address.port && !other.host.includes(':')
}

function describeFailure (error: NodeJS.ErrnoException, text: string, key: string): string {
  switch (error.code) {
    case 'EADDRINUSE': return `${key}: ${text} is already in use, perhaps by another server that runs here`
    case 'EACCES': return `${key}: this user may not listen on ${text} (ports below 1024 need a privilege)`
    case 'EADDRNOTAVAIL': return `${key}: this machine has no address to listen on ${text}`
    default: return `${key}: can not listen on ${text}: ${error.message}`
  }
}
