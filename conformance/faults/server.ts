/** A server that is killed and started again on the same data. */
import { execFileSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { endProgram, freePort, makeFolder, startProgram } from '../peers/server.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

export class MortalServer {
  readonly port: number
  readonly #folder: string
  readonly #config: string
  #child: ChildProcess | undefined

  private constructor (folder: string, port: number) {
    this.#folder = folder
    this.port = port
    this.#config = join(folder, 'server.yaml')
    writeFileSync(this.#config, stringify({
      data: join(folder, 'data'),
      listen: { client: `127.0.0.1:${port}` },
      auth: { 'require-tls': false },
      registration: { 'open': true, 'per-address': 0 },
      limits: { 'streams-per-address': 0, 'bytes-per-second': 0 },
      log: { level: 'warn' },
    }))
  }

  static async start (): Promise<MortalServer> {
    const server = new MortalServer(makeFolder('faults'), await freePort())
    await server.revive()
    return server
  }

  async revive (): Promise<void> {
    const parameters = [MAIN, 'serve', '--config', this.#config]
    this.#child = await startProgram(process.execPath, parameters, this.port, { cwd: this.#folder })
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
    if (this.#child) await endProgram(this.#child)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
