/**
 * Replicated state of rooms, from which another node continues them: a hash of the owner with a field per session in
 * the room. The changes of one turn of the event loop are written together, before dependent bytes are sent to clients.
 */
import type { Redis } from 'ioredis'
import type { Logger } from '../../log.ts'
import type { PersistedState, WriteBarrier } from '../../net/write-barrier.ts'
import type { Claim, RoomRecords } from '../../session/homes.ts'
import { inBackground } from '../../util/background.ts'
import type { NodeId } from '../bus/bus.ts'
import { homeOf, RELEASED } from '../ownership/claims.ts'
import { OWNERS, RECORDS_TTL_SECONDS } from './session-records.ts'
import { execute, Refusals } from '../redis.ts'
import { persistOrFence } from './persist-or-fence.ts'
import type { PersistParts } from './persist-or-fence.ts'

/** Pause after a failed write. */
const RETRY_MS = 1000

/** Undefined in place of a record: the session has left. */
type Changes = Map<string, string | undefined>

function recordOf (node: NodeId, room: string): string { return `hg:room:${node}:${room}` }
/** The rooms of which a node has records. */
function roomsOf (node: NodeId): string { return `hg:rooms:${node}` }

/**
 * Takes a room's record over from another node; fields that exist under the new owner stay. This settles the claim: the
 * next owner finds the record under this node's id.
 */
const TAKE_OVER = `
  redis.call('srem', KEYS[3], ARGV[1])
  if redis.call('exists', KEYS[1]) == 1 and redis.call('exists', KEYS[2]) == 0 then
    redis.call('rename', KEYS[1], KEYS[2])
    redis.call('persist', KEYS[2])
    redis.call('sadd', KEYS[4], ARGV[1])
    redis.call('sadd', KEYS[5], ARGV[2])
  end
  local claim = redis.call('get', KEYS[6])
  if claim and string.match(claim, '\\n(.+)$') == ARGV[2] then redis.call('set', KEYS[6], ARGV[2]) end
  return redis.call('hgetall', KEYS[2])`

/** Deletes a node's record of a room, unless another node is about to take it over. */
const DISCARD = `
  local claim = redis.call('get', KEYS[3])
  if claim and string.match(claim, '^%${RELEASED}?([^\\n]*)') == ARGV[2] then return 0 end
  redis.call('srem', KEYS[2], ARGV[1])
  return redis.call('del', KEYS[1])`

export interface RoomRecordsParts {
  /** A connection that writes at once. */
  readonly redis: Redis
  readonly id: () => NodeId
  readonly membership: PersistParts['membership']
  readonly barrier: WriteBarrier
  readonly log: Logger
}

export class RedisRoomRecords implements RoomRecords, PersistedState {
  readonly #parts: RoomRecordsParts
  readonly #refusals: Refusals
  #changes = new Map<string, Changes>()
  /** Changes that are on their way to Redis. */
  readonly #underWay = new Set<Map<string, Changes>>()
  #lastWrite: Promise<void> | undefined
  #isScheduled = false
  #writing: Promise<boolean> = Promise.resolve(true)
  #retry: NodeJS.Timeout | undefined

  constructor (parts: RoomRecordsParts) {
    this.#parts = parts
    this.#refusals = new Refusals(parts.log, 'the records of rooms')
  }

  /** As that of session-records.ts. */
  async check (): Promise<void> {
    const { redis, id } = this.#parts
    await redis.srem(OWNERS, '')
    await redis.srem(roomsOf(id()), '')
    await redis.hdel(recordOf(id(), ''), '')
  }

  put (room: string, session: string, record: string | undefined): void {
    const changes = this.#changes.get(room)
    if (changes) changes.set(session, record)
    else this.#changes.set(room, new Map([[session, record]]))
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#parts.barrier.beforeClientWrites(this)
  }

  flush (): Promise<boolean> {
    this.#isScheduled = false
    const { membership } = this.#parts
    if (this.#changes.size > 0) {
      this.#writing = persistOrFence(
        { membership, refusals: this.#refusals },
        () => this.#write(),
        () => this.#writeRest(),
      )
    }
    return this.#writing
  }

