/**
 * The members of the cluster. Each node renews its lease in Redis every second, by one script that uses Redis's clock
 * and returns the members. A node is a member until another node's heartbeat finds its lease expired and evicts it, or
 * it leaves; its mailbox (the stream of redis-bus.ts) exists exactly as long. An evicted node rejoins under a new id.
 * If no heartbeat from any node reached Redis (Redis down or frozen), all deadlines are extended by that gap. A node
 * that can't reach Redis checks whether any node can (outage-check.ts).
 */
import type { Logger } from '../../log.ts'
import { inBackground } from '../../util/background.ts'
import { randomId } from '../../util/ids.ts'
import { beat, mailboxOf, MEMBERS, STATUSES } from './heartbeat.ts'
import type { HeartbeatReply } from './heartbeat.ts'
import type { NodeId } from '../bus/bus.ts'
import { isRefusal } from '../redis.ts'
import type { RedisConnections } from '../redis.ts'
import type { OutageCheck } from './outage-check.ts'

/** How often a node without Redis runs the outage check, and how long a positive result is valid. */
const OUTAGE_CHECK_MS = 300
const OUTAGE_MS = 600

/** `redis-outage`: no node can reach Redis, so nobody can be evicted; `fenced`: this node was evicted. */
export type NodeState = 'active' | 'redis-outage' | 'fenced'

export interface MembershipOptions {
  readonly beatMs?: number
  /** The lease: a node without a heartbeat for this time is evicted. */
  readonly ttlMs?: number
  /** Milliseconds of a monotonic clock. */
  readonly clock?: () => number
}

/** This node's membership. Handlers of one event are called in the order in which they were added. */
export class Membership {
  readonly #redis: RedisConnections
  readonly #isGlobalOutage: OutageCheck
  readonly #log: Logger
  readonly #node: string
  readonly #beatMs: number
  readonly #ttlMs: number
  readonly #clock: () => number
  readonly #gone: ((node: NodeId) => void)[] = []
  readonly #leaseLost: ((before: NodeId, isForgotten: boolean) => void)[] = []
  readonly #waiters: (() => void)[] = []
  #id: NodeId
  /** The id for the rejoin, until Redis has confirmed it. */
  #nextId: NodeId | undefined
  #isForgotten = false
  /** How often this node was evicted. */
  #evictions = 0
  #nodes: readonly NodeId[] = []
  #members: ReadonlySet<NodeId> = new Set()
  #beats = 0
  #aheadMs = 0
  #leaseUntil = -Infinity
  #outageUntil = -Infinity
  #timer: NodeJS.Timeout | undefined
  #asking: NodeJS.Timeout | undefined
  #isAsking = false
  #isBeating = false
  #hasFailed = false
  #hasLeft = false
  #describe: () => object | null = () => null

  constructor (redis: RedisConnections, isGlobalOutage: OutageCheck, node: string, log: Logger, options: MembershipOptions = {}) {
    this.#redis = redis
    this.#isGlobalOutage = isGlobalOutage
    this.#node = node
    this.#log = log
    this.#beatMs = options.beatMs ?? 1_000
    this.#ttlMs = options.ttlMs ?? 3_000
    this.#clock = options.clock ?? (() => performance.now())
    this.#id = `${node}.${randomId()}`
  }

  /** The id of this incarnation of the node: a new one after a rejoin. */
  get id (): NodeId {
    return this.#id
  }

  /** All members, this one included, sorted. */
  get nodes (): readonly NodeId[] {
    return this.#nodes
  }

  /** How far Redis's clock is ahead of this machine's. */
  get aheadMs (): number {
    return this.#aheadMs
  }

  isAlive (node: NodeId): boolean {
    return this.#members.has(node)
  }

  /** The status of this node that `status()` returns on every node, asked at each heartbeat. */
  publish (describe: () => object): void {
    this.#describe = describe
  }

