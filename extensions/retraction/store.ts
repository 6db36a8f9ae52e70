/** The SQL of retractions that an archive keeps and that have not been carried out there. */
import { int8Array, textArray } from '../../src/extension/api.ts'
import type { Database } from '../../src/extension/api.ts'

/** A retraction that waits. */
export interface Place { readonly owner: string, readonly seq: number }

/** Before all places. */
export const FIRST: Place = { owner: '', seq: 0 }

/** Has these retractions carried out one day, whatever happens. */
export async function awaitRetractions (db: Database, kept: readonly Place[]): Promise<void> {
  await db.query(
    'insert into retraction_waiting (owner, seq) select unnest($1::text[]), unnest($2::int8[]) on conflict do nothing',
    [textArray(kept.map(one => one.owner)), int8Array(kept.map(one => one.seq))])
}

/** Those that wait behind a place, in order, `most` at most. */
export async function readWaiting (db: Database, { owner, seq }: Place, most: number): Promise<readonly Place[]> {
  return await db.query<Place>(
    'select owner, seq from retraction_waiting where (owner, seq) > ($1, $2::int8) order by owner, seq limit $3',
    [owner, seq, most],
  )
}

export async function isWaiting (db: Database, { owner, seq }: Place): Promise<boolean> {
  const rows = await db.query('select from retraction_waiting where owner = $1 and seq = $2', [owner, seq])
  return rows.length > 0
}

export async function removeWaiting (db: Database, { owner, seq }: Place): Promise<void> {
  await db.query('delete from retraction_waiting where owner = $1 and seq = $2', [owner, seq])
}
