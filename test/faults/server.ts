/** A server that fails and is started again on the same data. */
import { execFileSync, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { freePort } from '../../conformance/peers/free-port.ts'
import { endProgram, makeFolder, startProgram } from '../../conformance/peers/server.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

export interface MortalOptions {
  /** The data folder; left out: one in its own folder. */
  readonly data?: string
  readonly extensions?: Readonly<Record<string, object>>
}

export class MortalServer {
  readonly port: number
  readonly #folder: string
  readonly #data: string
  readonly #config: string
  #child: ChildProcess | undefined

  private constructor (folder: string, port: number, { data = join(folder, 'data'), extensions = {} }: MortalOptions) {
    this.#folder = folder
    this.#data = data
    this.port = port
    this.#config = join(folder, 'server.yaml')
    writeFileSync(this.#config, stringify({
      data,
      listen: { client: `127.0.0.1:${port}` },
      auth: { 'require-tls': false },
      registration: { 'open': true, 'per-address': 0 },
      limits: { 'streams-per-address': 0, 'bytes-per-second': 0 },
      log: { level: 'warn' },
      extensions,
    }))
  }

  /** One that has not been started. */
  static async prepare (options: MortalOptions = {}): Promise<MortalServer> {
    return new MortalServer(makeFolder('faults'), await freePort(), options)
  }

  static async start (options?: MortalOptions): Promise<MortalServer> {
    const server = await MortalServer.prepare(options)
    await server.revive()
    return server
  }

  async revive (): Promise<void> {
    this.#child = await startProgram(process.execPath, this.#command, this.port, { cwd: this.#folder })
  }

  /** Starts it where it should not come up: with which code it ends, and what it says. */
  failToStart (): { readonly code: number | null, readonly said: string } {
    const { status, stdout, stderr } = spawnSync(process.execPath, this.#command, {
      cwd: this.#folder, encoding: 'utf8', timeout: 15_000,
    })
    return { code: status, said: stdout + stderr }
  }

  get #command (): readonly string[] {
    return [MAIN, 'serve', '--config', this.#config]
  }

  /** Whether the process that was started last is there. */
  get isRunning (): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null
  }

  /** How a superuser comes to its PostgreSQL. */
  get databaseUrl (): string {
    return `postgres://heliograph@localhost/postgres?host=${encodeURIComponent(join(this.#data, 'postgres'))}`
  }

  /** Ends it in good order. */
  async stop (): Promise<void> {
    if (this.#child) await endProgram(this.#child)
  }

  /** SIGKILL for the server itself; resolves when it is gone. */
  async killServer (): Promise<void> {
    const child = this.#child
    if (!child) return
    const gone = new Promise(resolve => { child.once('exit', resolve) })
    child.kill('SIGKILL')
    await gone
  }

  /** SIGKILL for the first process of its PostgreSQL. */
  killDatabase (): void {
    for (const pid of this.#childrenOf(this.#child?.pid)) process.kill(pid, 'SIGKILL')
  }

  #childrenOf (pid: number | undefined): readonly number[] {
    try {
      return execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' }).trim().split('\n').map(Number)
    } catch { // pgrep ends with 1 when there is none
      return []
    }
  }

  async end (): Promise<void> {
    await this.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
