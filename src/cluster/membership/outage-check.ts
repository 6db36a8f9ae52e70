/**
 * Tells an outage of Redis from a fault of this node's network: a node that can't reach Redis notes that in the
 * database, and looks whether all others have. If so nobody can be evicted, and work goes on; if not, another node may
 * soon own this one's accounts.
 */
import type { Database } from '../../storage/database.ts'
import type { NodeId } from '../bus/bus.ts'

/** Notes that `node` can't reach Redis; resolves to whether all the others have noted the same just now. */
export type OutageCheck = (node: NodeId, others: readonly NodeId[]) => Promise<boolean>

const REPORT = `
with stale as (delete from node_without_redis where at < clock_timestamp() - interval '1 minute' and node <> $1),
report as (
  insert into node_without_redis (node, at) values ($1, clock_timestamp())
  on conflict (node) do update set at = excluded.at
)
select count(*)::int as count from node_without_redis
where node = any($2) and at > clock_timestamp() - interval '1 second'`

export function databaseOutageCheck (db: Database): OutageCheck {
  return async (node, others) => {
    const [row] = await db.query<{ readonly count: number }>(REPORT, [node, others])
    return row?.count === others.length
  }
}
