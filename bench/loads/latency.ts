/** The load `latency`: messages at a fixed low rate, and the time from each write to its arrival. */
import type { Job, Latency, Load } from '../job.ts'
import { meet, part } from './pairs.ts'
import type { Pair } from './pairs.ts'

const TICK = 2

export function latency (job: Job): Load {
  let pairs: readonly Pair[] = []
  let timer: NodeJS.Timeout | undefined
  const sentAt = new Map<Pair, number[]>()
  const times: number[] = []

  return {
    prepare: async () => {
      pairs = await meet(job)
      for (const pair of pairs) {
        const departures: number[] = []
        sentAt.set(pair, departures)
        pair.other.onDelivery = (count, first) => {
          const now = performance.now()
          for (let at = first; at < first + count; at++) times.push(now - (departures[at] ?? now))
        }
      }
    },
    start: () => { timer = atRate(job.rate, number => { depart(pairs[number % pairs.length], sentAt) }) },
    done: () => times.length,
    finish: async () => {
      clearInterval(timer)
      return { faults: await part(pairs), latency: summary(times) }
    },
  }
}

function depart (pair: Pair | undefined, sentAt: ReadonlyMap<Pair, number[]>): void {
  if (!pair) return
  sentAt.get(pair)?.push(performance.now())
  pair.talker.send(1)
}

/** Calls `act` as often as the rate says, whatever the timer's own precision. */
function atRate (rate: number, act: (number: number) => void): NodeJS.Timeout {
  const begin = performance.now()
  let number = 0
  return setInterval(() => {
    const due = (performance.now() - begin) * rate / 1000
    while (number < due) act(number++)
  }, TICK)
}

function summary (times: readonly number[]): Latency {
  const sorted = Float64Array.from(times).sort()
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99), worst: at(1) }
}
