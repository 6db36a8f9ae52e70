/** Secrets of the installation, the same on every node and after every start. */
import { randomBytes } from 'node:crypto'
import type { Database } from './database.ts'

/** The secret of that name, 32 bytes, created at its first use. */
export async function serverSecret (db: Database, name: string): Promise<Buffer> {
  await db.query(
    'insert into server_secret (name, secret) values ($1, $2) on conflict do nothing', [name, randomBytes(32)])
  const [row] = await db.query<{ secret: Buffer }>('select secret from server_secret where name = $1', [name])
  if (!row) throw new Error(`the secret "${name}" can't be kept`)
  return row.secret
}
