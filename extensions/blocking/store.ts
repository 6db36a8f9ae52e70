/** Block lists in the database: a row for each address on an account's list. */
import { batchedRead } from '../../src/extension/api.ts'
import type { Database, Jid } from '../../src/extension/api.ts'

export type BlockList = ReadonlySet<string>

export interface BlockStore {
  load (owner: Jid): Promise<BlockList>
  /** Those of the accounts that have one of these on their lists. */
  whoBlocks (accounts: readonly string[], names: readonly string[]): Promise<readonly string[]>
  add (owner: Jid, addresses: readonly string[]): Promise<void>
  remove (owner: Jid, addresses: readonly string[]): Promise<void>
}

export function blockStore (db: Database): BlockStore {
  const read = batchedRead<string, { readonly blocked: string }[]>(async owners => {
    const rows = await db.query<{ readonly owner: string, readonly blocked: string }>(
      'select owner, blocked from block_item where owner = any($1)', [owners])
    return Map.groupBy(rows, row => row.owner)
  })
  return {
    async load (owner) {
      return new Set((await read(owner.toString()))?.map(row => row.blocked))
    },
    async whoBlocks (accounts, names) {
      const rows = await db.query<{ readonly owner: string }>(
        'select distinct owner from block_item where owner = any($1) and blocked = any($2)', [accounts, names])
      return rows.map(({ owner }) => owner)
    },
    async add (owner, addresses) {
      await db.query('insert into block_item (owner, blocked) select $1, unnest($2::text[]) on conflict do nothing',
        [owner.toString(), addresses])
    },
    async remove (owner, addresses) {
      await db.query('delete from block_item where owner = $1 and blocked = any($2)', [owner.toString(), addresses])
    },
  }
}
