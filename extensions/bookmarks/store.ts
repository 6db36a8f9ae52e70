/** The SQL of the bookmarks that all formats had when they were the same last. */
import type { Database, Jid } from '../../src/extension/api.ts'

/** The list as XML; undefined where they never were the same. */
export async function readCommon (db: Database, owner: Jid): Promise<string | undefined> {
  const [row] = await db.query<{ readonly list: string }>(
    'select list from bookmark_list where owner = $1', [owner.toString()])
  return row?.list
}

export async function hasCommon (db: Database, owner: Jid): Promise<boolean> {
  const rows = await db.query('select from bookmark_list where owner = $1', [owner.toString()])
  return rows.length > 0
}

export async function saveCommon (db: Database, owner: Jid, list: string): Promise<void> {
  await db.query('insert into bookmark_list (owner, list) values ($1, $2) on conflict (owner) do update set list = $2',
    [owner.toString(), list])
}
