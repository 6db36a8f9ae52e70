/**
 * The archive's SQL for queries. Numbers have no gaps, so that a page is a range of them, a look-up of an id a
 * comparison, and a count mostly a subtraction; times are found by binary search.
 */
import { MAX_HEADER, StanzaError } from '../../src/extension/api.ts'
import type { Database } from '../../src/extension/api.ts'

/** The numbers of what an archive holds. */
export interface Range { readonly first: number, readonly last: number }

/** The conditions of a query, besides its range. */
export interface Filter {
  /** As `peerKey` gives it. */
  readonly peer?: string | undefined
  /** The peer's full address, where it matters, escaped as in an attribute. */
  readonly resource?: string | undefined
  /** Milliseconds since 1970, both ends included. */
  readonly start?: number | undefined
  readonly end?: number | undefined
  readonly ids?: readonly number[] | undefined
  /** What a person types to find something. */
  readonly words?: string | undefined
}

/** A message as it is read back. */
export interface Kept { readonly seq: number, readonly peer: string, readonly sentAt: number, readonly stanza: string }

export interface Page {
  /** In the archive's order. */
  readonly messages: readonly Kept[]
  /** Whether the page reaches the end in its direction. */
  readonly isComplete: boolean
}

/** Larger pages are cut, so that several fit a client's buffer limit. */
const MAX_PAGE_BYTES = 512 * 1024

/** The most rows of an index that are counted for an optional result. */
const MAX_COUNTED = 5000

/**
 * The most messages that are filtered one by one, without an index. A query that matches some of them returns those; a
 * query without a match among them has to be narrower.
 */
export const MAX_LOOKED_AT = 5000

/** The largest step back of a clock that is tolerated: time ranges are extended by it on both sides. */
const CLOCK_STEP_MS = 3_600_000

/** The archive's range, if it has one. Emptied messages are the oldest. */
export async function readRange (db: Database, owner: string): Promise<Range | undefined> {
  const [range] = await db.query<{ readonly first: number | null, readonly last: number | null }>(`
    select (select seq from archive_message where owner = $1 and stanza <> '' order by seq limit 1) as first,
      (select seq from archive_message where owner = $1 order by seq desc limit 1) as last`, [owner])
  return range?.first == null || range.last === null ? undefined : { first: range.first, last: range.last }
}

/** The part of the range that contains everything within the filter's times; may be empty. */
export async function narrowToTimes (
  db: Database,
  owner: string,
  range: Range,
  { start, end }: Filter,
): Promise<Range> {
  const first = start === undefined ? range.first : await findTime(db, owner, range, start - CLOCK_STEP_MS)
  const last = end === undefined ? range.last : await findTime(db, owner, range, end + CLOCK_STEP_MS + 1) - 1
  return { first, last }
}

/** The first number sent at that time or later, if clocks only go forward. */
async function findTime (db: Database, owner: string, { first, last }: Range, time: number): Promise<number> {
  const [found] = await db.query<{ readonly seq: number }>(`
    with recursive half (low, high) as (
      select $2::int8, $3::int8 + 1
      union all
      select case when sent_at < $4 then seq + 1 else low end, case when sent_at < $4 then high else seq end
      from half join archive_message on owner = $1 and seq = (low + high) / 2
      where low < high
    )
    select low as seq from half order by high - low limit 1`, [owner, first, last, time])
  return found?.seq ?? first
}

/**
 * The first or last `max` messages of the range that match the filter. Throws StanzaError policy-violation when none of
 * many that were filtered one by one match, and there are more.
 */
export async function readPage (
  db: Database, owner: string, range: Range, filter: Filter, max: number, fromEnd: boolean,
): Promise<Page> {
  const bounded = await boundRange(db, owner, range, filter, fromEnd)
  const page = await readBounded(db, owner, bounded ?? range, filter, max, fromEnd)
  if (!bounded || !page.isComplete) return page
  if (page.messages.length === 0 && max > 0) {
    throw new StanzaError('policy-violation',
      `none of ${MAX_LOOKED_AT} messages is from or to this address: ask for a shorter period`)
  }
  return { ...page, isComplete: false }
}

