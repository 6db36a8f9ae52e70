/**
 * The Database over `pg`: a pool that reconnects. A query that finds no server waits for one until a timeout, since it
 * was not sent; a query whose connection breaks rejects.
 */

import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import type { Logger } from '../log.ts'
import type { Database } from './database.ts'

const CONNECT_MS = 10_000
const OUTAGE_MS = 10_000
const PROBE_MS = 100
const IDLE_MS = 60_000
const CLOSE_MS = 5_000
/**
 * For a URL without a password: with an empty one PostgreSQL reports the missing password, and the driver reads no
 * file.
 */
const NO_PASSWORD = ''
const INT8 = pg.types.builtins.INT8

export interface PostgresOptions {
  readonly poolSize: number
  /** The timeout of one statement in milliseconds; without it there is none. */
  readonly statementMs?: number
  readonly log: Logger
}

/** A Database whose connections must be closed. */
export interface PostgresDatabase extends Database {
  /** Resolves when all pending queries are answered and the connections are closed; later queries reject. */
  close (): Promise<void>
}

/**
 * Connects by the URL alone: PG… variables and ~/.pgpass, which the driver would read, are for the administrator's
 * psql. Rejects with the driver's error when the server refuses the connection, or can't be reached until a timeout.
 */
export async function openPostgres (url: string, options: PostgresOptions): Promise<PostgresDatabase> {
  for (const name of Object.keys(process.env)) if (/^PG[A-Z]/.test(name)) delete process.env[name]
  const database = new Postgres(url, options)
  try {
    const [row] = await database.query<{ encoding: string }>("select current_setting('server_encoding') as encoding")
    if (row?.encoding === 'UTF8') return database
    throw new Error(`the database's encoding is ${row?.encoding}, and has to be UTF8: make another with template0`)
  } catch (error) {
    await database.close()
    throw error
  }
}

/** Has the timeout of connecting, since that of the pool would include the time in its queue. */
class Client extends pg.Client {
  constructor (config?: pg.ClientConfig) {
    super({ ...config, connectionTimeoutMillis: CONNECT_MS })
    this.password ||= NO_PASSWORD
  }
}

class Postgres implements PostgresDatabase {
  readonly #pool: pg.Pool
  readonly #open = new Set<pg.PoolClient>()
  #outage: Promise<void> | undefined
  #running = 0
  #closed: PromiseWithResolvers<void> | undefined

  constructor (url: string, { poolSize, statementMs, log }: PostgresOptions) {
    this.#pool = new pg.Pool({
      connectionString: url,
      max: poolSize,
      min: 1,
      idleTimeoutMillis: IDLE_MS,
      keepAlive: true,
      statement_timeout: statementMs,
      application_name: 'heliograph',
      types: { getTypeParser },
      Client,
    })
    // Without a listener a connection that breaks between two statements of a transaction would end the process.
    this.#pool.on('connect', client => {
      this.#open.add(client)
      client.once('end', () => { this.#open.delete(client) })
      client.on('error', err => {
        log.warn({ event: 'database.connection_broken', err }, 'database: connection broken')
      })
    })
    this.#pool.on('error', () => {}) // the same error of an idle connection, logged already
  }

  async query<Row> (text: string, values?: readonly unknown[]): Promise<readonly Row[]> {
    return this.#withClient(client => run<Row>(client, text, values))
  }

  async transaction<T> (work: (db: Database) => Promise<T>): Promise<T> {
    return this.#withClient(async client => {
      await client.query('begin')
      try {
        const result = await work(new Transaction(client))
        const { command } = await client.query('commit')
        // PostgreSQL answers `commit` with ROLLBACK, and no error, where `work` has caught the error of a statement.
        if (command !== 'COMMIT') throw new Error('a transaction was rolled back: one of its statements had failed')
        return result
      } catch (error) {
        await client.query('rollback').catch(() => {}) // the connection broke, which ends the transaction
        throw error
      }
    })
  }

  async close (): Promise<void> {
    this.#closed ??= Promise.withResolvers()
    this.#endWhenIdle()
    return this.#closed.promise
  }

  async #withClient<T> (work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Error('the database is closed')
    this.#running++
    try {
      const client = await this.#connect()
      try {
        return await work(client)
      } finally {
        client.release() // the pool discards a broken one
      }
    } finally {
      this.#running--
      this.#endWhenIdle()
    }
  }

  #endWhenIdle (): void {
    if (this.#closed && this.#running === 0 && !this.#pool.ending) this.#closed.resolve(this.#end())
  }

  /**
   * Waits for the close of the connections, as the pool does not: an embedded database that stops next would cut them.
   */
  async #end (): Promise<void> {
    const ended = [...this.#open].map(client => new Promise<void>(resolve => { client.once('end', resolve) }))
    await this.#pool.end()
    const timeout = setTimeout(CLOSE_MS, undefined, { ref: false }) // for a dead network
    await Promise.race([Promise.all(ended), timeout])
  }

  async #connect (): Promise<pg.PoolClient> {
    for (;;) {
      await this.#outage
      try {
        return await this.#pool.connect()
      } catch (error) { // the server can't be reached, is starting, or refuses the connection
        if (!mayPass(error)) throw error
        this.#outage ??= this.#waitForServer()
      }
    }
  }

  /** Probes with one connection for all waiting queries. */
  async #waitForServer (): Promise<void> {
    const until = Date.now() + OUTAGE_MS
    try {
      for (;;) {
        await setTimeout(PROBE_MS)
        try {
          (await this.#pool.connect()).release()
          return
        } catch (error) { // still none
          if (!mayPass(error) || Date.now() >= until) throw error
        }
      }
    } finally {
      this.#outage = undefined
    }
  }
}

class Transaction implements Database {
  readonly #client: pg.PoolClient

  constructor (client: pg.PoolClient) {
    this.#client = client
  }

  async query<Row> (text: string, values?: readonly unknown[]): Promise<readonly Row[]> {
    return run<Row>(this.#client, text, values)
  }

  /** A savepoint: an error of `work` rolls back to it. */
  async transaction<T> (work: (db: Database) => Promise<T>): Promise<T> {
    await this.#client.query('savepoint inner_work')
    try {
      const result = await work(this)
      await this.#client.query('release savepoint inner_work')
      return result
    } catch (error) {
      await this.#client.query('rollback to savepoint inner_work').catch(() => {}) // the connection broke
      throw error
    }
  }
}

async function run<Row> (client: pg.PoolClient, text: string, values?: readonly unknown[]): Promise<readonly Row[]> {
  const result = values
    ? await client.query({ name: nameOf(text), text, values: [...values] })
    : await client.query(text)
  return result.rows as Row[]
}

const names = new Map<string, string>()

/** The name of a prepared statement. Texts are constants of the program, so the cache is small. */
function nameOf (text: string): string {
  let name = names.get(text)
  if (!name) names.set(text, name = `h${names.size + 1}`)
  return name
}

/** Whether connecting may succeed later: there was no answer, or a temporary refusal. */
function mayPass (error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError)) return true
  return error.code === '53300' || error.code?.startsWith('57P') === true // too many connections; starting, stopping
}

/** Parses bigint as a number, which pg returns as text. */
function getTypeParser (oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
  return oid === INT8 ? parseInteger : pg.types.getTypeParser(oid, format as 'text')
}

function parseInteger (text: string): number | bigint {
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : BigInt(text)
}
