/** The SQL of vCards that say the same in both formats. */
import type { Database, Jid } from '../../src/extension/api.ts'

/** Digests of both. */
export interface Same { readonly modern: string, readonly temp: string }

export async function readSame (db: Database, owner: Jid): Promise<Same | undefined> {
  const [row] = await db.query<Same>('select modern, temp from vcard4 where owner = $1', [owner.toString()])
  return row
}

export async function saveSame (db: Database, owner: Jid, { modern, temp }: Same): Promise<void> {
  await db.query(
    `insert into vcard4 (owner, modern, temp) values ($1, $2, $3)
     on conflict (owner) do update set modern = $2, temp = $3`, [owner.toString(), modern, temp])
}
