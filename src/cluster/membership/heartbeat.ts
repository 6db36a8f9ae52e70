/** The heartbeat: renews a node's lease in Redis and returns the members, in one script, by Redis's clock. */
import type { Redis } from 'ioredis'
import type { NodeId } from '../bus/bus.ts'

/** Sorted set of members; the score is the time at which the lease expires. */
export const MEMBERS = 'hg:nodes'
export const STATUSES = 'hg:node-status'
const DATA = 'hg:data'
const MAILBOX = 'hg:bus:'

/** The stream that is that node's mailbox. */
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

/** What the script returns. */
type BeatAnswer = [isMember: number, beats: number, now: number, nodes: NodeId[], silent: NodeId[]]

export interface HeartbeatReply {
  readonly isMember: boolean
  /** Counted over all nodes, ever: fewer than before means that Redis has lost data. */
  readonly beats: number
  readonly now: number
  readonly nodes: readonly NodeId[]
  /** Nodes that this heartbeat evicted. */
  readonly evicted: readonly NodeId[]
}

export interface Beat {
  readonly id: NodeId
  readonly ttlMs: number
  readonly beatMs: number
  /** The status that the node publishes. */
  readonly status: object | null
  readonly isJoining: boolean
  /** The id before it rejoined. */
  readonly before: NodeId | ''
}

/** Sends a heartbeat; rejects when Redis is gone or refuses it. */
export async function beat (
  redis: Redis,
  { id, ttlMs, beatMs, status, isJoining, before }: Beat,
): Promise<HeartbeatReply> {
  const answer = await redis.eval(BEAT, 3, MEMBERS, STATUSES, DATA,
    id, ttlMs, beatMs, JSON.stringify(status), isJoining ? '1' : '0', before)
  if (!Array.isArray(answer)) throw new Error('Redis answered a beat with something else')
  const [isMember, beats, now, nodes, silent] = answer as BeatAnswer
  return { isMember: isMember === 1, beats, now, nodes: nodes.sort(), evicted: silent }
}
