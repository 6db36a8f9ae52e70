/**
 * The servers of the bench, each of a domain of its own: they find each other by a name server and believe each other
 * by an authority that the bench makes. Where they archive each has a PostgreSQL of its own, to tell costs apart.
 */
import { rmSync } from 'node:fs'
import { Authority } from '../../test/support/authority.ts'
import { DnsServer } from '../../test/support/dns/dns-server.ts'
import { SharedDatabase } from '../database.ts'
import { ejabberd } from '../peers/ejabberd.ts'
import { heliograph } from '../peers/heliograph.ts'
import { Peer } from '../peers/peer.ts'
import { prosody } from '../peers/prosody.ts'
import type { Kind, Way } from './options.ts'

const KINDS = { ours: heliograph, prosody, ejabberd }

export class Field {
  readonly dns: DnsServer
  readonly authority = new Authority()
  readonly #core: number | undefined
  readonly #servers = new Map<string, Peer>()
  readonly #databases: SharedDatabase[] = []

  private constructor (dns: DnsServer, core: number | undefined) {
    this.dns = dns
    this.#core = core
  }

  static async make (core: number | undefined): Promise<Field> {
    return new Field(await DnsServer.start(), core)
  }

  /** Adds a server of `domain`, without accounts and not started. */
  async add (kind: Kind, domain: string, archives: boolean): Promise<Peer> {
    const database = archives ? await SharedDatabase.start(this.#core) : undefined
    if (database) this.#databases.push(database)
    const server = new Peer(KINDS[kind], this.#core, database, { authority: this.authority, dns: this.dns }, domain)
    this.#servers.set(domain, server)
    return server
  }

  get servers (): readonly Peer[] {
    return [...this.#servers.values()]
  }

  /** The two ends of a way. */
  ends ({ from, to }: Way): readonly [sender: Peer, receiver: Peer] {
    const [sender, receiver] = [this.#servers.get(`${from}.example`), this.#servers.get(receiverDomain({ from, to }))]
    if (!sender || !receiver) throw new Error(`there is no server for ${from} to ${to}`)
    return [sender, receiver]
  }

  async remove (keep: boolean): Promise<void> {
    for (const server of this.servers) await server.stop()
    for (const database of this.#databases) await database.stop()
    const folders = [...this.servers, ...this.#databases].map(({ folder }) => folder)
    if (keep) process.stderr.write(`${folders.join('\n')}\n`)
    else for (const folder of folders) rmSync(folder, { recursive: true, force: true })
    await this.dns[Symbol.asyncDispose]()
  }
}

/** The second installation of ours has a domain of its own. */
export function receiverDomain ({ from, to }: Way): string {
  return from === to ? `second-${to}.example` : `${to}.example`
}
