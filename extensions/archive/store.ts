/** The archive's SQL for writes: appending in groups, and reading where an archive ends. */
import { FinalError, int8Array, textArray } from '../../src/extension/api.ts'
import type { Database, WriteWithArchive } from '../../src/extension/api.ts'

/** A message as it is appended. */
export interface Entry {
  readonly owner: string
  readonly seq: number
  /** As `peerKey` gives it. */
  readonly peer: string
  readonly isSent: boolean
  /** Milliseconds since 1970. */
  readonly sentAt: number
  readonly fingerprint: string | undefined
  /** `toBytes` of the stanza. */
  readonly stanza: Buffer
  /** What is written with it. */
  readonly alongside?: WriteWithArchive | undefined
}

/** The end of an archive, which is in memory with its account. */
export interface Tail {
  /** The last number; 0 for an empty archive. */
  readonly last: number
  /** Numbers of recent messages by fingerprint, oldest first. */
  readonly recent: ReadonlyMap<string, number>
}

export const EMPTY: Tail = { last: 0, recent: new Map() }

/** The window in which duplicates are recognised: this number of messages, and this age. */
export const RECENT_MS = 24 * 3_600_000
export const RECENT_MESSAGES = 1000
/** In a busy room also the time for which sessions wait for resumption (XEP-0198 §5), and a little more. */
export const BUSY_MS = 15 * 60_000
/** But no more than that. */
export const BUSY_MESSAGES = 50_000
const PAGE = 5000
/** The entries behind a position that are read at a time: with their stanzas, which may be large. */
const BEHIND_PAGE = 500

// One unnest per array in the select list: a single unnest(a, b, …) is materialised first.
const APPEND = `
  insert into archive_message (owner, seq, peer, is_sent, sent_at, fingerprint, stanza)
  select unnest($1::text[]), unnest($2::int8[]), unnest($3::text[]), unnest($4::int8[]) <> 0, unnest($5::int8[]),
    unnest($6::text[]), unnest($7::text[])`
/** After a broken connection the rows of the previous attempt may be there. */
const APPEND_AGAIN = `${APPEND}
  on conflict (owner, seq) do update set seq = excluded.seq where archive_message.stanza = excluded.stanza
  returning seq`

/** Another node has assigned numbers in the same archive. */
export class FencedError extends FinalError {}

/** Commits the entries, all or none; `isRetry` when they may be there already. */
export async function append (db: Database, entries: readonly Entry[], isRetry: boolean): Promise<void> {
  const values = [
    textArray(entries.map(e => e.owner)),
    int8Array(entries.map(e => e.seq)),
    textArray(entries.map(e => e.peer)),
    int8Array(entries.map(e => e.isSent ? 1 : 0)),
    int8Array(entries.map(e => e.sentAt)),
    textArray(entries.map(e => e.fingerprint)),
    textArray(entries.map(e => e.stanza)),
  ]
  if (!isRetry && !entries.some(entry => entry.alongside)) {
    await db.query(APPEND, values)
    return
  }
  await db.transaction(async tx => {
    const rows = await tx.query(isRetry ? APPEND_AGAIN : APPEND, values)
    if (isRetry && rows.length < entries.length) throw new FencedError('somebody else has written to the same archive')
    for (const [write, kept] of Map.groupBy(entries, entry => entry.alongside)) await write?.(tx, kept)
  })
}

/** Which of the entries are there. */
export async function findEntries (db: Database, entries: readonly Entry[]): Promise<readonly Entry[]> {
  const rows = await db.query<{ readonly n: number }>(`
    select entry.n from unnest($1::text[], $2::int8[], $3::text[]) with ordinality as entry (owner, seq, stanza, n)
    join archive_message as kept on kept.owner = entry.owner and kept.seq = entry.seq and kept.stanza = entry.stanza
    order by entry.seq`, [
    textArray(entries.map(e => e.owner)),
    int8Array(entries.map(e => e.seq)),
    textArray(entries.map(e => e.stanza)),
  ])
  return rows.flatMap(row => entries[row.n - 1] ?? [])
}

