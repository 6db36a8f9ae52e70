/**
 * Heliograph as several nodes that are one server: on the bench's PostgreSQL and a Redis of their own, all on one core.
 * Their clients' homes are where they connect, as Redis is empty at each start.
 */
import type { ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../conformance/peers/free-port.ts'
import { endProgram, makeCertificate, makeFolder } from '../../conformance/peers/server.ts'
import { findRedis } from '../../test/support/redis/redis-program.ts'
import type { DatabaseAddress, SharedDatabase } from '../database.ts'
import { nodesName } from '../options.ts'
import type { NodesName } from '../options.ts'
import { cpuSeconds, memoryKilobytes, startPinned } from '../processes.ts'
import { configureHeliograph, databaseUrl, heliograph } from './heliograph.ts'
import type { Costs, Server } from './peer.ts'

export class Nodes implements Server {
  readonly name: NodesName
  readonly domain = 'localhost'
  readonly folder: string
  readonly #count: number
  readonly #core: number | undefined
  readonly #database: SharedDatabase
  readonly #archives: boolean
  readonly #certificate: { readonly certificate: string, readonly key: string }
  #address: DatabaseAddress | undefined
  #redis: ChildProcess | undefined
  #nodes: { readonly port: number, readonly child: ChildProcess }[] = []

  constructor (count: number, core: number | undefined, database: SharedDatabase, archives: boolean) {
    this.name = nodesName(count)
    this.folder = makeFolder(this.name)
    this.#count = count
    this.#core = core
    this.#database = database
    this.#archives = archives
    this.#certificate = makeCertificate(this.folder)
  }

  get ports (): readonly number[] {
    return this.#nodes.map(({ port }) => port)
  }

  cpuSeconds (): Costs {
    return {
      server: this.#nodes.reduce((sum, { child }) => sum + cpuSeconds(child.pid ?? 0), 0),
      redis: cpuSeconds(this.#redis?.pid ?? 0),
      postgres: cpuSeconds(this.#database.pid),
    }
  }

  memoryKilobytes (): number {
    const processes = [this.#redis, ...this.#nodes.map(({ child }) => child)]
    return processes.reduce((sum, child) => sum + memoryKilobytes(child?.pid ?? 0), 0)
  }

  async countArchived (): Promise<number> {
    return this.#address ? this.#database.count(this.#address.database, heliograph.archiveTable) : 0
  }

  async start (): Promise<void> {
    this.#address ??= await this.#database.create(`nodes_${this.#count}${this.#archives ? '_archiving' : ''}`)
    const redisPort = await this.#startRedis()
    for (let number = 0; number < this.#count; number++) await this.#startNode(number, redisPort, this.#address)
  }

  async stop (): Promise<void> {
    await Promise.all(this.#nodes.map(({ child }) => endProgram(child)))
    this.#nodes = []
    if (this.#redis) await endProgram(this.#redis)
    this.#redis = undefined
    if (this.#address) await this.#database.settle(this.#address.database)
  }

  async #startRedis (): Promise<number> {
    const program = findRedis()
    if ('missing' in program) throw new Error(program.missing)
    const port = await freePort()
    const parameters = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', this.folder]
    this.#redis = await startPinned(this.#core, program.path, parameters, port, { cwd: this.folder, env: program.env })
    return port
  }

  async #startNode (number: number, redisPort: number, address: DatabaseAddress): Promise<void> {
    const port = await freePort()
    const folder = join(this.folder, `n${number}`)
    mkdirSync(folder, { recursive: true })
    const archive = this.#archives ? address : undefined
    const place = { domain: this.domain, folder, port, ...this.#certificate, archive, federation: undefined }
    const { program, parameters } = configureHeliograph(place, {
      node: `n${number}`, sessions: `redis://127.0.0.1:${redisPort}`, database: databaseUrl(address),
    })
    this.#nodes.push({ port, child: await startPinned(this.#core, program, parameters, port, { cwd: folder }) })
  }
}
