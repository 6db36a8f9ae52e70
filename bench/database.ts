/**
 * The one PostgreSQL in which all servers archive: Heliograph's embedded one with its settings, a database for each, on
 * a loopback port, which is what all of them can connect to. Its processes are counted with those of the server.
 */
import { join } from 'node:path'
import type { ChildProcess } from 'node:child_process'
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { freePort } from '../conformance/peers/free-port.ts'
import { endProgram, makeFolder } from '../conformance/peers/server.ts'
import { ENVIRONMENT, findBinaries } from '../src/storage/embedded-binaries.ts'
import { chooseUser, createCluster } from '../src/storage/embedded-cluster.ts'
import { startPinned } from './processes.ts'

export const SUPERUSER = 'heliograph'
/** SQLSTATE cannot_connect_now. */
const STARTING = '57P03'
const POLL_MS = 100

/** Where one server's database is. */
export interface DatabaseAddress { readonly port: number, readonly user: string, readonly database: string }

export class SharedDatabase {
  readonly folder: string
  readonly #port: number
  readonly #child: ChildProcess

  private constructor (folder: string, port: number, child: ChildProcess) {
    this.folder = folder
    this.#port = port
    this.#child = child
  }

  /** Makes a cluster and starts it, on the core of the servers. */
  static async start (core: number | undefined): Promise<SharedDatabase> {
    const folder = makeFolder('postgres')
    const cluster = join(folder, 'postgres')
    const runAs = await chooseUser(cluster)
    const native = await findBinaries(folder, runAs)
    await createCluster(cluster, native, runAs)
    const port = await freePort()
    const parameters = [
      '-D',
      cluster,
      '-p',
      String(port),
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'unix_socket_directories=',
    ]
    const program = join(native, 'bin', 'postgres')
    const child = await startPinned(core, program, parameters, port, { ...runAs, cwd: cluster, env: ENVIRONMENT })
    const database = new SharedDatabase(folder, port, child)
    await database.#started()
    return database
  }

  /** It takes connections before it answers. */
  async #started (): Promise<void> {
    for (;;) {
      try {
        await this.query('postgres', 'select')
        return
      } catch (error) {
        if (!(error instanceof pg.DatabaseError) || error.code !== STARTING) throw error
        await setTimeout(POLL_MS)
      }
    }
  }

  get pid (): number {
    return this.#child.pid ?? 0
  }

  /** A database of a server's own, with the tables of its packager's file where it does not make them itself. */
  async create (database: string, schema?: string): Promise<DatabaseAddress> {
    await this.query('postgres', `create database ${database}`)
    if (schema !== undefined) await this.query(database, schema)
    return { port: this.#port, user: SUPERUSER, database }
  }

  /** Writes out and tidies up what a server has left, so that the next one does not pay for it. */
  async settle (database: string): Promise<void> {
    await this.query(database, 'vacuum analyze')
    await this.query(database, 'checkpoint')
  }

  /** How many rows a table has; none where a server has not made it yet. */
  async count (database: string, table: string): Promise<number> {
    const [found] = await this.query<{ exists: boolean }>(
      database,
      `select to_regclass('${table}') is not null as "exists"`,
    )
    if (!found?.exists) return 0
    const [counted] = await this.query<{ count: string }>(database, `select count(*) from ${table}`)
    return Number(counted?.count)
  }

  async query<Row> (database: string, text: string): Promise<readonly Row[]> {
    const client = new pg.Client({ host: '127.0.0.1', port: this.#port, user: SUPERUSER, database })
    await client.connect()
    try {
      const { rows } = await client.query(text)
      return rows
    } finally {
      await client.end()
    }
  }

  async stop (): Promise<void> {
    await endProgram(this.#child)
  }
}
