/** One measurement: how many messages reach another server for a second of processor time, of either of the two. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Generators } from '../generators.ts'
import type { Job } from '../job.ts'
import type { Peer } from '../peers/peer.ts'
import type { FederationOptions, LoadName } from './options.ts'

const SETTLE = 2000

/** What one round has shown of one way. */
export interface Sample {
  /** Deliveries for a second of processor time of the server, its database included. */
  readonly sender: number
  readonly receiver: number
  /** Deliveries a second by the clock, and the shares of a core that each had. */
  readonly rate: number
  readonly senderLoad: number
  readonly receiverLoad: number
  readonly generatorLoad: number
  /** What part of the costs its PostgreSQL has. */
  readonly senderDatabase: number
  readonly receiverDatabase: number
  readonly faults: readonly string[]
}

/** Gives a server its accounts. */
export async function addAccounts (server: Peer, options: FederationOptions): Promise<void> {
  const generators = new Generators(options.generatorCores)
  try {
    await server.start()
    await generators.prepare({ ...job(server, undefined, options), work: 'register' })
  } finally {
    generators.end()
    await server.stop()
  }
}

/** Lets clients of `sender` write to clients of `receiver`, both freshly started. */
export async function measureWay (
  load: LoadName, sender: Peer, receiver: Peer, options: FederationOptions,
): Promise<Sample> {
  const generators = new Generators(options.generatorCores)
  try {
    await Promise.all([sender.start(), receiver.start()])
    const archived = [await sender.countArchived(), await receiver.countArchived()]
    await generators.prepare({ ...job(sender, receiver, options), acks: load === 'archived' })
    await generators.start()
    await warmUp([sender, receiver], options.warmup)
    const before = await reading(sender, receiver, generators)
    await sleep(options.seconds * 1000)
    const after = await reading(sender, receiver, generators)
    const { faults } = await generators.finish()
    if (load === 'archived') await sleep(SETTLE)
    const { done } = await generators.count()
    const kept = [await sender.countArchived(), await receiver.countArchived()]
    const missing = load === 'archived' ? kept.flatMap((count, at) => missingIn(done, count - (archived[at] ?? 0), at)) : []
    return { ...difference(before, after, options.generatorCores.length), faults: [...faults, ...missing] }
  } finally {
    generators.end()
    await Promise.all([sender.stop(), receiver.stop()])
  }
}

/**
 * Resolves when each server has had so many seconds of processor time, whatever else the machine does meanwhile, but at
 * most ten times as long by the clock: compilers are done with what is hot by then.
 */
async function warmUp (servers: readonly Peer[], seconds: number): Promise<void> {
  const before = servers.map(costOf)
  const deadline = performance.now() + 10_000 * seconds
  const isCold = (server: Peer, at: number): boolean => costOf(server) - (before[at] ?? 0) < seconds
  while (servers.some(isCold) && performance.now() < deadline) await sleep(200)
}

/** Seconds of processor time of the server and its PostgreSQL. */
export function costOf (server: Peer): number {
  return Object.values(server.cpuSeconds()).reduce((sum, each) => sum + each, 0)
}

function missingIn (done: number, kept: number, at: number): readonly string[] {
  if (done === kept) return []
  return [`the archive of the ${at === 0 ? 'sender' : 'receiver'} has ${kept} messages where ${done} were delivered`]
}

/** What its generators are to do at `server`, with every second account at `other`. */
export function job (server: Peer, other: Peer | undefined, options: FederationOptions): Job {
  const target = (of: Peer): Job['target'] => ({ port: of.ports[0] ?? 0, domain: of.domain, tls: false })
  return {
    work: 'chat',
    target: target(server),
    ...other && { other: target(other) },
    ports: server.ports,
    acks: false,
    until: 'arrival',
    first: 0,
    accounts: 2 * options.pairs,
    window: options.window,
    senders: 0,
    archives: false,
    streams: 0,
    rate: 0,
    warmup: options.warmup,
  }
}

interface Reading {
  readonly at: number
  readonly done: number
  readonly sender: number
  readonly receiver: number
  readonly senderDatabase: number
  readonly receiverDatabase: number
  readonly generator: number
}

async function reading (sender: Peer, receiver: Peer, generators: Generators): Promise<Reading> {
  const { done, cpuSeconds: generator } = await generators.count()
  const [from, to] = [sender.cpuSeconds(), receiver.cpuSeconds()]
  return {
    at: performance.now() / 1000, done, generator,
    sender: from.server + from.postgres, senderDatabase: from.postgres,
    receiver: to.server + to.postgres, receiverDatabase: to.postgres,
  }
}

function difference (before: Reading, after: Reading, generators: number): Omit<Sample, 'faults'> {
  const grown = (of: keyof Reading): number => after[of] - before[of]
  const [done, seconds] = [grown('done'), grown('at')]
  return {
    sender: done / grown('sender'),
    receiver: done / grown('receiver'),
    rate: done / seconds,
    senderLoad: grown('sender') / seconds,
    receiverLoad: grown('receiver') / seconds,
    senderDatabase: grown('senderDatabase') / grown('sender'),
    receiverDatabase: grown('receiverDatabase') / grown('receiver'),
    generatorLoad: grown('generator') / seconds / generators,
  }
}
