/** The SQL of verified hashes and their features. */
import type { Database } from '../storage/database.ts'
import type { Announced } from './announced.ts'

/** Undefined where the hash is not known; otherwise it counts as used today. */
export async function readFeatures (
  db: Database, { hash, ver }: Announced,
): Promise<readonly string[] | undefined> {
  const [row] = await db.query<{ readonly features: readonly string[] }>(
    `with used as (
       update caps set used_at = now() where hash = $1 and ver = $2 and used_at < now() - interval '1 day'
     )
     select features from caps where hash = $1 and ver = $2`, [hash, ver])
  return row?.features
}

export async function saveFeatures (
  db: Database, { hash, ver }: Announced, features: readonly string[],
): Promise<void> {
  await db.query('insert into caps (hash, ver, features) values ($1, $2, $3) on conflict do nothing',
    [hash, ver, features])
}

/** Removes hashes, those first that were not used for longest, until the rest has at most so many bytes. */
export async function removeUnused (db: Database, most: number): Promise<void> {
  await db.query(
    `with ranked as (
       select hash, ver, sum(pg_column_size(features) + 200) over (order by used_at desc, hash, ver) as total from caps
     )
     delete from caps using ranked
     where caps.hash = ranked.hash and caps.ver = ranked.ver and ranked.total > $1`, [most])
}
