/** The SQL of accounts' pictures. */
import type { Database, Jid } from '../../src/extension/api.ts'

/** The hash of the picture, '' where there is none any more, undefined where there never was one. */
export async function readHash (db: Database, owner: Jid): Promise<string | undefined> {
  const [row] = await db.query<{ readonly hash: string }>(
    'select hash from avatar where owner = $1', [owner.toString()])
  return row?.hash
}

export async function saveHash (db: Database, owner: Jid, hash: string): Promise<void> {
  await db.query('insert into avatar (owner, hash) values ($1, $2) on conflict (owner) do update set hash = $2',
    [owner.toString(), hash])
}
