/**
 * A server under load: kept on one core, started again for each measurement on the data of the last. What the three
 * differ in is in the files beside this one; their processes are started and ended as those of the conformance runs.
 */
import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { endProgram, freePort, makeCertificate, makeFolder } from '../../conformance/peers/server.ts'
import type { Owner } from '../../conformance/peers/server.ts'
import type { DatabaseAddress, SharedDatabase } from '../database.ts'
import type { ServerName } from '../options.ts'
import { cpuSeconds, memoryKilobytes, startPinned } from '../processes.ts'

/** A server as the rounds know it. */
export interface Server {
  readonly name: ServerName
  readonly folder: string
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
  readonly folder: string
  readonly port: number
  readonly certificate: string
  readonly key: string
  /** Where it keeps every message on both sides; nothing where it keeps none. */
  readonly archive: DatabaseAddress | undefined
}

export interface Command {
  readonly program: string
  readonly parameters: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export class Peer implements Server {
  readonly name: ServerName
  readonly folder: string
  readonly #kind: Kind
  readonly #core: number | undefined
  readonly #certificate: { readonly certificate: string, readonly key: string }
  readonly #database: SharedDatabase | undefined
  #archive: DatabaseAddress | undefined
  #child: ChildProcess | undefined
  #port = 0

  /** One with a database archives in it. */
  constructor (kind: Kind, core: number | undefined, database?: SharedDatabase) {
    kind.require(database !== undefined)
    const owner = kind.owner()
    this.name = kind.name
    this.folder = makeFolder(kind.name, owner)
    this.#kind = kind
    this.#core = core
    this.#database = database
    this.#certificate = makeCertificate(this.folder, owner)
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
    return { server: cpuSeconds(this.#pid), redis: 0, postgres: this.#database ? cpuSeconds(this.#database.pid) : 0 }
  }

  memoryKilobytes (): number {
    return memoryKilobytes(this.#pid)
  }

  async countArchived (): Promise<number> {
    if (!this.#archive || !this.#database) return 0
    return this.#database.count(this.#archive.database, this.#kind.archiveTable)
  }

  /** Starts it on another port each time, so that the last start's connections are nobody's trouble. */
  async start (): Promise<void> {
    this.#port = await freePort()
    this.#archive ??= await this.#database?.create(this.name, this.#schema())
    const { program, parameters, env } = this.#kind.configure({
      folder: this.folder, port: this.#port, ...this.#certificate, archive: this.#archive,
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

  #schema (): string | undefined {
    return this.#kind.schema === undefined ? undefined : readFileSync(this.#kind.schema, 'utf8')
  }
}
