/** What the run and its load generators say to each other. */
import type { Target } from './client.ts'

export type Work =
  | 'register' | 'chat' | 'login' | 'idle' | 'latency' | 'room' | 'room-latency'
  | 'pubsub' | 'pubsub-items' | 'pubsub-login'

export interface Job {
  readonly work: Work
  readonly target: Target
  /** Where every second account is, and gets what those of `target` write, when that is another server. */
  readonly other?: Target
  /** Where clients of each node connect; the target's port is the first. */
  readonly ports: readonly number[]
  /** The accounts that this generator uses: `accounts` of them from `first` on. */
  readonly first: number
  readonly accounts: number
  /** Whether the talkers manage their streams (XEP-0198) and ask for acks. */
  readonly acks: boolean
  /** latency: what ends the time that began with the write. */
  readonly until: 'arrival' | 'ack'
  /** chat, pubsub: messages or publications on their way from each client. */
  readonly window: number
  /** room: how many of the accounts talk; the others listen. */
  readonly senders: number
  /** room: whether its archive is to keep what is said. */
  readonly archives: boolean
  /** login: streams at a time. */
  readonly streams: number
  /** latency: messages a second, of all clients; what arrives in the first seconds does not count. */
  readonly rate: number
  readonly warmup: number
}

export type Order = { readonly say: 'prepare', readonly job: Job } | { readonly say: 'start' | 'count' | 'finish' }

/** How far a generator is, and the processor time that itself has used. */
export interface Count { readonly done: number, readonly cpuSeconds: number }

/** How it ended: what must not have happened, a line each, and milliseconds where they were taken. */
export interface Outcome {
  readonly faults: readonly string[]
  readonly latency?: Latency
  /** Of conversations between two nodes, which are not among the others' times. */
  readonly crossing?: Latency
}

export interface Latency { readonly p50: number, readonly p99: number, readonly worst: number }

/** One kind of work inside a generator. */
export interface Load {
  /** Connects and logs in; nothing is counted yet. */
  readonly prepare: () => Promise<void>
  readonly start: () => void
  readonly done: () => number
  /** Ends the work, waits for what is on its way, and says what went wrong. */
  readonly finish: () => Promise<Outcome>
}

/** Where that account's client connects: half of the pairs have both theirs at one node, the others at neighbours. */
export function targetOf ({ target, other, ports }: Job, number: number): Target {
  if (other && number & 1) return other
  return { ...target, port: ports[nodeOf(number, ports.length)] ?? target.port }
}

/** Whether a pair's clients connect to two nodes. */
export function isCrossing ({ ports }: Job, number: number): boolean {
  return nodeOf(number, ports.length) !== nodeOf(number ^ 1, ports.length)
}

function nodeOf (number: number, nodes: number): number {
  const pair = number >> 1
  return ((pair >> 1) + (pair & number & 1)) % nodes
}

/** Runs `task` for the numbers from `first` on, so many at a time. */
export async function inParallel (
  first: number, count: number, atOnce: number, task: (number: number) => Promise<void>,
): Promise<void> {
  let next = first
  const lane = async (): Promise<void> => {
    while (next < first + count) await task(next++)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, lane))
}