  /** A node has left, or was silent for too long; it never comes back under that id. */
  whenGone (handler: (node: NodeId) => void): void {
    this.#gone.push(handler)
  }

  /**
   * This node was evicted, or Redis has lost its data, and with it all ownership (`isForgotten`). It has rejoined: `id`
   * is the new one.
   */
  whenLeaseLost (handler: (before: NodeId, isForgotten: boolean) => void): void {
    this.#leaseLost.push(handler)
  }

  /** Registers this node; rejects when Redis can't be asked. */
  async join (): Promise<void> {
    const sentAt = this.#clock()
    this.#accept(await this.#send(this.#id, true, ''), sentAt)
    this.#timer = setInterval(() => { this.#beatNow() }, this.#beatMs)
    this.#redis.whenUp(() => { this.#beatNow() })
    this.#asking = setInterval(() => { inBackground(this.#log, 'asking who else is without Redis', this.#askOthers()) }, OUTAGE_CHECK_MS)
  }

  /** Others need not wait for the lease to expire, unless Redis is gone. */
  async leave (): Promise<void> {
    this.#hasLeft = true
    clearInterval(this.#timer)
    clearInterval(this.#asking)
    this.#settle()
    await this.#redis.commands.multi()
      .zrem(MEMBERS, this.#id).hdel(STATUSES, this.#id).del(mailboxOf(this.#id)).exec().catch(() => {}) // it is gone
  }

  /**
   * Undefined while the lease is valid. Otherwise (the process was frozen, for instance) resolves once it is renewed or
   * lost: `id` tells which.
   */
  confirmLease (): Promise<void> | undefined {
    return this.hasLease ? undefined : this.#whenSettled()
  }

  /** No other node can have evicted this one at this moment. */
  get hasLease (): boolean {
    return this.#clock() < this.#leaseUntil || this.#hasLeft
  }

  #whenSettled (): Promise<void> {
    this.#beatNow()
    return new Promise(resolve => { this.#waiters.push(resolve) })
  }

  /** The state of this node after an error of Redis or a freeze, once it is known. */
  async settledState (): Promise<NodeState> {
    if (this.#isRedisOutage) return 'redis-outage'
    const deaths = this.#evictions
    await this.#whenSettled()
    if (deaths !== this.#evictions) return 'fenced'
    return this.#isRedisOutage ? 'redis-outage' : 'active'
  }

  get #isRedisOutage (): boolean {
    return this.#hasLeft || this.#clock() < this.#outageUntil
  }

  /** The published status of each member, null where there is none yet. Rejects when Redis can't be reached. */
  async status (): Promise<ReadonlyMap<NodeId, unknown>> {
    const all = await this.#redis.commands.hgetall(STATUSES)
    return new Map(Object.entries(all).map(([node, status]): [NodeId, unknown] => [node, JSON.parse(status)]))
  }

  #beatNow (): void {
    inBackground(this.#log, 'telling Redis that this node lives', this.#heartbeat())
  }

  async #heartbeat (): Promise<void> {
    if (this.#isBeating || this.#hasLeft || !this.#redis.isUp) return
    this.#isBeating = true
    // The lease counts from when the heartbeat was sent: its answer may have waited here while the process was frozen.
    const sentAt = this.#clock()
    const reply = await this.#sendHeartbeat()
    this.#isBeating = false
    if (reply === undefined || this.#hasLeft) return
    if (this.#nextId === undefined && this.#isLost(reply)) {
      this.#nextId = `${this.#node}.${randomId()}`
      this.#isForgotten = reply.beats <= this.#beats
      if (!this.#isForgotten) this.#evictions++
      this.#leaseUntil = -Infinity
    } else this.#accept(reply, sentAt)
    if (this.#nextId !== undefined || (this.#waiters.length > 0)) this.#beatNow()
  }

  async #sendHeartbeat (): Promise<HeartbeatReply | undefined> {
    try {
      const reply = await (this.#nextId === undefined
        ? this.#send(this.#id, false, '') : this.#send(this.#nextId, true, this.#id))
      this.#hasFailed = false
      return reply
    } catch (error) { // Redis went away meanwhile, or refuses the script to everybody: its memory is full
      if (!isRefusal(error)) return undefined
      if (!this.#hasFailed) this.#log.error({ event: 'cluster.heartbeat_refused', err: error }, 'cluster: Redis refuses heartbeats')
      this.#hasFailed = true
      this.#extendLease(this.#clock() + this.#ttlMs * 5 / 6)
      return undefined
    }
  }

  #isLost (reply: HeartbeatReply): boolean {
    return !reply.isMember || reply.beats <= this.#beats
  }

  #accept (reply: HeartbeatReply, sentAt: number): void {
    const before = this.#id
    if (this.#nextId !== undefined) [this.#id, this.#nextId] = [this.#nextId, undefined]
    this.#beats = reply.beats
    this.#aheadMs = reply.now - Date.now()
    // A sixth is the margin for work that relies on the lease.
    this.#leaseUntil = sentAt + this.#ttlMs * 5 / 6
    const known = this.#members
    this.#nodes = reply.nodes
    this.#members = new Set(reply.nodes)
    if (before !== this.#id) {
      const reason = this.#isForgotten ? 'Redis has lost its data' : 'evicted by the other nodes'
      this.#log.warn({ event: 'cluster.lease_lost', before, id: this.#id, reason }, 'cluster: lease lost, rejoined with a new id')
      for (const handler of this.#leaseLost) this.#guard(() => { handler(before, this.#isForgotten) })
    }
    for (const node of reply.evicted) {
      this.#log.warn({ event: 'cluster.node_evicted', node }, 'cluster: node evicted (heartbeat timeout), its accounts fail over')
    }
    for (const node of known) if (!this.#members.has(node) && node !== before) this.#lose(node)
    for (const node of this.#nodes) {
      if (!known.has(node) && node !== this.#id) this.#log.info({ event: 'cluster.node_joined', node }, 'cluster: node joined')
    }
    if (this.#clock() < this.#leaseUntil) this.#settle()
  }

  #lose (node: NodeId): void {
    this.#log.info({ event: 'cluster.node_left', node }, 'cluster: node left')
    for (const handler of this.#gone) this.#guard(() => { handler(node) })
  }

  /** One handler's bug must not affect the others. */
  #guard (run: () => void): void {
    try {
      run()
    } catch (error) { // a bug of ours
      this.#log.error({ event: 'cluster.membership_handler_failed', err: error }, 'cluster: membership handler failed')
    }
  }

  async #askOthers (): Promise<void> {
    if (this.#isAsking || this.#hasLeft || this.#redis.isUp) return
    this.#isAsking = true
    const askedAt = this.#clock()
    try {
      if (await this.#isGlobalOutage(this.#id, this.#nodes.filter(node => node !== this.#id))) this.#extendLease(askedAt + OUTAGE_MS)
    } catch (error) { // the database is away too: nothing is known
      this.#log.debug({ event: 'cluster.outage_check_failed', err: error }, 'cluster: outage check failed')
    }
    this.#isAsking = false
  }

  // Redis answers nobody, so no other node can have evicted this one, unless an eviction is known already.
  #extendLease (until: number): void {
    if (this.#nextId !== undefined) return
    this.#outageUntil = Math.max(this.#outageUntil, until)
    this.#leaseUntil = Math.max(this.#leaseUntil, until)
    this.#settle()
  }

  #settle (): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }

  #send (id: NodeId, isJoining: boolean, before: NodeId | ''): Promise<HeartbeatReply> {
    const times = { ttlMs: this.#ttlMs, beatMs: this.#beatMs }
    return beat(this.#redis.commands, { id, isJoining, before, status: this.#describe(), ...times })
  }
}
