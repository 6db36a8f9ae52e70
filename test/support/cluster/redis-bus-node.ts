/** Nodes of a cluster in a test's own process, each with its connections to Redis, its membership and its bus. */
import { pino } from 'pino'
import { vi } from 'vitest'
import { Membership } from '../../../src/cluster/membership/membership.ts'
import type { MembershipOptions } from '../../../src/cluster/membership/membership.ts'
import { RedisBus } from '../../../src/cluster/bus/redis-bus.ts'
import type { RedisBusOptions } from '../../../src/cluster/bus/redis-bus.ts'
import { WriteBarrier } from '../../../src/net/write-barrier.ts'
import { openRedis } from '../../../src/cluster/redis.ts'
import type { RedisConnections } from '../../../src/cluster/redis.ts'
import type { OutageCheck } from '../../../src/cluster/membership/outage-check.ts'

const WAIT_MS = 30_000

export interface RedisNode {
  readonly redis: RedisConnections
  readonly membership: Membership
  readonly bus: RedisBus
  readonly barrier: WriteBarrier
  /** Lines of its log. */
  readonly log: readonly string[]
}

export interface RedisNodeOptions extends MembershipOptions, RedisBusOptions {
  readonly silenceMs?: number
  /** Left out: all others are always without Redis when this node is. */
  readonly outageCheck?: OutageCheck
}

/** A node that has joined, and whose bus is yet to be opened. */
export async function redisNode (url: string, name: string, options: RedisNodeOptions = {}): Promise<RedisNode> {
  const lines: string[] = []
  const log = pino({ level: 'debug' }, { write (line) { lines.push(line) } })
  const redis = await openRedis(url, log, options)
  const membership = new Membership(redis, options.outageCheck ?? (() => Promise.resolve(true)), name, log, {
    beatMs: 50,
    ttlMs: 60_000,
    ...options,
  })
  await membership.join()
  const barrier = new WriteBarrier(log)
  return { redis, membership, barrier, bus: new RedisBus({ redis, membership, barrier, log }, options), log: lines }
}

/** It ends without a word, as a process does that is killed. */
export function killNode ({ redis, membership, bus }: RedisNode): void {
  redis.close()
  void bus.close()
  void membership.leave()
}

/** Waits until an assertion holds. */
export async function eventually (assertion: () => void | Promise<void>): Promise<void> {
  await vi.waitFor(assertion, { timeout: WAIT_MS, interval: 10 })
}
