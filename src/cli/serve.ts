/**
 * `heliograph serve`: runs the server until a signal or an uncaught exception. SIGTERM and SIGINT begin an orderly
 * shutdown, a second one later ends it at once; SIGHUP reloads config and certificates.
 */
import type { Config } from '../config/config.ts'
import { openLog } from '../log.ts'
import type { Logger } from '../log.ts'
import type { Server } from '../app/server.ts'
import { inBackground } from '../util/background.ts'
import { VERSION } from '../util/version.ts'
import { CONFIG, readArguments } from './command.ts'
import type { Command } from './command.ts'
import { readConfig } from './read-config.ts'

export const serve: Command = {
  usage: ['serve [--config FILE]'],
  summary: 'runs the server',
  async run (args) {
    const { values } = readArguments(args, CONFIG)
    const config = readConfig(values.config)
    const log = await openLog(config.log)
    for (const warning of config.warnings) log.warn({ event: 'config.warning' }, `config: ${warning}`)
    const ending = new Ending(log)
    const server = await start(config, log)
    if (!server) return 1
    ending.allowReload(server)
    log.info({ event: 'server.ready', version: VERSION, pid: process.pid, hosts: config.hosts }, 'server: ready')
    log.info({ event: 'server.stopping', reason: await ending.reason }, 'server: stopping')
    await server.stop()
    log.info({ event: 'server.stopped' }, 'server: stopped')
    return ending.exitCode
  },
}

async function start (config: Config, log: Logger): Promise<Server | undefined> {
  const { createServer } = await import('../app/server.ts')
  let server: Server | undefined
  try {
    server = await createServer(config, log)
    await server.start()
    const { listeners } = await server.status()
    for (const { name, host, port } of listeners) {
      log.info({ event: 'server.listening', listener: name, address: host, port }, 'server: listening')
    }
    return server
  } catch (error) { // a folder in use, an address in use, no database …, or a bug
    if (isBug(error)) log.fatal({ event: 'server.start_failed', err: error }, 'server: start failed')
    else log.fatal({ event: 'server.start_failed' }, String(error instanceof Error ? error.message : error))
    await server?.stop()
  }
}

/** Whether it is an error of the language, whose stack is logged: others have a sentence for the administrator. */
function isBug (error: unknown): boolean {
  return error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError
}

/** Signals within this time count as one: Ctrl-C reaches all processes of the terminal, and npm forwards it, too. */
const SAME_SIGNAL_MS = 2_000

/** The end of the server: its reason and its exit code. */
class Ending {
  readonly #log: Logger
  readonly #ending = Promise.withResolvers<string>()
  #askedAt: number | undefined
  exitCode = 0

  constructor (log: Logger) {
    this.#log = log
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.#end(signal))
    // An unhandled rejection costs one task; the server goes on.
    process.on('unhandledRejection', error => {
      log.error({ event: 'process.unhandled_rejection', err: error }, 'process: unhandled rejection')
    })
    // Errors in a stream end the stream. An exception elsewhere may have left shared state inconsistent: the server
    // ends.
    process.on('uncaughtException', (error, origin) => {
      this.exitCode = 1
      log.fatal({ event: 'process.uncaught_exception', err: error, origin }, 'process: uncaught exception')
      this.#ending.resolve(origin)
    })
  }

  get reason (): Promise<string> {
    return this.#ending.promise
  }

  allowReload (server: Server): void {
    process.on('SIGHUP', () => { inBackground(this.#log, 'reload of the config', reload(server, this.#log)) })
  }

  #end (signal: string): void {
    const now = performance.now()
    this.#askedAt ??= now
    if (now - this.#askedAt > SAME_SIGNAL_MS) {
      this.#log.warn({ event: 'server.forced_shutdown' }, 'server: second signal received, forcing shutdown')
      process.exit(1)
    }
    this.#ending.resolve(signal)
  }
}

async function reload (server: Server, log: Logger): Promise<void> {
  try {
    const unapplied = await server.reload()
    log.info({ event: 'config.reloaded', needRestart: unapplied }, 'config: reloaded, with the certificates')
  } catch (error) { // a ConfigError: the server goes on with what it has
    const reason = error instanceof Error ? error.message : String(error)
    log.error({ event: 'config.reload_failed' }, `config: not reloaded: ${reason}`)
  }
}
