/** Servers of several domains beside each other on loopback, with a name server and an authority of their own. */
import { Authority } from '../support/authority.ts'
import { DnsServer } from '../support/dns/dns-server.ts'
import { EJABBERD, startEjabberd } from './ejabberd.ts'
import { HELIOGRAPH, startHeliograph, type FederationKeys } from './heliograph.ts'
import { Person } from './person.ts'
import { PROSODY, startProsody } from './prosody.ts'
import { whyNo, type FederatedServer, type Neighbourhood, type Trust } from './server.ts'

/** How long they may take to start, all of them at once on a machine that is busy. */
export const START_MS = 180_000

export type Kind = 'prosody' | 'ejabberd' | 'heliograph'

type Start = (neighbourhood: Neighbourhood, domain?: string) => Promise<FederatedServer>

const STARTS: Readonly<Record<Kind, Start>> = {
  prosody: startProsody,
  ejabberd: startEjabberd,
  heliograph: (neighbourhood, domain) => startHeliograph(neighbourhood, {}, domain),
}

/** Why one of them is not there; nothing when all are. */
export function whyNoPeers (): string | undefined {
  const reasons = [whyNo(PROSODY, 'Prosody'), whyNo(EJABBERD, 'ejabberd')].filter(reason => reason !== undefined)
  return reasons.length === 0 ? undefined : `no federation is tested: ${reasons.join(', ')}`
}

export class Federation implements AsyncDisposable {
  readonly neighbourhood: Neighbourhood
  readonly #servers = new Map<string, FederatedServer>()
  readonly #people: Person[] = []
  #count = 0

  private constructor (neighbourhood: Neighbourhood) {
    this.neighbourhood = neighbourhood
  }

  /** Starts these servers, each with its own domain: `prosody.example`, `ejabberd.example`, `heliograph.example`. */
  static async start (trust: Trust, ...kinds: readonly Kind[]): Promise<Federation> {
    const federation = new Federation({ trust, authority: new Authority(), dns: await DnsServer.start() })
    try {
      await Promise.all(kinds.map(kind => federation.add(kind)))
    } catch (error) {
      await federation[Symbol.asyncDispose]()
      throw error
    }
    return federation
  }

  /** Somebody new at a domain, online; whoever has that name has a number behind it. */
  async arrive (name: string, domain: string): Promise<Person> {
    const jid = `${name}${++this.#count}@${domain}`
    const person = await Person.arrive(this.#port(jid), jid)
    this.#people.push(person)
    return person
  }

  /** Somebody known, on another device. */
  async logIn (jid: string, resource: string): Promise<Person> {
    const person = await Person.logIn(this.#port(jid), jid, resource)
    this.#people.push(person)
    return person
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    for (const person of this.#people) person.leave()
    await Promise.all([...new Set(this.#servers.values())].map(server => server.remove()))
    await this.neighbourhood.dns[Symbol.asyncDispose]()
  }

  /** The server of a domain that was started. */
  server (domain: string): FederatedServer {
    const server = this.#servers.get(domain)
    if (!server) throw new Error(`there is no server of ${domain}`)
    return server
  }

  /** Starts another one, with its own domain unless that is given. */
  async add (kind: Kind, domain?: string): Promise<FederatedServer> {
    return this.keep(await STARTS[kind](this.neighbourhood, domain))
  }

  /** Ours, with keys of `federation` that are not those of all, and perhaps more domains. */
  async addOurs (keys: FederationKeys, ...others: readonly string[]): Promise<FederatedServer> {
    const server = this.keep(await startHeliograph(this.neighbourhood, keys, HELIOGRAPH, {}, others))
    for (const other of others) this.#servers.set(other, server)
    return server
  }

  /** One that was started elsewhere: people arrive there, and it ends with the others. */
  keep (server: FederatedServer): FederatedServer {
    this.#servers.set(server.domain, server)
    return server
  }

  #port (jid: string): number {
    const [, domain = ''] = jid.split('@')
    return this.server(domain).place.ports.client
  }
}