/** The part of the range that may be filtered one by one, where that is not all of it. */
async function boundRange (
  db: Database, owner: string, range: Range, filter: Filter, fromEnd: boolean,
): Promise<Range | undefined> {
  if (filter.resource === undefined) return
  const { where, values } = conditions(owner, range.first, range.last, { ...filter, resource: undefined })
  const [beyond] = await db.query<{ readonly seq: number }>(`
    select seq from archive_message where ${where} order by seq ${fromEnd ? 'desc' : ''}
    offset ${MAX_LOOKED_AT} limit 1`, values)
  return beyond && (fromEnd ? { ...range, first: beyond.seq + 1 } : { ...range, last: beyond.seq - 1 })
}

async function readBounded (
  db: Database, owner: string, { first, last }: Range, filter: Filter, max: number, fromEnd: boolean,
): Promise<Page> {
  const { where, values } = conditions(owner, first, last, filter)
  const order = fromEnd ? 'order by seq desc' : 'order by seq'
  const rows = await db.query<Kept & { readonly found: number }>(`
    select seq, peer, sent_at as "sentAt", stanza, found from (
      select *, count(*) over () as found, sum(octet_length(stanza)) over (${order}) - octet_length(stanza) as before
      from (
        select seq, peer, sent_at, stanza from archive_message where ${where} ${order} limit $${values.length + 1}
      ) as page
    ) as measured where before < $${values.length + 2} ${order}`, [...values, max + 1, MAX_PAGE_BYTES])
  const messages = rows.slice(0, max)
  const isComplete = messages.length === (rows[0]?.found ?? 0)
  return { messages: fromEnd ? messages.reverse() : messages, isComplete }
}

/** The number of matching messages; undefined where counting is expensive. */
export async function countMessages (
  db: Database, owner: string, range: Range, filter: Filter,
): Promise<number | undefined> {
  const { first, last } = range
  if (Object.values(filter).every(condition => condition === undefined)) return Math.max(0, last - first + 1)
  if (await boundRange(db, owner, range, filter, false)) return // XEP-0059 §2.2: optional where expensive
  const { where, values } = conditions(owner, first, last, filter)
  const [counted] = await db.query<{ readonly count: number }>(`
    select count(*) from (select from archive_message where ${where} limit $${values.length + 1}) as found`,
  [...values, MAX_COUNTED + 1])
  return counted === undefined || counted.count > MAX_COUNTED ? undefined : counted.count
}

/** `filter` as SQL: a plan of its own for each kind of query. */
function conditions (
  owner: string, first: number, last: number, { peer, resource, start, end, ids, words }: Filter,
): { readonly where: string, readonly values: readonly unknown[] } {
  const values: unknown[] = [owner, first, last]
  const parts = ['owner = $1', 'seq between $2 and $3']
  const add = (value: unknown, condition: (parameter: string) => string): void => {
    if (value !== undefined) parts.push(condition(`$${values.push(value)}`))
  }
  add(peer, it => `archive_conversation(owner, peer) = archive_conversation($1, ${it}) and peer = ${it}`)
  // The sender's address stands between the third and the fourth apostrophe of what is kept, the recipient's is next.
  // All else of a large message is better not read.
  add(
    resource,
    it =>
      `${it} in (split_part(left(stanza, ${MAX_HEADER}), '''', 4), split_part(left(stanza, ${MAX_HEADER}), '''', 6))`,
  )
  add(start, it => `sent_at >= ${it}`)
  add(end, it => `sent_at <= ${it}`)
  add(ids, it => `seq = any(${it}::int8[])`)
  add(words, it => `archive_words(owner, stanza) @@ (md5($1)::tsquery && websearch_to_tsquery('simple', ${it}))`)
  return { where: parts.join(' and '), values }
}

export interface Ends { readonly first: Kept, readonly last: Kept }

/** The oldest message and the newest. */
export async function readEnds (db: Database, owner: string): Promise<Ends | undefined> {
  const range = await readRange(db, owner)
  if (!range) return
  const { messages } = await readPage(db, owner, range, { ids: [range.first, range.last] }, 2, false)
  const [first, last = first] = messages
  return first && last && { first, last }
}
