/** The SQL of offline delivery: an account's position in its archive, and undelivered messages. */
import { batchedRead, int8Array, textArray } from '../../src/extension/api.ts'
import type { Database } from '../../src/extension/api.ts'
import type { Stretch } from './undelivered.ts'

/** The delivery state of an account. */
export interface Position {
  /** Everything up to here was delivered, or not meant for delivery. */
  readonly delivered: number
  /** The last number of the archive. */
  readonly last: number
}

/** A reader of positions that batches concurrent look-ups. */
export function positionReader (db: Database): (owner: string) => Promise<Position | undefined> {
  return batchedRead(async owners => {
    const rows = await db.query<Position & { readonly owner: string }>(`
      select owner, coalesce(delivered, 0) as delivered,
        coalesce((select max(seq) from archive_message as m where m.owner = asked.owner), 0) as last
      from unnest($1::text[]) as asked (owner) left join archive_position using (owner)`, [owners])
    return new Map(rows.map(row => [row.owner, row]))
  })
}

/** Moves positions, forwards only. */
export async function savePositions (db: Database, positions: ReadonlyMap<string, number>): Promise<void> {
  await db.query(`
    insert into archive_position (owner, delivered)
    select owner, delivered from unnest($1::text[], $2::int8[]) as p (owner, delivered)
    on conflict (owner) do update set delivered = greatest(archive_position.delivered, excluded.delivered)`,
  [textArray([...positions.keys()]), int8Array([...positions.values()])])
}

/** A message as the archive has it. */
export interface Kept { readonly seq: number, readonly sentAt: number, readonly stanza: string }

/** So many at a time. */
export const PAGE = 50

/** The most numbers that one query may read: all may be messages that the account sent. */
export const MAX_LOOKED_AT = 5000

/** The oldest messages for the owner in these ranges of an archive, and whether the ranges have no more. */
export async function readPage (
  db: Database, owner: string, stretches: readonly { readonly from: number, readonly to: number }[],
): Promise<{ readonly messages: readonly Kept[], readonly isWhole: boolean }> {
  const messages = await db.query<Kept>(`
    select m.seq, sent_at as "sentAt", stanza from unnest($2::int8[], $3::int8[]) as stretch (first, last),
    lateral (
      select seq, sent_at, stanza from archive_message
      where owner = $1 and seq between first and last and not is_sent and stanza <> '' order by seq limit $4
    ) as m order by m.seq limit $4`,
  [owner, int8Array(stretches.map(({ from }) => from)), int8Array(stretches.map(({ to }) => to)), PAGE])
  return { messages, isWhole: messages.length < PAGE }
}

/** The most numbers that are read before an account's sessions continue at another node. */
const MAX_WAITING = 250

/** The numbers, from the first on, of messages for the archive's owner; complete up to `upTo`. */
export async function readWaiting (
  db: Database,
  owner: string,
  { from, to }: Stretch,
): Promise<{ readonly seqs: readonly number[], readonly upTo: number }> {
  const end = Math.min(to, from + MAX_LOOKED_AT - 1)
  const rows = await db.query<{ readonly seq: number }>(`
    select seq from archive_message
    where owner = $1 and seq between $2 and $3 and not is_sent and stanza <> '' order by seq limit $4`,
  [owner, from, end, MAX_WAITING],
  )
  const seqs = rows.map(({ seq }) => seq)
  return { seqs, upTo: seqs.length < MAX_WAITING ? end : seqs.at(-1) ?? end }
}
