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

/** The states of docs/failover.md. */
type State =
  /** A member as far as is known; certainly one while its lease is valid. */
  | { readonly name: 'active' }
  /** No node can reach Redis, so nobody can be evicted; valid until that time of the clock. */
  | { readonly name: 'redis-outage', readonly until: number }
  /** It was evicted, or Redis has lost its data (`isForgotten`): it rejoins under that id. */
  | { readonly name: 'rejoining', readonly id: NodeId, readonly isForgotten: boolean }
  | { readonly name: 'left' }

const ACTIVE: State = { name: 'active' }

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
  #state: State = ACTIVE
  #evictions = 0
  #nodes: readonly NodeId[] = []
  #members: ReadonlySet<NodeId> = new Set()
  #beats = 0
  #aheadMs = 0
  #leaseUntil = -Infinity
  #timer: NodeJS.Timeout | undefined
  #asking: NodeJS.Timeout | undefined
  #isAsking = false
  #isBeating = false
  #hasFailed = false
  #describe: () => object | null = () => null

  constructor (
    redis: RedisConnections,
    isGlobalOutage: OutageCheck,
    node: string,
    log: Logger,
    options: MembershipOptions = {},
  ) {
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

  /** How often this node was evicted, as far as it knows. */
  get evictions (): number {
    return this.#evictions
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
    this.#asking = setInterval(() => { inBackground(this.#log, 'outage check', this.#askOthers()) }, OUTAGE_CHECK_MS)
  }

  /** Others need not wait for the lease to expire, unless Redis is gone. */
  async leave (): Promise<void> {
    this.#enter({ name: 'left' })
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
    return this.#clock() < this.#leaseUntil || this.#state.name === 'left'
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
    const { name } = this.#current
    return name === 'redis-outage' || name === 'left'
  }

  /** An outage ends unless it is confirmed in time. */
  get #current (): State {
    if (this.#state.name === 'redis-outage' && this.#clock() >= this.#state.until) this.#enter(ACTIVE)
    return this.#state
  }

  #enter (state: State): void {
    this.#state = state
    switch (state.name) {
      case 'active':
        return
      case 'redis-outage':
        this.#leaseUntil = Math.max(this.#leaseUntil, state.until)
        return
      case 'rejoining':
        this.#leaseUntil = -Infinity
        if (!state.isForgotten) this.#evictions++
        return
      case 'left':
        clearInterval(this.#timer)
        clearInterval(this.#asking)
    }
  }

  /** The published status of each member, null where there is none yet. Rejects when Redis can't be reached. */
  async status (): Promise<ReadonlyMap<NodeId, unknown>> {
    const all = await this.#redis.commands.hgetall(STATUSES)
    return new Map(Object.entries(all).map(([node, status]): [NodeId, unknown] => [node, JSON.parse(status)]))
  }

  #beatNow (): void {
    inBackground(this.#log, 'heartbeat', this.#heartbeat())
  }

  async #heartbeat (): Promise<void> {
    if (this.#isBeating || this.#state.name === 'left' || !this.#redis.isUp) return
    this.#isBeating = true
    // The lease counts from when the heartbeat was sent: its answer may have waited here while the process was frozen.
    const sentAt = this.#clock()
    const reply = await this.#sendHeartbeat()
    this.#isBeating = false
    if (reply) this.#hear(reply, sentAt)
  }

  #hear (reply: HeartbeatReply, sentAt: number): void {
    const { name } = this.#state
    if (name === 'left') return
    const isForgotten = reply.beats <= this.#beats
    if (name !== 'rejoining' && (isForgotten || !reply.isMember)) {
      this.#enter({ name: 'rejoining', id: `${this.#node}.${randomId()}`, isForgotten })
    } else this.#accept(reply, sentAt)
    if (this.#state.name === 'rejoining' || this.#waiters.length > 0) this.#beatNow()
  }

  async #sendHeartbeat (): Promise<HeartbeatReply | undefined> {
    try {
      const reply = await (this.#state.name === 'rejoining'
        ? this.#send(this.#state.id, true, this.#id) : this.#send(this.#id, false, ''))
      this.#hasFailed = false
      return reply
    } catch (error) { // Redis went away meanwhile, or refuses the script to everybody: its memory is full
      if (!isRefusal(error)) return undefined
      if (!this.#hasFailed)
        this.#log.error({ event: 'cluster.heartbeat_refused', err: error }, 'cluster: Redis refuses heartbeats')
      this.#hasFailed = true
      this.#extendLease(this.#clock() + this.#ttlMs * 5 / 6)
      return undefined
    }
  }

  #accept (reply: HeartbeatReply, sentAt: number): void {
    const [before, previous] = [this.#id, this.#state]
    if (previous.name === 'rejoining') {
      this.#id = previous.id
      this.#enter(ACTIVE)
    }
    this.#beats = reply.beats
    this.#aheadMs = reply.now - Date.now()
    // A sixth is the margin for work that relies on the lease.
    this.#leaseUntil = sentAt + this.#ttlMs * 5 / 6
    const known = this.#members
    this.#nodes = reply.nodes
    this.#members = new Set(reply.nodes)
    if (previous.name === 'rejoining') this.#tellLeaseLost(before, previous.isForgotten)
    for (const node of reply.evicted) {
      this.#log.warn(
        { event: 'cluster.node_evicted', node },
        'cluster: node evicted (heartbeat timeout), its accounts fail over',
      )
    }
    for (const node of known) if (!this.#members.has(node) && node !== before) this.#lose(node)
    for (const node of this.#nodes) {
      if (!known.has(node) && node !== this.#id)
        this.#log.info({ event: 'cluster.node_joined', node }, 'cluster: node joined')
    }
    if (this.#clock() < this.#leaseUntil) this.#settle()
  }

  #tellLeaseLost (before: NodeId, isForgotten: boolean): void {
    const reason = isForgotten ? 'Redis has lost its data' : 'evicted by the other nodes'
    this.#log.warn(
      { event: 'cluster.lease_lost', before, id: this.#id, reason },
      'cluster: lease lost, rejoined with a new id',
    )
    for (const handler of this.#leaseLost) this.#guard(() => { handler(before, isForgotten) })
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
    if (this.#isAsking || this.#state.name === 'left' || this.#redis.isUp) return
    this.#isAsking = true
    const askedAt = this.#clock()
    try {
      if (await this.#isGlobalOutage(this.#id, this.#nodes.filter(node => node !== this.#id)))
        this.#extendLease(askedAt + OUTAGE_MS)
    } catch (error) { // the database is away too: nothing is known
      this.#log.debug({ event: 'cluster.outage_check_failed', err: error }, 'cluster: outage check failed')
    }
    this.#isAsking = false
  }

  // Redis answers nobody, so no other node can have evicted this one, unless an eviction is known already.
  #extendLease (until: number): void {
    const state = this.#current
    if (state.name === 'rejoining' || state.name === 'left') return
    this.#enter({ name: 'redis-outage', until: state.name === 'redis-outage' ? Math.max(state.until, until) : until })
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
