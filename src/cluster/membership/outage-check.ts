/**
 * Whether Redis is gone for everybody, or only for this node: who can't reach it says so in the database, and looks
 * whether all others do. Where all do nobody can be taken for dead, and work goes on; where not, another node may soon
 * be home to what is at home here.
 */
import type { Database } from '../../storage/database.ts'
import type { NodeId } from '../bus/bus.ts'

/** Says that `node` can't reach Redis; resolves to whether all the others have said the same just now. */
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
