/**
 * A server under load: kept on one core, started again for each measurement on the data of the last. What the three
 * differ in is in the files beside this one; their processes are started and ended as those of the conformance runs.
 */
import type { ChildProcess } from 'node:child_process'
import { chownSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../conformance/peers/free-port.ts'
import { endProgram, makeCertificate, makeFolder } from '../../conformance/peers/server.ts'
import type { CertificateFiles, Owner } from '../../conformance/peers/server.ts'
import type { Authority } from '../../test/support/authority.ts'
import type { DnsServer } from '../../test/support/dns/dns-server.ts'
import type { DatabaseAddress, SharedDatabase } from '../database.ts'
import type { ServerName } from '../options.ts'
import { cpuSeconds, memoryKilobytes, startPinned } from '../processes.ts'

/** A server as the rounds know it. */
export interface Server {
  readonly name: ServerName
  readonly folder: string
  readonly domain: string
  /** Where clients connect: one for each of its nodes. */
  readonly ports: readonly number[]
  /** Seconds of processor time, of all that is needed for its work. */
  cpuSeconds (): Costs
  /** What it has in memory, without the database in which it archives. */
  memoryKilobytes (): number
  /** How many copies of messages its archive holds. */
  countArchived (): Promise<number>
  start (): Promise<void>
  stop (): Promise<void>
}

/** By what was needed. */
export type Costs = Readonly<Record<'server' | 'redis' | 'postgres', number>>

/** What a server's own file knows of it. */
export interface Kind {
  readonly name: ServerName
  /** Its program is there, or installed now, with what it needs to archive; or an error that says what to do. */
  readonly require: (archives: boolean) => void
  /** Whom it runs as when the bench is root's. */
  readonly owner: () => Owner | undefined
  /** The file of the tables that it does not make itself, and the one that holds a row for each copy of a message. */
  readonly schema?: string
  readonly archiveTable: string
  /** Writes its config and says how it is started. */
  readonly configure: (place: Place) => Command
}

export interface Place {
  readonly domain: string
  readonly folder: string
  readonly port: number
  readonly certificate: string
  readonly key: string
  /** Where it keeps every message on both sides; nothing where it keeps none. */
  readonly archive: DatabaseAddress | undefined
  /** Where it talks to other servers, how it finds them, and the file of the authority that vouches for all of them. */
  readonly federation: FederationPlace | undefined
}

export interface FederationPlace {
  readonly port: number
  readonly authority: string
  readonly dns: { readonly host: string, readonly port: number }
}

/** What the servers that talk to each other share. */
export interface Neighbourhood { readonly authority: Authority, readonly dns: DnsServer }

/** The name at which a service is; ejabberd asks the system for the address of it. */
const TARGET = 'localhost'

export interface Command {
  readonly program: string
  readonly parameters: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export class Peer implements Server {
  readonly name: ServerName
  readonly domain: string
  readonly folder: string
  readonly #kind: Kind
  readonly #core: number | undefined
  readonly #certificate: CertificateFiles
  readonly #neighbourhood: Neighbourhood | undefined
  readonly #database: SharedDatabase | undefined
  #archive: DatabaseAddress | undefined
  #child: ChildProcess | undefined
  #port = 0

  /** One with a database archives in it. One with a neighbourhood talks to the other servers there. */
  constructor (
    kind: Kind, core: number | undefined, database?: SharedDatabase, neighbourhood?: Neighbourhood, domain = 'localhost',
  ) {
    kind.require(database !== undefined)
    const owner = kind.owner()
    this.name = kind.name
    this.domain = domain
    this.folder = makeFolder(kind.name, owner)
    this.#kind = kind
    this.#core = core
    this.#database = database
    this.#neighbourhood = neighbourhood
    this.#certificate = neighbourhood
      ? issueCertificate(neighbourhood.authority, this.folder, owner, domain)
      : makeCertificate(this.folder, owner)
  }

  get ports (): readonly number[] {
    return [this.#port]
  }

  get #pid (): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error(`${this.name} is not running`)
    return pid
  }

  cpuSeconds (): Costs {
    const embedded = cpuSeconds(this.#pid, 'postgres')
    const shared = this.#database ? cpuSeconds(this.#database.pid) : 0
    return { server: cpuSeconds(this.#pid) - embedded, redis: 0, postgres: embedded + shared }
  }

  memoryKilobytes (): number {
    return memoryKilobytes(this.#pid)
  }

  async countArchived (): Promise<number> {
    return this.countRows(this.#kind.archiveTable)
  }

  /** None where it does not archive. */
  async countRows (table: string): Promise<number> {
    return this.#archive ? this.#database?.count(this.#archive.database, table) ?? 0 : 0
  }

  /** Starts it on another port each time, so that the last start's connections are nobody's trouble. */
  async start (): Promise<void> {
    this.#port = await freePort()
    this.#archive ??= await this.#database?.create(this.name, this.#schema())
    const { program, parameters, env } = this.#kind.configure({
      domain: this.domain, folder: this.folder, port: this.#port, ...this.#certificate, archive: this.#archive,
      federation: await this.#federate(),
    })
    this.#child = await startPinned(this.#core, program, parameters, this.#port, {
      cwd: this.folder, env: { ...process.env, ...env }, ...this.#kind.owner(),
    })
  }

  async stop (): Promise<void> {
    if (this.#child) await endProgram(this.#child)
    this.#child = undefined
    if (this.#archive) await this.#database?.settle(this.#archive.database)
  }

  async #federate (): Promise<FederationPlace | undefined> {
    if (!this.#neighbourhood) return
    const { dns } = this.#neighbourhood
    const port = await freePort()
    dns.names.set(`_xmpp-server._tcp.${this.domain}`, { srv: [{ port, target: TARGET }], ttl: 0 })
    dns.names.set(TARGET, { a: ['127.0.0.1'] })
    return { port, authority: authorityFile(this.folder), dns: { host: dns.host, port: dns.port } }
  }

  #schema (): string | undefined {
    return this.#kind.schema === undefined ? undefined : readFileSync(this.#kind.schema, 'utf8')
  }
}

function issueCertificate (
  authority: Authority, folder: string, owner: Owner | undefined, domain: string,
): CertificateFiles {
  const { certificate, key } = authority.issue({ hosts: [domain, `conference.${domain}`] })
  const files = { certificate: join(folder, 'server.crt'), key: join(folder, 'server.key') }
  writeFileSync(files.certificate, certificate)
  writeFileSync(files.key, key)
  writeFileSync(authorityFile(folder), authority.certificate)
  if (owner) for (const file of Object.values(files)) chownSync(file, owner.uid, owner.gid)
  return files
}

function authorityFile (folder: string): string {
  return join(folder, 'authority.crt')
}
