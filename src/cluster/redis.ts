/**
 * The connections to Redis that a node of a cluster holds. They come back by themselves; a command that finds Redis
 * gone, or was under way when it went, rejects at once: whoever sent it knows what that means for it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { ChainableCommander } from 'ioredis'
import type { Logger } from '../log.ts'

/** How long a reader may let Redis wait for news (`XREAD BLOCK`): less than what counts as silence. */
export const READ_WAIT_MS = 1_000
const SILENCE_MS = 1_500
const CONNECT_MS = 1_500
/** How long what Redis has refused waits until it is tried again. */
const AGAIN_MS = 200
const RETRY_MS = [50, 100, 200, 500]
// XADD NOMKSTREAM and XTRIM MINID.
const LEAST_VERSION = [6, 2]

export interface RedisOptions {
  /** Redis has to answer something in this time, or is taken for dead and connected to anew. */
  readonly silenceMs?: number
}

export interface RedisConnections {
  /** For whatever is asked: what one tick sends leaves in one write. */
  readonly commands: Redis
  /** For reads that wait. */
  readonly reader: Redis
  /** What it is given leaves at once, in order. */
  readonly journal: Redis
  /** Whether Redis could be asked when last heard of. */
  readonly isUp: boolean
  /** Redis can be asked again. */
  whenUp (handler: () => void): void
  /** Ends the connections, whatever is under way. */
  close (): void
}

/** Connects; rejects with a sentence for the administrator when Redis can't be had or is not what is needed. */
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

/** Whether Redis itself said no, other than by being gone. */
export function isRefusal (error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** Sends what was put together. Rejects with the first error of its commands, or when Redis is away. */
export async function execute (batch: ChainableCommander): Promise<void> {
  const results = await batch.exec()
  const failed = results?.find(([error]) => error !== null)
  if (!results || failed) throw failed?.[0] ?? new Error('Redis is away')
}

/** Tells the administrator, once until it is over, that Redis says no; that it is away is told by the connections. */
export class Refusals {
  readonly #log: Logger
  readonly #what: string
  #isRefused = false

  /** `what` as in `Redis refuses WHAT`. */
  constructor (log: Logger, what: string) {
    this.#log = log
    this.#what = what
  }

  /** Resolves when it can be tried again: at once, unless Redis was there and said no. */
  async heard (error: unknown): Promise<void> {
    const isNew = isRefusal(error) && !this.#isRefused
    if (isNew) this.#log.error({ event: 'redis.write_refused', err: error, what: this.#what }, 'redis: refused a write, clients wait for it')
    else this.#log.debug({ event: 'redis.write_failed', err: error, what: this.#what }, 'redis: write failed')
    if (!isRefusal(error)) return
    this.#isRefused = true
    await sleep(AGAIN_MS)
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
    // One connection's fate is told for all three.
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
    this.#check(await this.commands.info())
    this.#isUp = true
    this.commands.on('ready', () => { this.#cameBack() })
    this.commands.on('close', () => { this.#broke() })
  }

  close (): void {
    this.#isClosed = true
    for (const one of [this.commands, this.reader, this.journal]) one.disconnect()
  }

  #check (info: string): void {
    const version = /^redis_version:([\d.]+)/m.exec(info)?.[1] ?? 'unknown'
    const [major = 0, minor = 0] = version.split('.').map(Number)
    const [leastMajor = 0, leastMinor = 0] = LEAST_VERSION
    if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
      throw new Error(`sessions: Redis at ${this.#where} is version ${version}, and has to be ${LEAST_VERSION.join('.')} or newer`)
    }
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
    if (policy !== undefined && policy !== 'noeviction' && !/^maxmemory:0\s/m.test(info)) {
      this.#log.warn({ event: 'redis.may_evict', policy }, 'redis: may evict sessions when its memory is full: set maxmemory-policy to noeviction')
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
      if (reason !== this.#said) this.#log.warn({ event: 'redis.unreachable', server: this.#where, reason }, 'redis: unreachable')
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
    maxRetriesPerRequest: 0, // what was under way rejects as soon as the connection breaks
    connectTimeout: CONNECT_MS,
    socketTimeout: silenceMs,
    retryStrategy: attempt => RETRY_MS[Math.min(attempt, RETRY_MS.length) - 1] ?? 0,
    // After a failover the old master is a replica: the address leads to the new one.
    reconnectOnError: error => error.message.startsWith('READONLY'),
    connectionName: 'heliograph',
  })
}
