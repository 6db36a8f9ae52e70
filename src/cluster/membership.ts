/**
 * Which nodes the cluster has: each tells Redis every second that it lives, in one script that uses Redis's own clock,
 * and hears who else does. A node is a member until the beat of another finds that its time is over and takes it out,
 * or it leaves; its mailbox (the stream of redis-bus.ts) exists exactly as long. Who was taken out joins anew, as
 * another node. Time in which nobody's beat reached Redis (it was frozen, restarted, cut off) is nobody's fault: it
 * does not count.
 */
import type { Logger } from '../log.ts'
import { randomId } from '../util/ids.ts'
import type { NodeId } from './bus.ts'
import { isRefusal } from './redis.ts'
import type { RedisConnections } from './redis.ts'

/** Sorted set: a node is a member as long as its id is in it; the score, when it is to be taken out, is the beats' own business. */
export const MEMBERS = 'hg:nodes'
const STATUSES = 'hg:node-status'
const DATA = 'hg:data'
const MAILBOX = 'hg:bus:'

/** The stream of what that node is told. */
export function mailboxOf (node: NodeId): string {
  return MAILBOX + node
}

// ARGV: id, TTL, beat, status, whether to join, the id that the node had before it joined anew.
const BEAT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local beats = redis.call('HINCRBY', KEYS[3], 'beats', 1)
local unseen = now - (redis.call('HGET', KEYS[3], 'last') or now) - ARGV[3]
redis.call('HSET', KEYS[3], 'last', now)
if unseen > tonumber(ARGV[3]) then
  for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], unseen, id) end
