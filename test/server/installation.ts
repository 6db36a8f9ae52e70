/** What an administrator has: a folder with a configuration, the command line, and the servers started with it. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { stringify } from 'yaml'
import { freePort } from '../../conformance/peers/free-port.ts'
import { endProgram, makeFolder } from '../../conformance/peers/server.ts'

const ENTRY = join(import.meta.dirname, '..', '..', 'heliograph.mjs')
const POLL_MS = 20

/** Keys of the configuration, as the file has them. */
export type Settings = Readonly<Record<string, unknown>>

/** Where anybody may make as many accounts as they like. */
export const OPEN: Settings = { registration: { 'open': true, 'per-address': 0 } }

export interface Outcome { readonly code: number | null, readonly out: string, readonly err: string }

export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>
  /** What is typed into it. */
  readonly input?: string
}

export class Installation {
  readonly folder = realpathSync(makeFolder('server'))
  readonly data = join(this.folder, 'data')
  readonly config = join(this.folder, 'server.yaml')
  readonly port: number
  readonly tlsPort: number
  readonly httpPort: number
  readonly #started: RunningServer[] = []

  private constructor (port: number, tlsPort: number, httpPort: number) {
    this.port = port
    this.tlsPort = tlsPort
    this.httpPort = httpPort
  }

  /** Removed with the end of the test that makes it, however that ends. */
  static async forTest (settings?: Settings): Promise<Installation> {
    const installation = await Installation.make(settings)
    onTestFinished(() => installation.remove())
    return installation
  }

  static async make (settings: Settings = {}): Promise<Installation> {
    const installation = new Installation(await freePort(), await freePort(), await freePort())
    installation.configure(settings)
    return installation
  }

  /** Where TLS is spoken from the first byte. */
  get direct (): { readonly port: number, readonly isTls: true } {
    return { port: this.tlsPort, isTls: true }
  }

  /** Writes the configuration anew: the ports, and these settings. */
  configure (settings: Settings): void {
    const listen = {
      'client': `127.0.0.1:${this.port}`, 'client-tls': `127.0.0.1:${this.tlsPort}`,
      'http': `127.0.0.1:${this.httpPort}`,
    }
    writeFileSync(this.config, stringify({ listen, ...settings }))
  }

  /** One command of the command line, up to its end. */
  async run (command: string, { env = {}, input = '' }: Surroundings = {}): Promise<Outcome> {
    const child = this.#spawn(command, env)
    child.stdin.on('error', () => {}) // it ended without reading
    child.stdin.end(input)
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    return { code: child.exitCode, out, err }
  }

  /** Resolves when it says that it is ready. */
  async start (env: Surroundings['env'] = {}): Promise<RunningServer> {
    const server = new RunningServer(this.#spawn('serve', env))
    this.#started.push(server)
    await server.logged('server.ready')
    return server
  }

  /** The processes of its embedded PostgreSQL: those that are at work in its folder. */
  databaseProcesses (): readonly number[] {
    const folder = join(this.data, 'postgres')
    return readdirSync('/proc').map(Number).filter(pid => pid > 0 && workingFolder(pid) === folder)
  }

  async databaseEnded (): Promise<void> {
    while (this.databaseProcesses().length > 0) await delay(POLL_MS)
  }

  /** Whatever was started and still runs ends; the data stay. */
  async end (): Promise<void> {
    await Promise.all(this.#started.splice(0).map(server => server.stop()))
    for (const pid of this.databaseProcesses()) kill(pid)
    await this.databaseEnded()
  }

  async remove (): Promise<void> {
    await this.end()
    rmSync(this.folder, { recursive: true })
  }

  #spawn (command: string, env: Surroundings['env']): ChildProcessWithoutNullStreams {
    const parameters = [...command.split(' '), '--config', this.config]
    return spawn(process.execPath, [ENTRY, ...parameters], { cwd: this.folder, env: { ...process.env, ...env } })
  }
}

/** A line of the log. */
export type Line = Readonly<Record<string, unknown>>

export class RunningServer {
  readonly pid: number
  /** All that it has printed. */
  printed = ''
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>

  constructor (child: ChildProcessWithoutNullStreams) {
    this.#child = child
    this.pid = child.pid ?? NaN
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => { this.printed += chunk })
    }
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  }

  /** The next line of the log with this event, after those that were asked for before. */
  async logged (event: string): Promise<Line> {
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done) throw new Error(`the server ended before it logged ${event}:\n${this.printed}`)
      const line = JSON.parse(value) as Line
      if (line['event'] === event) return line
    }
  }

  kill (signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Its exit code; nothing when a signal ended it. */
  async ended (): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
    return this.#child.exitCode
  }

  stop (): Promise<void> {
    return endProgram(this.#child)
  }
}

function workingFolder (pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch { // it has ended, or is another user's
    return
  }
}

function kill (pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch { // ESRCH: it was quicker
  }
}
