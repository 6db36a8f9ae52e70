/**
 * Many nodes that are one server: processes with a Redis of their own, a database of their own, a balancer in front.
 */
import { execFile } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { startRedis } from '../support/redis/redis.ts'
import type { TestRedis } from '../support/redis/redis.ts'
import { freePort } from '../../conformance/peers/free-port.ts'
import { endProgram, makeFolder, startProgram } from '../../conformance/peers/server.ts'
import { createDatabase } from '../support/run/database.ts'
import { Balancer, isReady } from './balancer.ts'
import { Valve } from './valve.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
const READY_MS = 60_000

const run = promisify(execFile)

interface NodeParts {
  readonly name: string
  readonly folder: string
  readonly port: number
  readonly httpPort: number
  readonly database: string
  readonly sessions: string
  readonly settings: NodeSettings
}

/** Keys of the configuration besides, and of its `listen`. */
export interface NodeSettings extends Readonly<Record<string, unknown>> {
  readonly listen?: Readonly<Record<string, unknown>>
}

/** One process. */
export class Node {
  readonly name: string
  readonly port: number
  readonly httpPort: number
  readonly #config: string
  readonly #folder: string
  #child: ChildProcess | undefined
  /** What it has said, in all its runs: warnings and errors. */
  readonly log: string[] = []

  constructor ({ name, folder, port, httpPort, database, sessions, settings: { listen, ...settings } }: NodeParts) {
    this.name = name
    this.port = port
    this.httpPort = httpPort
    this.#folder = folder
    this.#config = join(folder, `${name}.yaml`)
    writeFileSync(this.#config, stringify({
      node: name, data: join(folder, name), database, sessions,
      listen: { 'client': `127.0.0.1:${port}`, 'client-tls': [], 'http': `127.0.0.1:${httpPort}`, ...listen },
      auth: { 'require-tls': false },
      registration: { 'open': true, 'per-address': 0 },
      limits: { 'streams-per-address': 0, 'bytes-per-second': 0, 'failed-logins-per-minute': 0 },
      log: { level: 'warn' },
      extensions: { 'stream-management': { queue: 100_000 } },
      ...settings,
    }))
  }

  /** Resolves when it is ready for clients. */
  async start (): Promise<void> {
    const parameters = [MAIN, 'serve', '--config', this.#config]
    this.#child = await startProgram(process.execPath, parameters, this.port, { cwd: this.#folder })
    for (const output of [this.#child.stdout, this.#child.stderr]) {
      output?.on('data', (text: string) => { this.log.push(...text.trimEnd().split('\n')) })
    }
    await this.ready()
  }

  async ready (): Promise<void> {
    const until = Date.now() + READY_MS
    while (!await isReady(this)) {
      if (Date.now() > until) throw new Error(`node ${this.name} is not ready:\n${this.log.join('\n')}`)
      await setTimeout(50)
    }
  }

  /** Resolves when it is gone. */
  async kill (): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  /** Resolves with its exit code. */
  async drain (how: 'signal' | 'command'): Promise<number | null> {
    const child = this.#child
    if (!child) return null
    const gone = once(child, 'exit')
    if (how === 'signal') child.kill('SIGTERM')
    else await this.#command('drain')
    await gone
    return child.exitCode
  }

  freeze (): void {
    this.#child?.kill('SIGSTOP')
  }

  thaw (): void {
    this.#child?.kill('SIGCONT')
  }

  /** The ids of all nodes, as this one tells its administrator. */
  async status (): Promise<readonly string[]> {
    return [...(await this.report()).matchAll(/^node +(\S+):/gm)].map(([, id = '']) => id).sort()
  }

  /** All that it tells its administrator. */
  report (): Promise<string> {
    return this.#command('status')
  }

  async #command (command: string): Promise<string> {
    return (await run(process.execPath, [MAIN, command, '--config', this.#config])).stdout
  }

  async end (): Promise<void> {
    this.thaw()
    if (this.#child) await endProgram(this.#child)
  }
}

/** Three of them, and all that they need. */
export class Nodes implements AsyncDisposable {
  readonly nodes: readonly [Node, Node, Node]
  readonly balancer: Balancer
  readonly redis: TestRedis
  /** Between the first node and Redis. */
  readonly toRedis: Valve
  /** Between all nodes and PostgreSQL. */
  readonly toDatabase: Valve
  readonly #folder: string
  readonly #dropDatabase: () => Promise<void>

  private constructor (parts: Pick<Nodes, 'nodes' | 'balancer' | 'redis' | 'toRedis' | 'toDatabase'> & {
    readonly folder: string
    readonly dropDatabase: () => Promise<void>
  }) {
    this.nodes = parts.nodes
    this.balancer = parts.balancer
    this.redis = parts.redis
    this.toRedis = parts.toRedis
    this.toDatabase = parts.toDatabase
    this.#folder = parts.folder
    this.#dropDatabase = parts.dropDatabase
  }

  /** With a database in the PostgreSQL of this address, which is one of a socket; `settings` by the node's name. */
  static async start (
    postgresUrl: string, settings: (node: string) => NodeSettings = () => ({}),
  ): Promise<Nodes> {
    const folder = makeFolder('faults-nodes')
    const { name, drop } = await createDatabase(postgresUrl)
    const redis = await startRedis()
    const toRedis = await Valve.before({ port: Number(new URL(redis.url).port), host: '127.0.0.1' })
    const toDatabase = await Valve.before({
      path: join(new URL(postgresUrl).searchParams.get('host') ?? '', '.s.PGSQL.5432'),
    })
    const database = `postgres://heliograph@127.0.0.1:${toDatabase.port}/${name}`
    const make = async (node: string, sessions: string): Promise<Node> => new Node({
      name: node, folder, port: await freePort(), httpPort: await freePort(), database, sessions,
      settings: settings(node),
    })
    const nodes = new Nodes({
      folder, redis, toRedis, toDatabase, balancer: await Balancer.open(),
      nodes: [
        await make('a', `redis://127.0.0.1:${toRedis.port}`), await make('b', redis.url), await make('c', redis.url),
      ],
      dropDatabase: drop,
    })
    return nodes.#started()
  }

  async #started (): Promise<this> {
    try {
      await Promise.all(this.nodes.map(node => node.start()))
      await this.balancer.serve(this.nodes)
      return this
    } catch (error) {
      await this[Symbol.asyncDispose]()
      throw error
    }
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    this.balancer.end()
    this.toRedis.open()
    this.toDatabase.open()
    await Promise.all(this.nodes.map(node => node.kill()))
    await this.redis.stop()
    this.toRedis.end()
    this.toDatabase.end()
    await this.#dropDatabase()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
