/**
 * The Database over `pg`: a pool whose connections come back by themselves. A query that finds no server waits a while
 * for one, since nothing of it was sent; one that was under way when its connection broke rejects.
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
/** Where the URL has none: an empty one, at which PostgreSQL says what is missing, and the driver reads no file. */
const NO_PASSWORD = ''
const INT8 = pg.types.builtins.INT8

export interface PostgresOptions {
  readonly poolSize: number
  /** For how many milliseconds the server may work on one statement, if not as long as it takes. */
  readonly statementMs?: number
  readonly log: Logger
}

/** A Database that has connections to give back. */
export interface PostgresDatabase extends Database {
  /** Resolves when everything asked for is answered and the connections are closed; a query after it rejects. */
  close (): Promise<void>
}

/**
 * Connects as the URL says and nothing else: neither PG… variables nor ~/.pgpass, which are there for an administrator's
 * own psql, and which the driver would read. Rejects with the driver's error when the server refuses us, or when there is
 * none for a while.
 */
export async function openPostgres (url: string, options: PostgresOptions): Promise<PostgresDatabase> {
  for (const name of Object.keys(process.env)) if (/^PG[A-Z]/.test(name)) delete process.env[name]
  const database = new Postgres(url, options)
  try {
    const [row] = await database.query<{ encoding: string }>("select current_setting('server_encoding') as encoding")
    if (row?.encoding === 'UTF8') return database
    throw new Error(`the database's encoding is ${row?.encoding}, and has to be UTF8: make another with template0`)
  } catch (error) { // whatever it is, the pool must not outlive it
    await database.close()
    throw error
  }
}

/** The pool's own limit would also count the time that a query waits for its turn. */
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
    // One listener for the whole life of a connection: without it, one that breaks between two statements of a
    // transaction would end the process.
    this.#pool.on('connect', client => {
      this.#open.add(client)
      client.once('end', () => { this.#open.delete(client) })
      client.on('error', error => { log.warn({ event: 'database.connection_broken', err: error }, 'database: connection broken') })
    })
    this.#pool.on('error', () => {}) // the same error, told again for an idle connection
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
        // The server answers `commit` with ROLLBACK, and no error, when `work` swallowed the error of a statement.
        if (command !== 'COMMIT') throw new Error('a transaction was rolled back: one of its statements had failed')
        return result
      } catch (error) { // whatever it is, it is thrown on
        await client.query('rollback').catch(() => {}) // the connection broke, and the transaction with it
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
        client.release() // the pool throws a broken one away
      }
    } finally {
      this.#running--
      this.#endWhenIdle()
    }
  }

  #endWhenIdle (): void {
    if (this.#closed && this.#running === 0 && !this.#pool.ending) this.#closed.resolve(this.#end())
  }

  /** The pool doesn't wait until its connections are closed, and a database that is stopped next would cut them. */
  async #end (): Promise<void> {
    const ended = [...this.#open].map(client => new Promise<void>(resolve => { client.once('end', resolve) }))
    await this.#pool.end()
    const patience = setTimeout(CLOSE_MS, undefined, { ref: false }) // a network that is dead says nothing
    await Promise.race([Promise.all(ended), patience])
  }

  async #connect (): Promise<pg.PoolClient> {
    for (;;) {
      await this.#outage
      try {
        return await this.#pool.connect()
      } catch (error) { // there is no server, or not yet, or it refuses us
        if (!mayPass(error)) throw error
        this.#outage ??= this.#waitForServer()
      }
    }
  }

  /** One connection tries for all who wait. */
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

  /** Within a transaction: what `work` throws undoes what it did, and no more. */
  async transaction<T> (work: (db: Database) => Promise<T>): Promise<T> {
    await this.#client.query('savepoint inner_work')
    try {
      const result = await work(this)
      await this.#client.query('release savepoint inner_work')
      return result
    } catch (error) { // whatever it is, it is thrown on
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

/** Texts are constants of the program, so that there are few of them. */
function nameOf (text: string): string {
  let name = names.get(text)
  if (!name) names.set(text, name = `h${names.size + 1}`)
  return name
}

/** Whether a connection may succeed a little later: no answer, or an answer that says so. */
function mayPass (error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError)) return true
  return error.code === '53300' || error.code?.startsWith('57P') === true // too many connections; starting, stopping
}

/** pg hands a bigint over as text. */
function getTypeParser (oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
  return oid === INT8 ? parseInteger : pg.types.getTypeParser(oid, format as 'text')
}

function parseInteger (text: string): number | bigint {
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : BigInt(text)
}
