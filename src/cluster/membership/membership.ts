/**
 * Which nodes the cluster has: each tells Redis every second that it lives, in one script that uses Redis's own clock,
 * and hears who else does. A node is a member until the beat of another finds that its time is over and takes it out,
 * or it leaves; its mailbox (the stream of redis-bus.ts) exists exactly as long. Who was taken out joins anew, as
 * another node. Time in which nobody's beat reached Redis (it was frozen, restarted, cut off) is nobody's fault: it
 * does not count. Who can't reach Redis asks a outageCheck whether anybody can.
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

/** How often a node without Redis asks who else is, and how long the answer holds that all are. */
const OUTAGE_CHECK_MS = 300
const OUTAGE_MS = 600

/** How it stands with a node: others live with it, or it is as good as alone, since nobody can reach Redis; or it was taken for dead. */
export type NodeState = 'active' | 'redis-outage' | 'fenced'

export interface MembershipOptions {
  readonly beatMs?: number
  /** So long after its last beat a node is taken for dead. */
  readonly ttlMs?: number
  /** Milliseconds that never go back. */
  readonly clock?: () => number
}

/** This node among the others. Handlers of one event are called in the order in which they were given. */
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
  /** Under which this node is to join anew, while Redis has not answered that it has. */
  #nextId: NodeId | undefined
  #isForgotten = false
  /** How often it was taken for dead. */
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

  /** This run of this node: another one after it had to join anew. */
  get id (): NodeId {
    return this.#id
  }

  /** All that live, this one included, sorted. */
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

  /** What `status()` tells of this node on any other, asked at each beat. */
  publish (describe: () => object): void {
    this.#describe = describe
  }

  /** A node has left, or was silent for too long; it never comes back under that id. */
  whenGone (handler: (node: NodeId) => void): void {
    this.#gone.push(handler)
  }

  /**
   * This node was taken for dead, or Redis has lost its data, and with it who was home to whom (`isForgotten`): it has
   * joined anew, `id` is another already.
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

  /** The others need not wait until this node's time is over, unless Redis is gone. */
  async leave (): Promise<void> {
    this.#hasLeft = true
    clearInterval(this.#timer)
    clearInterval(this.#asking)
    this.#settle()
    await this.#redis.commands.multi()
      .zrem(MEMBERS, this.#id).hdel(STATUSES, this.#id).del(mailboxOf(this.#id)).exec().catch(() => {}) // it is gone
  }

  /**
   * Nothing while no other node can have taken this one for dead. A promise when it may (the process was frozen), which
   * resolves when that is known: `id` tells.
   */
  confirmLease (): Promise<void> | undefined {
    return this.hasLease ? undefined : this.#whenSettled()
  }

  /** No other node can have taken this one for dead, at this moment. */
  get hasLease (): boolean {
    return this.#clock() < this.#leaseUntil || this.#hasLeft
  }

  #whenSettled (): Promise<void> {
    this.#beatNow()
    return new Promise(resolve => { this.#waiters.push(resolve) })
  }

  /** What became of this node since Redis failed it or it was frozen, when that is known. */
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

  /** What each live node has published, null where that is nothing yet. Rejects when Redis can't be asked. */
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
    // What counts is when it was sent: an answer may have waited here while the process was frozen.
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
    // A sixth is for what is done in this certainty.
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

  /** What one handler gets wrong is not the others'. */
  #guard (run: () => void): void {
    try {
      run()
    } catch (error) { // a mistake of ours
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

  // Redis answers nobody: no other node can have taken this one for dead, unless it is known already that one has.
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
