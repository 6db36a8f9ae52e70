/** The archive's SQL: appending in groups, and reading an owner's pages back. */
import { int8Array, textArray } from '../../src/extension/api.ts'
import type { Database } from '../../src/extension/api.ts'

/** A message as it is appended. */
export interface Entry {
  readonly owner: string
  readonly seq: number
  readonly peer: string
  readonly isSent: boolean
  /** Milliseconds since 1970. */
  readonly sentAt: number
  readonly fingerprint: string | undefined
  /** `toBytes` of the stanza. */
  readonly stanza: Buffer
}

/** What is known of an archive while its account is in memory. */
export interface Tail {
  /** The last number that was given out; 0 for an empty archive. */
  readonly last: number
  /** The numbers of recent messages by their fingerprints. */
  readonly recent: ReadonlyMap<string, number>
}

/** How far back a message that comes again is recognised: a day, and so many messages of the archive. */
const RECENT_MS = 24 * 3_600_000
export const RECENT_MESSAGES = 1000

/** A retry after a broken connection may meet its own rows; another's rows under the same numbers are an error. */
const APPEND = `
  insert into archive_message (owner, seq, peer, is_sent, sent_at, fingerprint, stanza)
  select owner, seq, peer, is_sent <> 0, sent_at, fingerprint, stanza
  from unnest($1::text[], $2::int8[], $3::text[], $4::int8[], $5::int8[], $6::text[], $7::text[])
    as entry (owner, seq, peer, is_sent, sent_at, fingerprint, stanza)`
const APPEND_AGAIN = `${APPEND}
  on conflict (owner, seq) do update set seq = excluded.seq where archive_message.stanza = excluded.stanza returning seq`

/** Somebody else has numbered the same archive. */
export class FencedError extends Error {}

/** Commits the entries, whole or not at all; `isRetry` when some of them may be there already. */
export async function append (db: Database, entries: readonly Entry[], isRetry: boolean): Promise<void> {
  const rows = await db.query(isRetry ? APPEND_AGAIN : APPEND, [
    textArray(entries.map(e => e.owner)),
    int8Array(entries.map(e => e.seq)),
    textArray(entries.map(e => e.peer)),
    int8Array(entries.map(e => e.isSent ? 1 : 0)),
    int8Array(entries.map(e => e.sentAt)),
    textArray(entries.map(e => e.fingerprint)),
    textArray(entries.map(e => e.stanza)),
  ])
  if (isRetry && rows.length < entries.length) throw new FencedError('another node has written to the same archive')
}

interface TailRow {
  readonly owner: string
  readonly last: number
  readonly seqs: readonly string[] | null
  readonly fingerprints: readonly string[] | null
}

/** The tails of the archives that are not empty. */
export async function loadTails (db: Database, owners: readonly string[]): Promise<ReadonlyMap<string, Tail>> {
  const rows = await db.query<TailRow>(`
    select o.owner, t.last, t.seqs, t.fingerprints
    from unnest($1::text[]) as o (owner), lateral (
      select max(seq) as last,
        array_agg(seq) filter (where fingerprint is not null and sent_at > $2) as seqs,
        array_agg(fingerprint) filter (where fingerprint is not null and sent_at > $2) as fingerprints
      from (select seq, sent_at, fingerprint from archive_message where owner = o.owner order by seq desc limit $3) as recent
    ) as t where t.last is not null`, [owners, Date.now() - RECENT_MS, RECENT_MESSAGES])
  return new Map(rows.map(({ owner, last, seqs, fingerprints }) => [
    owner, { last, recent: new Map(fingerprints?.map((print, i) => [print, Number(seqs?.[i])])) },
  ]))
}

/** A message as it is read back. */
export interface Kept { readonly seq: number, readonly sentAt: number, readonly isSent: boolean, readonly stanza: string }

/** What was appended after a number, the oldest first. */
export async function readAfter (db: Database, owner: string, after: number, limit: number): Promise<readonly Kept[]> {
  return await db.query<Kept>(`
    select seq, sent_at as "sentAt", is_sent as "isSent", stanza from archive_message
    where owner = $1 and seq > $2 order by seq limit $3`, [owner, after, limit])
}
