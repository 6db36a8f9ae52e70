/** A Redis for a test: a process of its own, on a loopback port, in a temporary folder. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../../conformance/peers/free-port.ts'
import { findRedis } from './redis-program.ts'

export interface StartRedisOptions {
  /** What it was told is there again after it was killed. */
  readonly persists?: boolean
  /** Redis's own options, as on its command line. */
  readonly parameters?: readonly string[]
}

export interface TestRedis extends AsyncDisposable {
  readonly url: string
  readonly pid: number
  stop (): Promise<void>
  /** As `kill -9` does. */
  kill (): Promise<void>
  /** On the same port, with what was persisted. */
  start (): Promise<void>
  /** Another Redis on the same port, which knows nothing. */
  restartEmpty (): Promise<void>
  /** It answers nothing, and its connections stay. */
  pause (): void
  resume (): void
}

/** False where there is no Redis to start, after saying why: tests that need one are skipped then. */
export function hasRedis (): boolean {
  const program = findRedis()
  if ('missing' in program) console.warn(`skipped: ${program.missing}`)
  return !('missing' in program)
}

/** Starts one; stop it when the test is done. */
export async function startRedis (options: StartRedisOptions = {}): Promise<TestRedis> {
  const program = findRedis()
  if ('missing' in program) throw new Error(program.missing)
  const redis = new RedisProcess(program.path, program.env, await freePort(), options)
  await redis.start()
  return redis
}

class RedisProcess implements TestRedis {
  readonly #program: string
  readonly #env: NodeJS.ProcessEnv
  readonly #port: number
  readonly #options: StartRedisOptions
  #folder: string | undefined
  #child: ChildProcess | undefined

  constructor (program: string, env: NodeJS.ProcessEnv, port: number, options: StartRedisOptions) {
    this.#program = program
    this.#env = env
    this.#port = port
    this.#options = options
  }

  get url (): string {
    return `redis://127.0.0.1:${this.#port}`
  }

  get pid (): number {
    return this.#child?.pid ?? 0
  }

  async start (): Promise<void> {
    this.#folder ??= await mkdtemp(join(tmpdir(), 'heliograph-redis-'))
    const child = spawn(this.#program, [
      '--port', String(this.#port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', '',
      '--appendonly', this.#options.persists ? 'yes' : 'no', ...this.#options.parameters ?? [],
    ], { env: this.#env, stdio: ['ignore', 'pipe', 'inherit'] })
    let printed = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => { printed = (printed + text).slice(-4_000) })
    this.#child = child
    for (let attempt = 0; attempt < 500; attempt++) {
      if (await answers(this.#port)) return
      if (child.exitCode !== null) break
      await delay(20)
    }
    await this.#end('SIGKILL')
    throw new Error(`${this.#program} does not answer:\n${printed}`)
  }

  async stop (): Promise<void> {
    this.resume()
    await this.#end('SIGTERM')
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true })
    this.#folder = undefined
  }

  async kill (): Promise<void> {
    await this.#end('SIGKILL')
  }

  async restartEmpty (): Promise<void> {
    await this.kill()
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true })
    this.#folder = undefined
    await this.start()
  }

  pause (): void {
    this.#child?.kill('SIGSTOP')
  }

  resume (): void {
    this.#child?.kill('SIGCONT')
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.stop()
  }

  async #end (signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}

/** Whether it is there and has loaded its data. */
async function answers (port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    socket.write('PING\r\n')
    const [answer] = await once(socket, 'data')
    return /^(?:\+PONG|-NOAUTH)/.test(String(answer))
  } catch {
    return false // ECONNREFUSED: not yet
  } finally {
    socket.destroy()
  }
}
