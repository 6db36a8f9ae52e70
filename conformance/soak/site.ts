/** The server that is soaked: one process, or some nodes with a Redis; and a PostgreSQL of its own. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pg from 'pg'
import { stringify } from 'yaml'
import { startRedis } from '../../test/support/redis/redis.ts'
import type { TestRedis } from '../../test/support/redis/redis.ts'
import { startPostgres } from '../../test/faults/postgres.ts'
import type { MortalPostgres } from '../../test/faults/postgres.ts'
import { freePort } from '../peers/free-port.ts'
import { endProgram, makeFolder, startProgram } from '../peers/server.ts'
import type { Held, Order } from './probe.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
const PROBE = join(import.meta.dirname, 'probe.ts')

/**
 * Makes glibc give back what is freed: otherwise its arenas, of which a process has many, keep more or less of it by
 * chance, and resident memory tells nothing.
 */
const ALLOCATOR = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '131072' }

/** How long sessions wait for clients that were cut off. */
export const RESUME_SECONDS = 5

export class Site {
  readonly ports: readonly number[]
  readonly #folder: string
  readonly #nodes: readonly ChildProcess[]
  readonly #postgres: MortalPostgres
  readonly #redis: TestRedis | undefined
  /** Warnings and errors of all nodes. */
  readonly log: string[] = []

  private constructor (
    folder: string,
    ports: readonly number[],
    nodes: readonly ChildProcess[],
    postgres: MortalPostgres,
    redis: TestRedis | undefined,
  ) {
    this.#folder = folder
    this.ports = ports
    this.#nodes = nodes
    this.#postgres = postgres
    this.#redis = redis
    for (const node of nodes) {
      for (const output of [node.stdout, node.stderr]) {
        output?.on('data', (text: string) => { this.log.push(...text.trimEnd().split('\n')) })
      }
    }
  }

  static async start (count: number): Promise<Site> {
    const folder = makeFolder('soak')
    const postgres = await startPostgres()
    const redis = count > 1 ? await startRedis() : undefined
    const ports: number[] = []
    const nodes: ChildProcess[] = []
    for (let number = 0; number < count; number++) {
      const port = await freePort()
      ports.push(port)
      const config = join(folder, `${number}.yaml`)
      writeFileSync(config, stringify({
        node: `n${number}`,
        data: join(folder, `n${number}`),
        database: postgres.url,
        ...(redis && { sessions: redis.url }),
        listen: { client: `127.0.0.1:${port}` },
        auth: { 'require-tls': false },
        registration: { 'open': true, 'per-address': 0 },
        limits: { 'streams-per-address': 0, 'failed-logins-per-minute': 0 },
        log: { level: 'warn' },
        extensions: { 'archive': { search: true }, 'stream-management': { 'resume-seconds': RESUME_SECONDS } },
      }))
      const parameters = ['--expose-gc', '--import', PROBE, MAIN, 'serve', '--config', config]
      nodes.push(
        await startProgram(process.execPath, parameters, port, {
          cwd: folder,
          env: { ...process.env, ...ALLOCATOR },
          stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        }),
      )
    }
    return new Site(folder, ports, nodes, postgres, redis)
  }

  get isRunning (): boolean {
    return this.#nodes.every(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
  }

  /** What each node holds; with a heap snapshot of each where a name for them is given. */
  held (snapshots?: string): Promise<readonly Held[]> {
    return Promise.all(this.#nodes.map(async (node, number) => {
      const answer = once(node, 'message')
      const order: Order = { snapshot: snapshots === undefined ? undefined : `${snapshots}-n${number}.heapsnapshot` }
      node.send(order)
      const [held] = await answer as [Held]
      return held
    }))
  }

  /** Connections of the nodes to the database, and rows of the tables that are not there to grow. */
  async database (): Promise<ReadonlyMap<string, number>> {
    const client = new pg.Client(this.#postgres.url)
    await client.connect()
    try {
      const found = new Map<string, number>()
      const connections = await client.query<{ count: string }>(
        "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()")
      found.set('database connections', Number(connections.rows[0]?.count))
      const { rows } = await client.query<{ table: string }>(
        "select relname as table from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by relname",
      )
      for (const { table } of rows) {
        const counted = await client.query<{ count: string }>(`select count(*) from ${table}`)
        found.set(`rows of ${table}`, Number(counted.rows[0]?.count))
      }
      return found
    } finally {
      await client.end()
    }
  }

  /** Redis's memory and clients, and its keys by what their names begin with; nothing where there is none. */
  async redis (): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>()
    if (!this.#redis) return found
    const redis = new Redis(this.#redis.url)
    try {
      const info = await redis.info()
      found.set('Redis: bytes', Number(/^used_memory_dataset:(\d+)/m.exec(info)?.[1]))
      found.set('Redis: clients', Number(/^connected_clients:(\d+)/m.exec(info)?.[1]))
      for (const key of await redis.keys('*')) {
        const kind = `Redis keys ${key.split(':').slice(0, 2).join(':')}`
        found.set(kind, (found.get(kind) ?? 0) + 1)
      }
      return found
    } finally {
      redis.disconnect()
    }
  }

  async end (): Promise<void> {
    await Promise.all(this.#nodes.map(node => endProgram(node)))
    await this.#redis?.stop()
    await this.#postgres[Symbol.asyncDispose]()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
