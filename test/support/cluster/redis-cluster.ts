/**
 * Several nodes of one server in the test's own process: each a core of its own, on one real Redis and one database.
 */
import { onTestFinished } from 'vitest'
import { joinCluster } from '../../../src/cluster/cluster.ts'
import type { Cluster } from '../../../src/cluster/cluster.ts'
import { serveCluster } from '../../../src/app/cluster-handlers.ts'
import type { Components } from '../../../src/components/settings.ts'
import { openLog } from '../../../src/log.ts'
import { Listeners } from './listeners.ts'
import { startRedis } from '../redis/redis.ts'
import type { TestRedis } from '../redis/redis.ts'
import { database, start } from '../world/world.ts'
import type { Extensions, World } from '../world/world.ts'

const FAST = { beatMs: 200, ttlMs: 1500 }
const FAILOVER = { scanMs: 100, graceMs: 400 }

export interface Node extends World {
  readonly cluster: Cluster
  /** Listens; the clients' connections end with the node, and there are no others then. */
  listeners (): Promise<Listeners>
  /** Resolves when what another node would go on from is written, which else is done soon; nothing more is then. */
  persists (): Promise<void>
  /** It is gone for the others, and does not know. */
  dies (): void
}

export class RedisNodes {
  readonly redis: TestRedis
  readonly #extensions: Extensions
  readonly #components: Components | undefined
  #count = 0

  private constructor (redis: TestRedis, extensions: Extensions, components: Components | undefined) {
    this.redis = redis
    this.#extensions = extensions
    this.#components = components
  }

  /** None yet, and their Redis; all are gone when the test is finished. */
  static async begin (extensions: Extensions, components?: Components): Promise<RedisNodes> {
    const redis = await startRedis({ persists: true })
    onTestFinished(() => redis.stop())
    return new RedisNodes(redis, extensions, components)
  }

  async start (): Promise<Node> {
    const log = await openLog({ level: 'silent' })
    const cluster = await joinCluster(this.redis.url, database(), `n${this.#count++}`, log, FAST)
    const world = await start(this.#extensions, cluster, {}, this.#components)
    const end = serveCluster(cluster, world.core, log, FAILOVER)
    cluster.bus.open()
    let listeners: Promise<Listeners> | undefined
    let isDead = false
    onTestFinished(async () => {
      if (isDead) return
      end()
      await listeners?.then(open => { open.close() })
      await cluster.leave()
    })
    return {
      ...world, cluster,
      async listeners () {
        if (isDead) throw new Error('nobody listens there')
        return listeners ??= Listeners.open(world.core, cluster, {})
      },
      async persists () {
        await world.idle()
        await cluster.records.flush()
        await cluster.records.stop()
      },
      dies () {
        isDead = true
        world.freezes()
        cluster.redis.close()
        end()
        void listeners?.then(open => { open.breaks() })
        void cluster.leave()
      },
    }
  }
}

/** So many nodes with these extensions, and their Redis; gone when the test is finished. */
export async function redisNodes (
  count: number,
  ...extensions: Extensions
): Promise<{ readonly redis: TestRedis, readonly nodes: readonly Node[] }> {
  const all = await RedisNodes.begin(extensions)
  const nodes: Node[] = []
  for (let i = 0; i < count; i++) nodes.push(await all.start())
  return { redis: all.redis, nodes }
}
