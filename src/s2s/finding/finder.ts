/**
 * Finds the servers of a domain (RFC 6120 §3.2, XEP-0368): by the configured address, as an IP address, by SRV records
 * of both kinds, or as the host of that name. Nothing is remembered: resolvers do that, and know for how long.
 */
import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { certificateName } from '../../net/certificate-pair.ts'
import type { HostPort } from '../settings.ts'
import { inOrder } from './endpoint.ts'
import type { Endpoint, WeightedEndpoint } from './endpoint.ts'

const DEFAULT_PORT = 5269
/** What is taken of an answer, and of all services together: each costs two more questions. */
const MAX_SERVICES = 16
const MAX_ENDPOINTS = 10
const MAX_ADDRESSES = 8
/** The time for the first try of a query; the second takes twice as long. */
const TRY_MS = 2_000
const TRIES = 2
/** There is no such name, it has no such records, or there can be none of that name. */
const ABSENT: readonly unknown[] = ['ENOTFOUND', 'ENODATA', 'EBADNAME']

/** There is no such domain, or it has no server: final. The message is a sentence. */
export class NotFound extends Error {}

export class Finder {
  readonly #resolver: Resolver
  readonly #addressOf: (domain: string) => HostPort | undefined

  constructor (resolver: 'system' | HostPort, addressOf: (domain: string) => HostPort | undefined) {
    this.#resolver = new Resolver({ timeout: TRY_MS, tries: TRIES })
    this.#addressOf = addressOf
    if (resolver === 'system') return
    const { host, port } = resolver
    this.#resolver.setServers([host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`])
  }

  /** The endpoints in the order in which they are tried; rejects with NotFound, or another error for now. */
  async find (domain: string): Promise<readonly Endpoint[]> {
    const configured = this.#addressOf(domain)
    if (configured) return [{ ...configured, isDirectTls: false, priority: 0 }]
    const host = certificateName(domain)
    if (isIP(host)) return [endpointAt(host)]
    const [direct, plain] = await Promise.allSettled([
      this.#services(`_xmpps-server._tcp.${host}`, true), this.#services(`_xmpp-server._tcp.${host}`, false),
    ])
    const services = [direct, plain].flatMap(found => found.status === 'fulfilled' ? found.value : [])
    // RFC 2782: the target "." says that the service is not offered, and then the host's address does not count.
    const offered = services.filter(({ host }) => host !== '' && host !== '.')
    if (offered.length > 0) return inOrder(offered).slice(0, MAX_ENDPOINTS)
    if (services.length > 0) throw new NotFound('its DNS records say that it has no server')
    const failed = [direct, plain].find(found => found.status === 'rejected')
    return this.#atHost(host, failed?.reason)
  }

  /** The addresses of a host, in one family; rejects where that can't be found out. */
  async lookUp (host: string, family: 4 | 6): Promise<readonly string[]> {
    if (isIP(host)) return isIP(host) === family ? [host] : []
    if (host === 'localhost') return [family === 4 ? '127.0.0.1' : '::1'] // RFC 6761 §6.3
    const found = family === 4 ? this.#resolver.resolve4(host) : this.#resolver.resolve6(host)
    return (await orNone(found)).slice(0, MAX_ADDRESSES)
  }

  /** Rejects what is being asked. */
  cancel (): void {
    this.#resolver.cancel()
  }

  // RFC 6120 §3.2.2.
  async #atHost (host: string, failure: unknown): Promise<readonly Endpoint[]> {
    const [v6, v4] = await Promise.allSettled([this.lookUp(host, 6), this.lookUp(host, 4)])
    const addresses = [v6, v4].flatMap(found => found.status === 'fulfilled' ? found.value : [])
    if (addresses.length > 0) return addresses.map(endpointAt)
    const failed = [v6, v4].find(found => found.status === 'rejected')
    const reason: unknown = failure ?? failed?.reason
    if (reason !== undefined) throw reason
    throw new NotFound('it has neither a service nor an address in DNS')
  }

  async #services (name: string, isDirectTls: boolean): Promise<readonly WeightedEndpoint[]> {
    const records = await orNone(this.#resolver.resolveSrv(name))
    return records.slice(0, MAX_SERVICES)
      .map(({ name, port, priority, weight }) => ({ host: name, port, priority, weight, isDirectTls }))
  }
}

function endpointAt (address: string): Endpoint {
  return { host: address, port: DEFAULT_PORT, isDirectTls: false, priority: 0 }
}

function orNone<T> (found: Promise<T[]>): Promise<T[]> {
  return found.catch((error: NodeJS.ErrnoException) => {
    if (ABSENT.includes(error.code)) return []
    throw new Error(`DNS gives no answer (${error.code ?? error.message})`)
  })
}
