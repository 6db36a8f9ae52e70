/**
 * A node's connections to Redis. They reconnect by themselves; a command that is in flight when the connection breaks,
 * or sent while it is down, rejects at once: its caller decides what follows.
 */
import { Redis } from 'ioredis'
import type { ChainableCommander } from 'ioredis'
import type { Logger } from '../log.ts'

/**
 * The longest time for which a read waits for new entries (`XREAD BLOCK`): less than the timeout of a silent
 * connection.
 */
export const READ_WAIT_MS = 1_000
const SILENCE_MS = 1_500
const CONNECT_MS = 1_500
const RETRY_MS = [50, 100, 200, 500]
// XADD NOMKSTREAM and XTRIM MINID.
const LEAST_VERSION = [6, 2]

export interface RedisOptions {
  /** Without an answer for this time the connection is given up and made anew. */
  readonly silenceMs?: number
}

export interface RedisConnections {
  /** For requests: those of one tick leave in one write. */
  readonly commands: Redis
  /** For blocking reads. */
  readonly reader: Redis
  /** Writes at once, in order. */
  readonly journal: Redis
  /** Whether Redis was reachable the last time. */
  readonly isUp: boolean
  /** Redis is reachable again. */
  whenUp (handler: () => void): void
  /** Closes the connections, whatever is in flight. */
  close (): void
}

/**
 * Connects; rejects with a sentence for the administrator when Redis can't be reached or does not meet the
 * requirements.
 */
export async function openRedis (url: string, log: Logger, options: RedisOptions = {}): Promise<RedisConnections> {
  const { host, pathname } = new URL(url)
  const where = host + pathname
  if (!/^\/?\d*$/.test(pathname)) {
    throw new Error(`sessions: "${pathname.slice(1)}" is not the number of a Redis database, like redis://HOST:6379/0`)
  }
  const connections = new Connections(url, where, log, options.silenceMs ?? SILENCE_MS)
  try {
    await connections.open()
    return connections
  } catch (error) { // the driver's, or ours about the version
    connections.close()
    throw error
  }
}

/** Whether Redis itself answered with an error, rather than being gone. */
export function isRefusal (error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** Sends what was put together. Rejects with the first error of its commands, or when Redis is away. */
export async function execute (batch: ChainableCommander): Promise<void> {
  const results = await batch.exec()
  const failed = results?.find(([error]) => error !== null)
  if (!results || failed) throw failed?.[0] ?? new Error('Redis is away')
}

/** Logs, once per series, that Redis answers with errors; outages are logged by the connections. */
export class Refusals {
  readonly #log: Logger
  readonly #what: string
  #isRefused = false

  /** `what` names the writes in the log. */
  constructor (log: Logger, what: string) {
    this.#log = log
    this.#what = what
  }

  /** A write has failed. */
  heard (error: unknown): void {
    const isNew = isRefusal(error) && !this.#isRefused
    if (isNew)
      this.#log.error(
        { event: 'redis.write_refused', err: error, what: this.#what },
        'redis: refused a write, clients wait for it',
      )
    else this.#log.debug({ event: 'redis.write_failed', err: error, what: this.#what }, 'redis: write failed')
    if (isRefusal(error)) this.#isRefused = true
  }

  over (): void {
    this.#isRefused = false
  }
}

class Connections implements RedisConnections {
  readonly commands: Redis
  readonly reader: Redis
  readonly journal: Redis
  readonly #where: string
  readonly #log: Logger
  readonly #up: (() => void)[] = []
  #isUp = false
  #goneAt = 0
  #reason = ''
  #said = ''
  #isClosed = false

  constructor (url: string, where: string, log: Logger, silenceMs: number) {
    this.#where = where
    this.#log = log
    this.commands = connection(url, silenceMs, true)
    this.reader = connection(url, silenceMs, false)
    this.journal = connection(url, silenceMs, false)
    // The state of one connection is logged for all three.
    for (const one of [this.commands, this.reader, this.journal]) {
      one.on('error', (error: Error) => { this.#reason = error.message })
    }
  }

  get isUp (): boolean {
    return this.#isUp
  }

  whenUp (handler: () => void): void {
    this.#up.push(handler)
  }

  async open (): Promise<void> {
    try {
      await Promise.all([this.commands.connect(), this.reader.connect(), this.journal.connect()])
      // A database that Redis does not have: the driver says so and goes on with database 0.
      if (this.#reason) throw new Error(this.#reason)
    } catch (error) { // "Connection is closed.": the driver tells the reason as an event
      const reason = this.#reason || (error instanceof Error ? error.message : String(error))
      throw new Error(`sessions: Redis at ${this.#where}: ${reason}`, { cause: error })
    }
    const info = await this.commands.info()
    this.#checkVersion(info)
    this.#warnOfEviction(info)
    this.#isUp = true
    this.commands.on('ready', () => { this.#cameBack() })
    this.commands.on('close', () => { this.#broke() })
  }

  close (): void {
    this.#isClosed = true
    for (const one of [this.commands, this.reader, this.journal]) one.disconnect()
  }

  #checkVersion (info: string): void {
    const version = /^redis_version:([\d.]+)/m.exec(info)?.[1] ?? 'unknown'
    const [major = 0, minor = 0] = version.split('.').map(Number)
    const [leastMajor = 0, leastMinor = 0] = LEAST_VERSION
    if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
      throw new Error(
        `sessions: Redis at ${this.#where} is version ${version}, and has to be ${LEAST_VERSION.join('.')} or newer`,
      )
    }
  }

  #warnOfEviction (info: string): void {
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
    if (policy !== undefined && policy !== 'noeviction' && !/^maxmemory:0\s/m.test(info)) {
      this.#log.warn(
        { event: 'redis.may_evict', policy },
        'redis: may evict sessions when its memory is full: set maxmemory-policy to noeviction',
      )
    }
  }

  #cameBack (): void {
    const seconds = Math.round((performance.now() - this.#goneAt) / 100) / 10
    this.#isUp = true
    this.#said = this.#reason = ''
    this.#log.info({ event: 'redis.reconnected', server: this.#where, seconds }, 'redis: reconnected')
    for (const handler of this.#up) handler()
  }

  #broke (): void {
    if (this.#isClosed) return
    const reason = this.#reason || 'the connection was closed'
    if (this.#isUp) {
      this.#isUp = false
      this.#goneAt = performance.now()
      this.#log.warn({ event: 'redis.connection_lost', server: this.#where, reason }, 'redis: connection lost')
    } else {
      if (reason !== this.#said)
        this.#log.warn({ event: 'redis.unreachable', server: this.#where, reason }, 'redis: unreachable')
      this.#said = reason
    }
  }
}

function connection (url: string, silenceMs: number, isPipelined: boolean): Redis {
  return new Redis(url, {
    lazyConnect: true,
    enableAutoPipelining: isPipelined,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0, // commands in flight reject as soon as the connection breaks
    connectTimeout: CONNECT_MS,
    socketTimeout: silenceMs,
    retryStrategy: attempt => RETRY_MS[Math.min(attempt, RETRY_MS.length) - 1] ?? 0,
    // After a failover the old master is a replica: the address leads to the new one.
    reconnectOnError: error => error.message.startsWith('READONLY'),
    connectionName: 'heliograph',
  })
}
