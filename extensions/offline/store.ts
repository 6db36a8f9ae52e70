/** The SQL of offline delivery: how far an account's archive was delivered, and what was not. */
import { batchedRead, int8Array, textArray } from '../../src/extension/api.ts'
import type { Database } from '../../src/extension/api.ts'

/** What an account's devices have and lack. */
export interface Position {
  /** All up to here was delivered, or was nothing to deliver. */
  readonly delivered: number
  /** The last number of the archive. */
  readonly last: number
  /** What came after `delivered`, the oldest first. */
  readonly waiting: readonly number[]
}

interface PositionRow {
  readonly owner: string
  readonly delivered: number
  readonly last: number
  readonly waiting: readonly string[]
}

/** A reader of positions that gathers what is asked for at the same time. */
export function positionReader (db: Database): (owner: string) => Promise<Position | undefined> {
  return batchedRead(async owners => {
    const rows = await db.query<PositionRow>(`
      select owner, delivered,
        coalesce((select max(seq) from archive_message as m where m.owner = o.owner), 0) as last,
        array(select seq from archive_message as m
          where m.owner = o.owner and seq > delivered and not is_sent order by seq) as waiting
      from (select owner, coalesce(delivered, 0) as delivered
        from unnest($1::text[]) as asked (owner) left join archive_position using (owner)) as o`, [owners])
    return new Map(rows.map(row => [row.owner, { ...row, waiting: row.waiting.map(Number) }]))
  })
}

/** Moves positions, forwards only. */
export async function savePositions (db: Database, positions: ReadonlyMap<string, number>): Promise<void> {
  await db.query(`
    insert into archive_position (owner, delivered) select owner, delivered from unnest($1::text[], $2::int8[]) as p (owner, delivered)
    on conflict (owner) do update set delivered = greatest(archive_position.delivered, excluded.delivered)`,
  [textArray([...positions.keys()]), int8Array([...positions.values()])])
}

/** A message as the archive has it. */
export interface Kept { readonly seq: number, readonly sentAt: number, readonly stanza: string }

/** Those of an owner's messages that are still there, the oldest first. */
export async function readMessages (db: Database, owner: string, seqs: readonly number[]): Promise<readonly Kept[]> {
  return await db.query<Kept>(`
    select seq, sent_at as "sentAt", stanza from archive_message
    where owner = $1 and seq = any($2::int8[]) order by seq`, [owner, int8Array(seqs)])
}
