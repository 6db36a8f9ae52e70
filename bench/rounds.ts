/** One measurement each: how much a server does for a second of its processor time, or what its idle sessions weigh. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Generators } from './generators.ts'
import type { Job, Latency, Work } from './job.ts'
import { isArchived, isInRoom, isOfNodes, isTimed } from './options.ts'
import type { LoadName, Options, ServerName } from './options.ts'
import type { Costs, Server } from './peers/peer.ts'

const SETTLE = 2000
const LOGIN_ACCOUNTS = 500

/** What one round has shown of one server. */
export interface Sample {
  /** The figure that counts: per processor second, kilobytes per session, or milliseconds at the 99th percentile. */
  readonly value: number
  readonly pace?: Pace
  readonly latency?: Latency
  /** Of conversations between two nodes. */
  readonly crossing?: Latency
  /** Kilobytes of the whole server, without sessions and with them. */
  readonly memory?: { readonly before: number, readonly after: number }
  readonly faults: readonly string[]
}

/**
 * Deliveries or logins a second by the clock, what shares of their cores the server and a generator had, and what
 * shares of the server's Redis and PostgreSQL had.
 */
export interface Pace {
  readonly rate: number
  readonly serverLoad: number
  readonly generatorLoad: number
  readonly redisShare: number
  readonly postgresShare: number
}

/** The accounts that the loads of this run need. */
export function accountsNeeded (options: Options): number {
  const idle = options.loads.includes('idle') || options.loads.includes('idle-tls')
  return Math.max(
    options.loads.every(load => isInRoom(load) || isOfNodes(load)) ? 0 : 2 * options.pairs, options.loads.includes('login') ? LOGIN_ACCOUNTS : 0,
    idle ? options.sessions : 0, options.loads.some(isInRoom) ? options.occupants : 0,
    options.loads.some(isOfNodes) ? options.subscribers + 1 : 0)
}

/** Gives the server its accounts, once, before anything is measured. */
export async function addAccounts (server: Server, options: Options): Promise<void> {
  const generators = new Generators(options.generatorCores)
  try {
    await server.start()
    await generators.prepare(job('register', server, options))
  } finally {
    generators.end()
    await server.stop()
  }
}

/** Runs a load of messages or logins against a freshly started server. */
export async function measureWork (
  load: Exclude<LoadName, 'idle' | 'idle-tls'>, server: Server, options: Options,
): Promise<Sample> {
  const work = workOf(load)
  const isOnOneCore = isTimed(load) || isInRoom(load) || isOfNodes(load)
  const cores = isOnOneCore ? options.generatorCores.slice(0, 1) : options.generatorCores
  const generators = new Generators(cores)
  const talk = {
    acks: isArchived(load),
    archives: isArchived(load),
    until: load === 'archived-ack' ? 'ack' as const : 'arrival' as const,
  }
  try {
    await server.start()
    const archived = await server.countArchived()
    await generators.prepare({ ...job(work, server, options), ...talk })
    await generators.start()
    await sleep(warmUp(server, options) * 1000)
    const before = await reading(server, generators)
    await sleep(options.seconds * 1000)
    const after = await reading(server, generators)
    const { faults: heard, latency, crossing } = await generators.finish()
    const perDelivery = isInRoom(load) ? 1 / options.occupants : 2
    const faults = isArchived(load) ? [...heard, ...await missing(server, archived, generators, perDelivery)] : heard
    const sample = difference(before, after, cores.length)
    return latency
      ? { ...sample, value: latency.p99, latency, ...crossing && { crossing }, faults }
      : { ...sample, faults }
  } finally {
    generators.end()
    await server.stop()
  }
}

function workOf (load: LoadName): Work {
  if (load === 'login') return 'login'
  if (load === 'pubsub' || load === 'pubsub-items' || load === 'pubsub-login') return load
  if (isInRoom(load)) return isTimed(load) ? 'room-latency' : 'room'
  return isTimed(load) ? 'latency' : 'chat'
}

/** Every message is to be in two archives, or once in a room's, whatever the number of those who got it. */
async function missing (
  server: Server, before: number, generators: Generators, perDelivery: number,
): Promise<readonly string[]> {
  await sleep(SETTLE)
  const { done } = await generators.count()
  const copies = perDelivery * done - (await server.countArchived() - before)
  return copies === 0 ? [] : [`${copies} copies are missing in the archives`]
}

/** Weighs idle sessions on all servers at the same time: they only have to be left alone. */
export async function measureIdle (
  tls: boolean, servers: readonly Server[], options: Options,
): Promise<ReadonlyMap<ServerName, Sample>> {
  // Before the servers: a page of Node's program that a generator shares with a server weighs less on both.
  const each = servers.map(server => ({ server, generators: new Generators(options.generatorCores), before: 0 }))
  try {
    for (const { server } of each) await server.start()
    await sleep(SETTLE)
    for (const weighed of each) weighed.before = weighed.server.memoryKilobytes()
    for (const { server, generators } of each) await generators.prepare(job('idle', server, options, tls))
    await sleep(options.wait * 1000)
    const samples = new Map<ServerName, Sample>()
    for (const { server, generators, before } of each) {
      const after = server.memoryKilobytes()
      const { faults } = await generators.finish()
      samples.set(server.name, { value: (after - before) / options.sessions, memory: { before, after }, faults })
    }
    return samples
  } finally {
    for (const { generators } of each) generators.end()
    await Promise.all(servers.map(server => server.stop()))
  }
}

/** Nodes share a core: each is to have as much of it for its compiler as one alone has. */
function warmUp (server: Server, options: Options): number {
  return options.warmup * server.ports.length
}

function job (work: Work, server: Server, options: Options, tls = false): Job {
  const accounts = {
    register: accountsNeeded(options), chat: 2 * options.pairs, latency: 2 * options.pairs, login: LOGIN_ACCOUNTS,
    idle: options.sessions, room: options.occupants, 'room-latency': options.occupants,
    'pubsub': options.subscribers + 1, 'pubsub-items': options.subscribers + 1,
    'pubsub-login': options.subscribers + 1,
  }
  return {
    work,
    target: { port: server.ports[0] ?? 0, domain: server.domain, tls },
    ports: server.ports,
    acks: false,
    until: 'arrival',
    first: 0,
    accounts: accounts[work],
    window: options.window,
    senders: options.senders,
    archives: false,
    streams: options.streams,
    rate: work === 'room-latency' ? options.roomRate : options.rate,
    warmup: warmUp(server, options),
  }
}

interface Reading { readonly at: number, readonly done: number, readonly costs: Costs, readonly generator: number }

async function reading (server: Server, generators: Generators): Promise<Reading> {
  const { done, cpuSeconds: generator } = await generators.count()
  return { at: performance.now() / 1000, done, costs: server.cpuSeconds(), generator }
}

function difference (before: Reading, after: Reading, generators: number): Required<Pick<Sample, 'value' | 'pace'>> {
  const seconds = after.at - before.at
  const done = after.done - before.done
  const cost = (of: keyof Costs): number => after.costs[of] - before.costs[of]
  const [redis, postgres] = [cost('redis'), cost('postgres')]
  const all = cost('server') + redis + postgres
  return {
    value: done / all,
    pace: {
      rate: done / seconds,
      serverLoad: all / seconds,
      redisShare: redis / all,
      postgresShare: postgres / all,
      generatorLoad: (after.generator - before.generator) / seconds / generators,
    },
  }
}
