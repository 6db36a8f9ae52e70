/** Several nodes of one server in the test's own process: each a core of its own, on one real Redis and one database. */
import { onTestFinished } from 'vitest'
import { joinCluster } from '../cluster/cluster.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { serveCluster } from '../core-cluster.ts'
import { openLog } from '../log.ts'
import { startRedis } from './redis.ts'
import type { TestRedis } from './redis.ts'
import { start } from './world.ts'
import type { Extensions, World } from './world.ts'

export interface Node extends World {
  readonly cluster: Cluster
  /** It is gone for the others, and does not know. */
  dies (): void
}

/** So many nodes with these extensions, and their Redis; gone when the test is finished. */
export async function redisNodes (count: number, ...extensions: Extensions): Promise<{ readonly redis: TestRedis, readonly nodes: readonly Node[] }> {
  const redis = await startRedis()
  onTestFinished(() => redis.stop())
  const log = await openLog({ level: 'silent' })
  const nodes: Node[] = []
  for (let i = 0; i < count; i++) {
    const cluster = await joinCluster(redis.url, `n${i}`, log)
    const world = await start(extensions, cluster)
    const end = serveCluster(cluster, world.core, log)
    cluster.bus.open()
    let isDead = false
    nodes.push({
      ...world, cluster,
      dies () {
        isDead = true
        end()
        cluster.redis.close()
      },
    })
    onTestFinished(async () => {
      if (isDead) return
      end()
      await cluster.leave()
    })
  }
  return { redis, nodes }
}
