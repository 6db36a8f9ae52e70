/** Builds the cluster services of a node: Redis connections, membership, bus, ownership, replicated state. */
import type { Logger } from '../log.ts'
import type { Others } from '../session/homes.ts'
import { WriteBarrier } from '../net/write-barrier.ts'
import type { Database } from '../storage/database.ts'
import { Membership } from './membership/membership.ts'
import type { MembershipOptions } from './membership/membership.ts'
import { RedisRecords } from './state/session-records.ts'
import { RedisRoomRecords } from './state/room-records.ts'
import { RedisBus } from './bus/redis-bus.ts'
import { RedisHomes } from './ownership/redis-homes.ts'
import { openRedis } from './redis.ts'
import type { RedisConnections } from './redis.ts'
import { databaseOutageCheck } from './membership/outage-check.ts'

export interface Cluster {
  readonly redis: RedisConnections
  readonly membership: Membership
  /** For all that this node writes. */
  readonly barrier: WriteBarrier
  readonly bus: RedisBus
  readonly homes: RedisHomes
  readonly records: RedisRecords
  readonly roomRecords: RedisRoomRecords
  readonly others: Others
  /** Leaves the cluster at once, so that others need not wait for the timeout. */
  leave (): Promise<void>
}

/** Joins the nodes of that database; rejects with a sentence for the administrator when Redis can't be used. */
export async function joinCluster (
  url: string, db: Database, node: string, log: Logger, options?: MembershipOptions,
): Promise<Cluster> {
  const redis = await openRedis(url, log)
  const membership = new Membership(redis, databaseOutageCheck(db), node, log, options)
  const barrier = new WriteBarrier(log)
  const bus = new RedisBus({ redis, membership, barrier, log })
  await membership.join()
  const homes = new RedisHomes({ redis: redis.commands, bus, membership, barrier, log })
  const keeping = { redis: redis.journal, id: () => membership.id, membership, barrier, log }
  const records = new RedisRecords(keeping)
  const roomRecords = new RedisRoomRecords(keeping)
  try {
    await records.check()
    await roomRecords.check()
  } catch (error) { // Redis's
    await membership.leave()
    redis.close()
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`sessions: Redis refuses what a node has to keep there: ${reason}`, { cause: error })
  }
  return {
    redis, membership, barrier, bus, homes, records, roomRecords, others: othersOn(bus, membership),
    async leave () {
      await records.stop()
      await roomRecords.stop()
      await bus.close()
      await membership.leave()
      redis.close()
    },
  }
}

function othersOn (bus: RedisBus, membership: Membership): Others {
  return {
    get nodes () { return membership.nodes.filter(node => node !== membership.id) },
    ask: (node, extension, text, body) =>
      bus.ask(node, 'extension', { extension, text }, body).then(answer => answer.text),
    answer: handler => {
      bus.answer(
        'extension',
        async (from, { extension, text }, body) => ({ text: await handler(from, extension, text, body) }),
      )
    },
  }
}
