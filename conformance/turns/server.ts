/**
 * The server whose turns are measured: a process of its own, with every extension and no limit on how fast one sends.
 */
import type { ChildProcess } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { stringify } from 'yaml'
import { freePort } from '../peers/free-port.ts'
import { endProgram, makeFolder, startProgram } from '../peers/server.ts'
import type { Order, Report } from './gauge.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
const GAUGE = join(import.meta.dirname, 'gauge.ts')
const QUIET_MS = 60

export class MeasuredServer {
  readonly port: number
  readonly #folder: string
  readonly #child: ChildProcess
  readonly #log: string[] = []

  private constructor (port: number, folder: string, child: ChildProcess) {
    this.port = port
    this.#folder = folder
    this.#child = child
    for (const output of [child.stdout, child.stderr]) {
      output?.on('data', (text: string) => { this.#log.push(...text.trimEnd().split('\n')) })
    }
  }

  /** With a profile of the whole run (`--cpu-prof`) in a folder, if one is named: written when it ends. */
  static async start (profiles?: string): Promise<MeasuredServer> {
    const folder = makeFolder('turns')
    const port = await freePort()
    const config = join(folder, 'server.yaml')
    writeFileSync(config, stringify({
      data: join(folder, 'data'),
      listen: { client: `127.0.0.1:${port}` },
      auth: { 'require-tls': false },
      registration: { 'open': true, 'per-address': 0 },
      limits: { 'streams-per-address': 0, 'bytes-per-second': 0, 'failed-logins-per-minute': 0 },
      log: { level: 'warn' },
      extensions: { archive: { search: true } },
    }))
    const profiling = profiles === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profiles]
    const parameters = [...profiling, '--import', GAUGE, MAIN, 'serve', '--config', config]
    const stdio = ['ignore', 'pipe', 'pipe', 'ipc'] as const
    const child = await startProgram(process.execPath, parameters, port, { cwd: folder, stdio: [...stdio] })
    return new MeasuredServer(port, folder, child)
  }

  get isRunning (): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Warnings and errors since the last look. */
  log (): readonly string[] {
    return this.#log.splice(0)
  }

  /** Does it, and waits until nothing follows from it any more: what turns that took. */
  async measure (work: () => Promise<void>): Promise<Report> {
    await this.#settle()
    await this.#tell('reset')
    await work()
    return await this.#settle()
  }

  /** Resolves when it has had next to nothing to do for a while. */
  async #settle (): Promise<Report> {
    let before = await this.#tell('report')
    for (;;) {
      await setTimeout(QUIET_MS)
      const now = await this.#tell('report')
      // Each look is a few turns of its own.
      if (now.count - before.count < 10 && now.workMs - before.workMs < QUIET_MS / 10) return now
      before = now
    }
  }

  async #tell (order: Order): Promise<Report> {
    const answer = Promise.withResolvers<Report>()
    const gone = (): void => { answer.reject(new Error(`the server is gone:\n${this.#log.join('\n')}`)) }
    this.#child.once('message', (report: Report) => { answer.resolve(report) })
    this.#child.once('exit', gone)
    if (this.isRunning) this.#child.send(order)
    else gone()
    try {
      return await answer.promise
    } finally {
      this.#child.off('exit', gone)
    }
  }

  async end (): Promise<void> {
    await endProgram(this.#child)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
