/** The SQL of accounts' vCards. */
import type { Database, Jid } from '../../src/extension/api.ts'

/** The vCard as XML, if the account has one. */
export async function readVcard (db: Database, owner: Jid): Promise<string | undefined> {
  const [row] = await db.query<{ readonly vcard: string }>('select vcard from vcard where owner = $1', [
    owner.toString(),
  ])
  return row?.vcard
}

export async function saveVcard (db: Database, owner: Jid, vcard: string): Promise<void> {
  await db.query('insert into vcard (owner, vcard) values ($1, $2) on conflict (owner) do update set vcard = $2',
    [owner.toString(), vcard])
}