end
local function remove (id)
  redis.call('ZREM', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
  redis.call('DEL', '${MAILBOX}' .. id)
end
if ARGV[6] ~= '' then remove(ARGV[6]) end
local isMember = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0
if isMember == 0 and ARGV[5] == '1' then
  redis.call('DEL', '${MAILBOX}' .. ARGV[1])
  redis.call('XADD', '${MAILBOX}' .. ARGV[1], '*', 'd', '')
  isMember = 1
end
if isMember == 1 then
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
end
local silent = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)
for _, id in ipairs(silent) do remove(id) end
return { isMember, beats, now, redis.call('ZRANGE', KEYS[1], 0, -1), silent }
`

export interface MembershipOptions {
  readonly beatMs?: number
  /** So long after its last beat a node is taken for dead. */
  readonly ttlMs?: number
  /** Milliseconds that never go back. */
  readonly clock?: () => number
}

/** What the script returns. */
type BeatAnswer = [isMember: number, beats: number, now: number, nodes: NodeId[], silent: NodeId[]]

interface Standing {
  readonly isMember: boolean
  /** Of all nodes together, ever: Redis that has less of them than before has data from before. */
  readonly beats: number
  readonly now: number
  readonly nodes: readonly NodeId[]
  /** Whom this beat took out. */
  readonly silent: readonly NodeId[]
}

/** This node among the others. Handlers of one event are called in the order in which they were given. */
export class Membership {
  readonly #redis: RedisConnections
  readonly #log: Logger
  readonly #node: string
  readonly #beatMs: number
  readonly #ttlMs: number
  readonly #clock: () => number
  readonly #gone: ((node: NodeId) => void)[] = []
  readonly #lapsed: ((before: NodeId, isForgotten: boolean) => void)[] = []
  readonly #doubtful: (() => void)[] = []
  #id: NodeId
  /** Under which this node is to join anew, while Redis has not answered that it has. */
  #nextId: NodeId | undefined
  #isForgotten = false
  #nodes: readonly NodeId[] = []
  #members: ReadonlySet<NodeId> = new Set()
  #beats = 0
  #aheadMs = 0
  #certainUntil = -Infinity
  #timer: NodeJS.Timeout | undefined
  #isBeating = false
  #hasFailed = false
  #hasLeft = false
  #describe: () => object | null = () => null

  constructor (redis: RedisConnections, node: string, log: Logger, options: MembershipOptions = {}) {
    this.#redis = redis
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
  whenLapsed (handler: (before: NodeId, isForgotten: boolean) => void): void {
    this.#lapsed.push(handler)
  }

  /** Registers this node; rejects when Redis can't be asked. */
  async join (): Promise<void> {
    const sentAt = this.#clock()
    this.#accept(await this.#ask(this.#id, true, ''), sentAt)
    this.#timer = setInterval(() => { void this.#beat() }, this.#beatMs)
    this.#redis.whenUp(() => { void this.#beat() })
    this.#redis.whenRefused(() => { this.#excuse() })
  }

  /** The others need not wait until this node's time is over, unless Redis is gone. */
  async leave (): Promise<void> {
    this.#hasLeft = true
    clearInterval(this.#timer)
    this.#settle()
    await this.#redis.commands.multi()
      .zrem(MEMBERS, this.#id).hdel(STATUSES, this.#id).del(mailboxOf(this.#id)).exec().catch(() => {}) // it is gone
  }

  /**
   * Nothing while no other node can have taken this one for dead. A promise when it may (the process was frozen), which
   * resolves when that is known: `id` tells. While Redis does not answer, nobody is taken for dead.
   */
  certain (): Promise<void> | undefined {
    if (this.#clock() < this.#certainUntil || this.#hasLeft) return undefined
    void this.#beat()
    return new Promise(resolve => { this.#doubtful.push(resolve) })
  }

  /** What each live node has published, null where that is nothing yet. Rejects when Redis can't be asked. */
  async status (): Promise<ReadonlyMap<NodeId, unknown>> {
    const all = await this.#redis.commands.hgetall(STATUSES)
    return new Map(Object.entries(all).map(([node, status]): [NodeId, unknown] => [node, JSON.parse(status)]))
  }

  async #beat (): Promise<void> {
    if (this.#isBeating || this.#hasLeft || !this.#redis.isUp) return
    this.#isBeating = true
    // What counts is when it was sent: an answer may have waited here while the process was frozen.
    const sentAt = this.#clock()
    const standing = await this.#standing()
    this.#isBeating = false
    if (standing === undefined || this.#hasLeft) return
    if (this.#nextId === undefined && this.#isLost(standing)) {
      this.#nextId = `${this.#node}.${randomId()}`
      this.#isForgotten = standing.beats <= this.#beats
      this.#certainUntil = -Infinity
    } else this.#accept(standing, sentAt)
    if (this.#nextId !== undefined || (this.#doubtful.length > 0)) void this.#beat()
  }

  async #standing (): Promise<Standing | undefined> {
    try {
      const standing = await (this.#nextId === undefined
        ? this.#ask(this.#id, false, '') : this.#ask(this.#nextId, true, this.#id))
      this.#hasFailed = false
      return standing
    } catch (error) { // Redis went away meanwhile, or refuses the script to everybody: its memory is full
      if (!isRefusal(error)) return undefined
      if (!this.#hasFailed) this.#log.error({ err: error }, 'Redis refuses to note that this node lives')
      this.#hasFailed = true
      this.#excuse()
      return undefined
    }
  }

  #isLost (standing: Standing): boolean {
    return !standing.isMember || standing.beats <= this.#beats
  }

  #accept (standing: Standing, sentAt: number): void {
    const before = this.#id
    if (this.#nextId !== undefined) [this.#id, this.#nextId] = [this.#nextId, undefined]
    this.#beats = standing.beats
    this.#aheadMs = standing.now - Date.now()
    // A sixth is for what is done in this certainty.
    this.#certainUntil = sentAt + this.#ttlMs * 5 / 6
    const known = this.#members
    this.#nodes = standing.nodes
    this.#members = new Set(standing.nodes)
    if (before !== this.#id) {
      const reason = this.#isForgotten ? 'Redis has lost its data: this node' : 'this node was taken for dead: it'
      this.#log.warn({ before, id: this.#id }, `${reason} has joined anew`)
      for (const handler of this.#lapsed) handler(before, this.#isForgotten)
    }
    for (const node of standing.silent) {
      this.#log.warn({ node }, 'a node was silent for too long: it is taken for dead, and its accounts are others\' now')
    }
    for (const node of known) if (!this.#members.has(node) && node !== before) this.#lose(node)
    for (const node of this.#nodes) if (!known.has(node) && node !== this.#id) this.#log.info({ node }, 'a node is there')
    if (this.#clock() < this.#certainUntil) this.#settle()
  }

  #lose (node: NodeId): void {
    this.#log.info({ node }, 'a node is gone')
    for (const handler of this.#gone) handler(node)
  }

  // Redis answers nobody: no other node can have taken this one for dead, unless it is known already that one has.
  #excuse (): void {
    if (this.#nextId !== undefined) return
    this.#certainUntil = Math.max(this.#certainUntil, this.#clock() + this.#ttlMs * 5 / 6)
    this.#settle()
  }

  #settle (): void {
    for (const resolve of this.#doubtful.splice(0)) resolve()
  }

  async #ask (id: NodeId, isJoining: boolean, before: NodeId | ''): Promise<Standing> {
    const answer = await this.#redis.commands.eval(BEAT, 3, MEMBERS, STATUSES, DATA,
      id, this.#ttlMs, this.#beatMs, JSON.stringify(this.#describe()), isJoining ? '1' : '0', before)
    if (!Array.isArray(answer)) throw new Error('Redis answered a beat with something else')
    const [isMember, beats, now, nodes, silent] = answer as BeatAnswer
    return { isMember: isMember === 1, beats, now, nodes: nodes.sort(), silent }
  }
}
