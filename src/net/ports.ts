/** Opens ports, with the PROXY protocol where they are behind balancers. */
import type { AddressInfo, Server } from 'node:net'
import type { Logger } from '../log.ts'
import { parseListenAddress } from './addresses.ts'
import type { ListenAddress } from './addresses.ts'
import { ProxyGate } from './proxy-protocol.ts'

export interface PortOptions {
  /** The config key of the addresses, for error messages. */
  readonly key: string
  readonly log: Logger
}

/** ADDRESS:PORT; with `balancers` (addresses, networks) it accepts these only, by the PROXY protocol. */
export type PortAddress = string | { readonly at: string, readonly balancers: readonly string[] }

/**
 * The requested backlog, which the system caps (net.core.somaxconn): thousands of clients reconnect after a restart.
 */
const BACKLOG = 4096

/** Open ports. */
export class Ports<S extends Server = Server> {
  readonly servers: readonly S[]
  readonly #gates: readonly ProxyGate[]

  constructor (servers: readonly S[], gates: readonly ProxyGate[]) {
    this.servers = servers
    this.#gates = gates
  }

  /** The addresses in use, with the actual port where 0 was given. */
  get addresses (): readonly AddressInfo[] {
    return this.servers.map(server => server.address())
      .filter(address => typeof address === 'object' && address !== null)
  }

  /** Accepts no more connections; open ones go on. */
  stop (): void {
    for (const server of this.servers) server.close()
    for (const gate of this.#gates) gate.close()
  }
}

/** Opens a port on each address with a server of its own; all or none. Rejects with a sentence for an administrator. */
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
  // Without a free file descriptor a connection is lost, but the port stays open.
  for (const server of servers) {
    server.on('error', err => {
      log.warn({ event: 'listener.accept_failed', err, key }, 'listener: connection not accepted')
    })
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
  // Where IPv4 listens on the same port, [::] must not include it.
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