interface TailRow {
  readonly owner: string
  readonly last: number
  /** The first number of the recent window and its time; null where the window has all. */
  readonly first: number | null
  readonly since: number | null
  readonly seqs: readonly string[] | null
  readonly fingerprints: readonly string[] | null
}

/**
 * The ends of the archives that have, or had, entries. `reachOf` gives the time in milliseconds for which all messages
 * of an archive are recent.
 */
export async function loadTails (
  db: Database, owners: readonly string[], reachOf: (owner: string) => number = () => 0,
): Promise<ReadonlyMap<string, Tail>> {
  const now = Date.now()
  const rows = await db.query<TailRow>(`
    select o.owner, greatest(kept.last, removed.last) as last, kept.first, kept.since, kept.seqs, kept.fingerprints
    from unnest($1::text[]) as o (owner)
    left join archive_end as removed on removed.owner = o.owner,
    lateral (
      select max(seq) as last, ${BEGINNING}, ${PRINTS}
      from (
        select seq, sent_at, fingerprint from archive_message where owner = o.owner order by seq desc limit $3
      ) as recent
    ) as kept
    where kept.last is not null or removed.last is not null`, [owners, now - RECENT_MS, RECENT_MESSAGES])
  const tails = new Map<string, Tail>()
  for (const row of rows) {
    const recent = new Map(await printsOf(db, row, now - reachOf(row.owner)))
    tails.set(row.owner, { last: row.last, recent })
  }
  return tails
}

// $2: since when; $3: how many are looked at.
const BEGINNING =
  'case when count(*) = $3 then min(seq) end as first, case when count(*) = $3 then min(sent_at) end as since'
const PRINTS = `
  array_agg(seq order by seq) filter (where fingerprint is not null and sent_at > $2) as seqs,
  array_agg(fingerprint order by seq) filter (where fingerprint is not null and sent_at > $2) as fingerprints`

/** By number, oldest first, page by page: no index leads to times. */
async function printsOf (db: Database, row: TailRow, until: number): Promise<readonly (readonly [string, number])[]> {
  const pages: (readonly (readonly [string, number])[])[] = []
  for (let page: TailRow | undefined = row, count = RECENT_MESSAGES; page; count += PAGE) {
    const { seqs, fingerprints, first, since } = page
    pages.unshift(fingerprints?.map((print, i) => [print, Number(seqs?.[i])] as const) ?? [])
    if (first === null || since === null || since < until || count >= BUSY_MESSAGES) break
    const rows: readonly TailRow[] = await db.query<TailRow>(`
      select $1 as owner, ${BEGINNING}, ${PRINTS}
      from (
        select seq, sent_at, fingerprint from archive_message where owner = $1 and seq < $4 order by seq desc limit $3
      ) as page`,
    [row.owner, until, PAGE, first])
    page = rows[0]
  }
  return pages.flat()
}

interface Behind { readonly seq: number, readonly stanza: string, readonly sentAt: number }

/** The entries after a number, in order. */
export async function readBehind (db: Database, owner: string, seq: number): Promise<readonly Behind[]> {
  const pages: (readonly Behind[])[] = []
  let after = seq
  do {
    pages.push(await db.query<Behind>(`
      select seq, stanza, sent_at as "sentAt" from archive_message where owner = $1 and seq > $2 and stanza <> ''
      order by seq limit ${BEHIND_PAGE}`,
    [owner, after]))
    after = pages.at(-1)?.at(-1)?.seq ?? after
  } while (pages.at(-1)?.length === BEHIND_PAGE)
  return pages.flat()
}

/** Deletes the archive of a removed account, with entries that came later. */
export async function removeArchive (db: Database, owner: string): Promise<void> {
  await db.query('delete from archive_message where owner = $1', [owner])
}
