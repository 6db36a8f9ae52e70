/** Whether a balancer should send this node clients, as answered at /readyz. Each part adds its check. */
import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../log.ts'
import { inBackground } from '../util/background.ts'
import type { HttpHandler } from './http.ts'

/** Returns a short public reason for not being ready; undefined when ready. A rejection counts as not ready. */
export type Probe = () => string | undefined | Promise<string | undefined>

interface Reason { readonly text: string, readonly isExpected: boolean }

/** For this time the result of an asynchronous probe is reused. */
const FRESH_MS = 1_000
const TIMEOUT_MS = 2_000
/** A probe without an answer is repeated after this time: a new attempt may succeed where the old one hangs. */
const HANGING_MS = 10_000

/** Ready when no check has a reason against it. */
export class Readiness {
  readonly #log: Logger
  readonly #checks: Check[] = []
  #wasReady = true

  constructor (log: Logger) {
    this.#log = log
  }

  /**
   * Adds a check. A synchronous probe runs each time, an asynchronous one once a second. An intended state
   * (`isExpected`) is no warning.
   */
  check (name: string, probe: Probe, isExpected = false): void {
    this.#checks.push(new Check(name, probe, this.#log, isExpected))
  }

  /** The reasons for not being ready, `NAME: why` each. */
  async reasons (): Promise<readonly string[]> {
    return (await this.#reasons()).map(({ text }) => text)
  }

  async #reasons (): Promise<readonly Reason[]> {
    const answers = await Promise.all(this.#checks.map(async check => {
      const reason = await check.ask()
      return reason === undefined ? [] : [{ text: `${check.name}: ${reason}`, isExpected: check.isExpected }]
    }))
    return answers.flat()
  }

  readonly routes: Readonly<Record<string, HttpHandler>> = {
    '/readyz': (_request, response) => {
      inBackground(this.#log, 'answer to /readyz', this.#answer(response))
    },
  }

  async #answer (response: ServerResponse): Promise<void> {
    const reasons = await this.#reasons()
    this.#logChange(reasons)
    const isReady = reasons.length === 0
    response.writeHead(isReady ? 200 : 503, { 'content-type': 'text/plain', 'cache-control': 'no-store' })
      .end(isReady ? 'ready\n' : `${reasons.map(({ text }) => text).join('\n')}\n`)
  }

  // Expected reasons, such as a start or stop, are not logged.
  #logChange (reasons: readonly Reason[]): void {
    if (reasons.some(({ isExpected }) => isExpected)) return
    const isReady = reasons.length === 0
    if (isReady && !this.#wasReady) {
      this.#log.info({ event: 'readiness.regained' }, 'readiness: ready for clients again')
    }
    if (!isReady && this.#wasReady) {
      this.#log.warn({ event: 'readiness.lost', reasons: reasons.map(({ text }) => text) },
        'readiness: not ready for clients')
    }
    this.#wasReady = isReady
  }
}

class Check {
  readonly name: string
  readonly isExpected: boolean
  readonly #probe: Probe
  readonly #log: Logger
  #last: Promise<string | undefined> | undefined
  #lastHoldsUntil = 0

  constructor (name: string, probe: Probe, log: Logger, isExpected: boolean) {
    this.name = name
    this.isExpected = isExpected
    this.#probe = probe
    this.#log = log
  }

  async ask (): Promise<string | undefined> {
    try {
      return await (performance.now() < this.#lastHoldsUntil ? this.#last : this.#askAnew())
    } catch (err) { // its message is not for the public
      this.#log.debug({ event: 'readiness.probe_failed', err, check: this.name }, 'readiness: probe failed')
      return 'failed'
    }
  }

  #askAnew (): string | undefined | Promise<string | undefined> {
    const now = performance.now()
    const said = this.#probe()
    if (!(said instanceof Promise)) return said
    this.#lastHoldsUntil = now + HANGING_MS
    const answer = said.finally(() => { this.#lastHoldsUntil = now + FRESH_MS })
    const timeout = delay(TIMEOUT_MS, `no answer in ${TIMEOUT_MS / 1000} seconds`, { ref: false })
    this.#last = Promise.race([answer, timeout])
    return this.#last
  }
}