  /** What failed writes have given back, and later ones have taken along: resolves when that is written. */
  async #writeRest (): Promise<void> {
    while (this.#changes.size === 0 && this.#lastWrite) await this.#lastWrite.catch(() => {}) // its flush hears of it
    if (this.#changes.size > 0) await this.#write()
  }

  #write (): Promise<void> {
    const changes = this.#changes
    this.#changes = new Map()
    const write = this.#attempt(changes).finally(() => {
      if (this.#lastWrite === write) this.#lastWrite = undefined
    })
    this.#lastWrite = write
    return write
  }

  async #attempt (changes: Map<string, Changes>): Promise<void> {
    this.#underWay.add(changes)
    try {
      await this.#store(changes)
      this.#refusals.over()
    } catch (error) { // Redis is away, or says no
      this.#giveBack(changes)
      throw error
    } finally {
      this.#underWay.delete(changes)
    }
  }

  async #store (written: ReadonlyMap<string, Changes>): Promise<void> {
    const { redis, id } = this.#parts
    const batch = redis.pipeline().sadd(OWNERS, id()).sadd(roomsOf(id()), [...written.keys()])
    for (const [room, changes] of written) {
      const key = recordOf(id(), room)
      const kept = new Map<string, string>()
      for (const [session, record] of changes) {
        if (record === undefined) batch.hdel(key, session)
        else kept.set(session, record)
      }
      if (kept.size > 0) batch.hset(key, kept)
    }
    await execute(batch)
  }

  /** Changes that were not written are written later, unless newer ones replace them. */
  #giveBack (written: ReadonlyMap<string, Changes>): void {
    for (const [room, changes] of written)
      this.#changes.set(room, new Map([...changes, ...this.#changes.get(room) ?? []]))
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined
      inBackground(this.#parts.log, 'room records', this.flush())
    }, RETRY_MS).unref()
  }

  async takeOver ({ node }: NonNullable<Claim['before']>, room: string): Promise<ReadonlyMap<string, string>> {
    const me = this.#parts.id()
    const fields = await this.#parts.redis.eval(TAKE_OVER, 6, recordOf(node, room), recordOf(me, room), roomsOf(node),
      roomsOf(me), OWNERS, homeOf(room), room, me) as readonly string[]
    const records = new Map<string, string>()
    for (let at = 0; at + 1 < fields.length; at += 2) records.set(fields[at] ?? '', fields[at + 1] ?? '')
    return records
  }

  async save (room: string): Promise<void> {
    await this.#lastWrite?.catch(() => {}) // what it could not write is among the changes again
    if (this.#changes.has(room)) await this.#write()
  }

  async remove (room: string): Promise<void> {
    this.forget(room)
    const { redis, id } = this.#parts
    await redis.pipeline().del(recordOf(id(), room)).srem(roomsOf(id()), room).exec()
  }

  forget (room: string): void {
    this.#changes.delete(room)
    for (const changes of this.#underWay) changes.delete(room) // nor is it written again where that fails
  }

  /** The rooms of which a dead node left records. */
  roomsOf (node: NodeId): Promise<string[]> {
    return this.#parts.redis.smembers(roomsOf(node))
  }

  /** Deletes the record of the room that a dead node left. */
  async discard (node: NodeId, room: string): Promise<void> {
    await this.#parts.redis.eval(DISCARD, 3, recordOf(node, room), roomsOf(node), homeOf(room), room, node)
  }

  /** Lets the records that a dead node left expire. */
  async expireNode (node: NodeId): Promise<void> {
    const { redis } = this.#parts
    const batch = redis.pipeline().expire(roomsOf(node), RECORDS_TTL_SECONDS)
    for (const room of await this.roomsOf(node)) batch.expire(recordOf(node, room), RECORDS_TTL_SECONDS)
    await execute(batch)
  }

  /** Resolves when all changes are written, or could not be at one attempt. */
  async stop (): Promise<void> {
    await this.#lastWrite?.catch(() => {})
    if (this.#changes.size > 0) await this.#write().catch(() => {}) // Redis is away
    clearTimeout(this.#retry)
  }
}
