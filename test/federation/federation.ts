/** Servers of several domains beside each other on loopback, with a name server and an authority of their own. */
import { Authority } from '../support/authority.ts'
import { DnsServer } from '../support/dns/dns-server.ts'
import { EJABBERD, startEjabberd } from './ejabberd.ts'
import { Person } from './person.ts'
import { PROSODY, startProsody } from './prosody.ts'
import { whyNo, type FederatedServer, type Neighbourhood, type Trust } from './server.ts'

export type Kind = 'prosody' | 'ejabberd'

const STARTS: Readonly<Record<Kind, (neighbourhood: Neighbourhood) => Promise<FederatedServer>>> = {
  prosody: startProsody, ejabberd: startEjabberd,
}

/** Why one of them is not there; nothing when all are. */
export function whyNoPeers (...kinds: readonly Kind[]): string | undefined {
  const missing = { prosody: whyNo(PROSODY, 'Prosody'), ejabberd: whyNo(EJABBERD, 'ejabberd') }
  const reasons = kinds.flatMap(kind => missing[kind] ?? [])
  return reasons.length === 0 ? undefined : `no federation is tested: ${reasons.join(', ')}`
}

export class Federation implements AsyncDisposable {
  readonly neighbourhood: Neighbourhood
  readonly servers = new Map<string, FederatedServer>()
  readonly #people: Person[] = []

  private constructor (neighbourhood: Neighbourhood) {
    this.neighbourhood = neighbourhood
  }

  /** Starts these servers, each with its own domain: `prosody.example`, `ejabberd.example`. */
  static async start (trust: Trust, ...kinds: readonly Kind[]): Promise<Federation> {
    const federation = new Federation({ trust, authority: new Authority(), dns: await DnsServer.start() })
    try {
      await Promise.all(kinds.map(async kind => federation.#add(await STARTS[kind](federation.neighbourhood))))
    } catch (error) {
      await federation[Symbol.asyncDispose]()
      throw error
    }
    return federation
  }

  /** Somebody new at a domain, online. */
  async arrive (jid: string, resource?: string): Promise<Person> {
    const person = await Person.arrive(this.#port(jid), jid, resource)
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
    await Promise.all([...this.servers.values()].map(server => server.remove()))
    await this.neighbourhood.dns[Symbol.asyncDispose]()
  }

  #add (server: FederatedServer): void {
    this.servers.set(server.domain, server)
  }

  #port (jid: string): number {
    const [, domain = ''] = jid.split('@')
    const server = this.servers.get(domain)
    if (!server) throw new Error(`there is no server of ${domain}`)
    return server.place.ports.client
  }
}
