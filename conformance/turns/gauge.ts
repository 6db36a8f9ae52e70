/**
 * In the server's process, by `--import`: how long each turn of the event loop takes. A turn is one callback of libuv's
 * with all promises and ticks that follow from it; immediates, which follow each other without a look at the sockets,
 * are one turn together. A round is all that the loop does between two looks at its sockets. What the machine gave to
 * other processes meanwhile is taken off, so that figures hold where others are at work.
 */
import { createHook, executionAsyncResource } from 'node:async_hooks'
import { openSync, readSync } from 'node:fs'
import { PerformanceObserver } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

/** In milliseconds. */
export interface Turn {
  /** Without the collector's pauses. */
  readonly ms: number
  readonly withGcMs: number
  /** What called: TCP, Immediate, Timeout … */
  readonly by: string
}

export interface Report {
  /** The longest since the last reset, longest first. */
  readonly turns: readonly Turn[]
  readonly longestRoundMs: number
  /** All turns since the last reset: how many, and how long together. */
  readonly count: number
  readonly workMs: number
}

export type Order = 'reset' | 'report'

interface Kept { readonly from: number, readonly to: number, readonly ms: number, readonly by: string }

const KEPT = 20
const WORTH_KEEPING_MS = 0.5

class Gauge {
  readonly #schedule = openSchedule()
  readonly #pauses: { readonly from: number, readonly to: number }[] = []
  #kept: Kept[] = []
  #longestRound = 0
  #count = 0
  #work = 0
  #depth = 0
  #by: string | undefined
  #turnFrom = 0
  #turnDelay = 0
  #roundMs = 0
  #mark: NodeJS.Immediate | undefined

  start (): void {
    new PerformanceObserver(list => {
      for (const { startTime, duration } of list.getEntries())
        this.#pauses.push({ from: startTime, to: startTime + duration })
    }).observe({ entryTypes: ['gc'] })
    createHook({ before: () => { this.#before() }, after: () => { this.#depth-- }, trackPromises: false }).enable()
  }

  reset (): void {
    this.#kept = []
    this.#pauses.length = 0
    this.#longestRound = this.#count = this.#work = 0
  }

  report (): Report {
    const turns = this.#kept.map(turn => ({
      ms: Math.max(0, turn.ms - this.#pausesIn(turn)),
      withGcMs: turn.ms,
      by: turn.by,
    }))
    return {
      turns: turns.sort((one, other) => other.ms - one.ms),
      longestRoundMs: this.#longestRound, count: this.#count, workMs: this.#work,
    }
  }

  #before (): void {
    const resource: object = executionAsyncResource()
    if (this.#depth++ > 0 || isWithinTurn(resource)) return
    if (this.#by === 'Immediate' && resource.constructor.name === 'Immediate' && resource !== this.#mark) return
    const now = performance.now()
    const delay = this.#schedule.delayMs()
    if (this.#by !== undefined) this.#close(now, delay)
    if (resource === this.#mark) this.#endRound()
    else this.#open(resource, now, delay)
  }

  #open (resource: object, now: number, delay: number): void {
    this.#by = resource.constructor.name
    this.#turnFrom = now
    this.#turnDelay = delay
    // Runs before the loop may wait again, so that no turn is taken to last until the next one.
    this.#mark ??= setImmediate(() => {})
  }

  #close (now: number, delay: number): void {
    const turn = {
      from: this.#turnFrom,
      to: now,
      ms: now - this.#turnFrom - (delay - this.#turnDelay),
      by: this.#by ?? '',
    }
    this.#by = undefined
    this.#count++
    this.#roundMs += turn.ms
    this.#work += turn.ms
    if (turn.ms < WORTH_KEEPING_MS || turn.ms < (this.#kept[KEPT - 1]?.ms ?? 0)) return
    this.#kept.push(turn)
    this.#kept.sort((one, other) => other.ms - one.ms)
    this.#kept.length = Math.min(this.#kept.length, KEPT)
  }

  #endRound (): void {
    this.#mark = undefined
    this.#depth = 1 // this mark: whatever was thrown before may have left it too high
    this.#longestRound = Math.max(this.#longestRound, this.#roundMs)
    this.#roundMs = 0
  }

  #pausesIn ({ from, to }: Kept): number {
    return this.#pauses.reduce(
      (sum, pause) => sum + Math.max(0, Math.min(to, pause.to) - Math.max(from, pause.from)),
      0,
    )
  }
}

/** Ticks and microtasks belong to the turn that asked for them. */
function isWithinTurn (resource: object): boolean {
  return resource.constructor === Object || resource.constructor.name === 'AsyncResource'
}

/** How long this thread has been ready to run and another one had its core; nothing is known of that but on Linux. */
function openSchedule (): { delayMs: () => number } {
  try {
    const file = openSync('/proc/thread-self/schedstat', 'r')
    const buffer = Buffer.alloc(64)
    return { delayMs: () => Number(buffer.toString('latin1', 0, readSync(file, buffer, 0, 64, 0)).split(' ')[1]) / 1e6 }
  } catch {
    return { delayMs: () => 0 }
  }
}

if (isMainThread && process.channel) {
  const gauge = new Gauge()
  gauge.start()
  process.on('message', (order: Order) => {
    if (order === 'reset') gauge.reset()
    // What the collector did is told a little later.
    setImmediate(() => setImmediate(() => process.send?.(gauge.report())))
  })
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM')) // whoever measures is gone
  process.channel.unref()
}
