/** The load `latency`: messages at a fixed low rate, and the time from each write to its arrival or to its ack. */
import type { Job, Latency, Load } from '../job.ts'
import { meet, part, received } from './pairs.ts'
import type { Pair } from './pairs.ts'

const TICK = 2

export function latency (job: Job): Load {
  const times: number[] = []
  const crossingTimes: number[] = []
  let pairs: readonly Pair[] = []
  let timer: NodeJS.Timeout | undefined

  return {
    prepare: async () => { pairs = await meet(job) },
    start: () => {
      const from = performance.now() + job.warmup * 1000
      const senders = pairs.map(pair => timed(pair, job.until, from, pair.isCrossing ? crossingTimes : times))
      timer = atRate(job.rate, number => senders[number % senders.length]?.())
    },
    done: () => received(pairs),
    finish: async () => {
      clearInterval(timer)
      const faults = await part(pairs)
      const latency = summary(times)
      return crossingTimes.length === 0 ? { faults, latency } : { faults, latency, crossing: summary(crossingTimes) }
    },
  }
}

/** Sends a message of the pair's talker, and adds its milliseconds to `times` at its end; not if sent before `from`. */
function timed ({ talker, other }: Pair, until: Job['until'], from: number, times: number[]): () => void {
  const departures: number[] = []
  const ended = (count: number, first: number): void => {
    const now = performance.now()
    for (const departure of departures.slice(first, first + count)) if (departure >= from) times.push(now - departure)
  }
  if (until === 'arrival') other.onDelivery = ended
  else talker.onAck = ended
  return () => {
    departures.push(performance.now())
    talker.send(1)
  }
}

/** Calls `act` as often as the rate says, whatever the timer's own precision. */
export function atRate (rate: number, act: (number: number) => void): NodeJS.Timeout {
  const begin = performance.now()
  let number = 0
  return setInterval(() => {
    const due = (performance.now() - begin) * rate / 1000
    while (number < due) act(number++)
  }, TICK)
}

/** What so many milliseconds come to. */
export function summary (times: readonly number[]): Latency {
  const sorted = Float64Array.from(times).sort()
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99), worst: at(1) }
}
