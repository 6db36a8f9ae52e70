/**
 * The SQL of the queues for remote domains. A domain's owner holds a claim in the database; a node whose claim has been
 * replaced, because it was paused for instance, can append nothing.
 */
import { int8Array, textArray } from '../../storage/binary-array.ts'
import type { Database } from '../../storage/database.ts'

/** A message or subscription as it is appended. */
export interface Row {
  readonly local: string
  readonly seq: number
  /** Who is told if it can't be delivered. */
  readonly sender: string
  /** Milliseconds since 1970. */
  readonly queuedAt: number
  readonly fingerprint: string | undefined
  readonly stanza: Buffer
}

/** A row without its stanza. */
export interface Waiting extends Omit<Row, 'stanza' | 'fingerprint'> {
  readonly fingerprint: string | null
  /** The size of the stanza. */
  readonly bytes: number
}

export interface Claimed {
  readonly claim: number
  /** Numbers from here on are behind all that were given out before, also those whose rows are gone. */
  readonly firstSeq: number
}

/** Rows that are listed at a time. */
const PAGE = 10_000

/** Makes `node` the domain's owner; appends under an earlier claim have committed, and later ones fail. */
export async function claimDomain (db: Database, domain: string, node: string): Promise<Claimed> {
  const [row] = await db.query<Claimed>(`
    insert into remote_domain (domain, node, claim) values ($1, $2, nextval('remote_claim'))
    on conflict (domain) do update set node = excluded.node, claim = excluded.claim
    returning claim, (extract(epoch from clock_timestamp()) * 1000000)::bigint as "firstSeq"`, [domain, node])
  if (!row) throw new Error('a claim was not stored')
  return row
}

/** The node that holds the claim has another id, or none: any node may claim the domain. */
export async function renameOwner (db: Database, domain: string, claim: number, node: string): Promise<void> {
  await db.query('update remote_domain set node = $3 where domain = $1 and claim = $2', [domain, claim, node])
}

/** Ends the claim on a domain for which nothing waits. */
export async function leaveDomain (db: Database, domain: string, claim: number): Promise<void> {
  await db.query(`
    delete from remote_domain as d where domain = $1 and claim = $2
      and not exists (select from remote_message as m where m.domain = d.domain)`, [domain, claim])
}

/** The domains for which something waits, and whose owner is none of these nodes, with the owner. */
export async function findOrphaned (
  db: Database, nodes: readonly string[],
): Promise<readonly { readonly domain: string, readonly node: string }[]> {
  return db.query(`
    select domain, node from remote_domain as d where node <> all($1::text[])
      and exists (select from remote_message as m where m.domain = d.domain)`, [textArray(nodes)])
}

/** Removes the claims of other nodes than these on domains for which nothing waits. */
export async function removeOrphaned (db: Database, nodes: readonly string[]): Promise<void> {
  await db.query(`
    delete from remote_domain as d where node <> all($1::text[])
      and not exists (select from remote_message as m where m.domain = d.domain)`, [textArray(nodes)])
}

/** What waits for a domain, in order for each local domain. */
export async function * listWaiting (db: Database, domain: string): AsyncIterable<readonly Waiting[]> {
  for (let last = { local: '', seq: 0 }, isMore = true; isMore;) {
    const rows = await db.query<Waiting>(`
      select local, seq, sender, queued_at as "queuedAt", fingerprint, octet_length(stanza) as bytes
      from remote_message where domain = $1 and (local, seq) > ($2, $3) order by local, seq limit ${PAGE}`,
    [domain, last.local, last.seq])
    yield rows
    last = rows.at(-1) ?? last
    isMore = rows.length === PAGE
  }
}

/** The stanzas of these numbers. */
export async function readStanzas (
  db: Database, domain: string, local: string, seqs: readonly number[],
): Promise<readonly { readonly seq: number, readonly stanza: string }[]> {
  // One by one: of a table that grows and shrinks like this one the planner knows little, and would read all of it.
  return db.query(`
    select m.seq, m.stanza from (select unnest($3::int8[]) as seq) as wanted, lateral (
      select seq, stanza from remote_message where domain = $1 and local = $2 and seq = wanted.seq offset 0
    ) as m`, [domain, local, int8Array(seqs)])
}

/** A row of a domain that is owned under a claim. */
export interface Claiming { readonly domain: string, readonly claim: number, readonly row: Row }

/**
 * Commits the rows whose claim is still valid, and resolves with the valid claims. Rows that are there already, from an
 * attempt whose outcome is unknown, are left as they are.
 */
export async function append (db: Database, all: readonly Claiming[]): Promise<ReadonlySet<number>> {
  const claims = new Map(all.map(({ claim, domain }) => [claim, domain]))
  // A claim waits for this lock, and so for the commit.
  const valid = await db.query<{ readonly claim: number }>(`
    with valid as materialized (
      select d.claim from remote_domain as d
      join (select unnest($1::text[]) as domain, unnest($2::int8[]) as claim) as mine using (domain, claim)
      for share of d
    ), appended as (
      insert into remote_message (domain, local, seq, sender, queued_at, fingerprint, stanza)
      select domain, local, seq, sender, queued_at, fingerprint, stanza from (
        select unnest($3::int8[]) as claim, unnest($4::text[]) as domain, unnest($5::text[]) as local,
          unnest($6::int8[]) as seq, unnest($7::text[]) as sender, unnest($8::int8[]) as queued_at,
          unnest($9::text[]) as fingerprint, unnest($10::text[]) as stanza
      ) as row where claim in (select claim from valid)
      on conflict do nothing
    )
    select claim from valid`, [
    textArray([...claims.values()]),
    int8Array([...claims.keys()]),
    int8Array(all.map(({ claim }) => claim)),
    textArray(all.map(({ domain }) => domain)),
    textArray(all.map(({ row }) => row.local)),
    int8Array(all.map(({ row }) => row.seq)),
    textArray(all.map(({ row }) => row.sender)),
    int8Array(all.map(({ row }) => row.queuedAt)),
    textArray(all.map(({ row }) => row.fingerprint)),
    textArray(all.map(({ row }) => row.stanza)),
  ])
  return new Set(valid.map(({ claim }) => claim))
}

/** A range of numbers. */
export interface Done { readonly domain: string, readonly local: string, readonly first: number, readonly last: number }

/** Deletes rows that were confirmed, or given back. */
export async function remove (db: Database, done: readonly Done[]): Promise<void> {
  // Range by range, as above.
  await db.query(`
    delete from remote_message where ctid = any (array(
      select m.ctid from (
        select unnest($1::text[]) as domain, unnest($2::text[]) as local, unnest($3::int8[]) as first,
          unnest($4::int8[]) as last
      ) as done, lateral (
        select ctid from remote_message
        where domain = done.domain and local = done.local and seq between done.first and done.last offset 0
      ) as m
    ))`, [
    textArray(done.map(row => row.domain)),
    textArray(done.map(row => row.local)),
    int8Array(done.map(row => row.first)),
    int8Array(done.map(row => row.last)),
  ])
}
