/** Servers of ours, each with its own domain, and a bad network before each: what others send comes through it. */
import { inject } from 'vitest'
import { Authority } from '../support/authority.ts'
import { DnsServer } from '../support/dns/dns-server.ts'
import { createDatabase } from '../support/run/database.ts'
import { introduce, waitUntil } from '../faults/load.ts'
import type { Pair } from '../faults/load.ts'
import { BadNetwork } from '../faults/network.ts'
import type { Manner } from '../faults/talk.ts'
import { startHeliograph } from './heliograph.ts'
import type { FederatedServer, Neighbourhood } from './server.ts'

/** The time for a server to connect to another again. */
const CONNECT_MS = 20_000

export class Islands implements AsyncDisposable {
  readonly neighbourhood: Neighbourhood
  readonly servers: FederatedServer[] = []
  /** One before each server. */
  readonly networks: BadNetwork[] = []

  readonly #databases: { drop (): Promise<void> }[] = []

  private constructor (neighbourhood: Neighbourhood) {
    this.neighbourhood = neighbourhood
  }

  static async start (...domains: readonly string[]): Promise<Islands> {
    const islands = new Islands({ trust: 'certificate', authority: new Authority(), dns: await DnsServer.start() })
    try {
      for (const domain of domains) await islands.#add(domain)
    } catch (error) {
      await islands[Symbol.asyncDispose]()
      throw error
    }
    return islands
  }

  async #add (domain: string): Promise<void> {
    const database = await createDatabase(inject('postgresUrl'))
    this.#databases.push(database)
    const server = await startHeliograph(this.neighbourhood, {}, domain, {
      database: database.url,
      limits: { 'streams-per-address': 0, 'bytes-per-second': 0, 'failed-logins-per-minute': 0 },
      log: { level: 'info', pretty: false },
    })
    this.servers.push(server)
    const network = await BadNetwork.before(server.place.ports.server)
    this.networks.push(network)
    for (const name of [server.domain, `conference.${server.domain}`]) {
      this.neighbourhood.dns.names.set(`_xmpp-server._tcp.${name}`, { srv: [{ port: network.port, target: 'localhost' }] })
    }
  }

  /** Somebody of each server, who writes to somebody of each other one. */
  async meet (manner: Manner, count = 1): Promise<readonly Pair[]> {
    const pairs: Pair[] = []
    for (const from of this.servers) {
      for (const to of this.servers) {
        for (let number = 0; from !== to && number < count; number++) {
          const name = `${pairs.length}`
          pairs.push(await introduce(
            { jid: `romeo${name}@${from.domain}`, port: from.place.ports.client },
            { jid: `juliet${name}@${to.domain}`, port: to.place.ports.client }, manner))
        }
      }
    }
    return pairs
  }

  /** Cuts a connection between servers, as soon as there is one. */
  async cutAny (): Promise<void> {
    const before = this.cut
    await waitUntil(() => {
      for (const network of this.networks) network.cutAny()
      return this.cut > before
    }, CONNECT_MS)
  }

  /** How many connections between servers were cut. */
  get cut (): number {
    return this.networks.reduce((sum, { cut }) => sum + cut, 0)
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    for (const network of this.networks) network.end()
    await Promise.all(this.servers.map(server => server.remove()))
    await Promise.all(this.#databases.map(database => database.drop()))
    await this.neighbourhood.dns[Symbol.asyncDispose]()
  }
}
