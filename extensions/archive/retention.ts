/**
 * Deletes expired messages (XEP-0313 §3.2): the oldest of an archive, a few archives and messages at a time; numbers
 * are never reused. Duplicates are recognised for a day nevertheless.
 */
import type { Database } from '../../src/extension/api.ts'
import { RECENT_MS } from './store.ts'

/** For ever, for so many days, or until a device of the owner has it. */
export type Retention = 'forever' | 'until-delivered' | { readonly days: number }

const ARCHIVES = 200
const MESSAGES = 100
const DAY_MS = 86_400_000

/** Whose the archives are: the table of their owners. */
type Owners = 'account' | 'room'

/** Deletes expired messages, archive by archive, on hosts with a limited retention. */
export async function removeOld (
  db: Database, rules: ReadonlyMap<string, Retention>, now: number, owners: Owners = 'account',
): Promise<void> {
  const emptied = [...rules.keys()].filter(host => rules.get(host) === 'until-delivered')
  const limits = [...rules].flatMap(([host, retention]) => limitOf(host, retention, now) ?? [])
  if (emptied.length > 0) await walk((from, step) => emptyDelivered(db, from, step, emptied))
  if (limits.length > 0) await walk((from, step) => removeBefore(db, owners, from, step, limits))
}

/** The time before which a host's messages are deleted, and whether only those that are emptied already. */
interface Limit { readonly host: string, readonly time: number, readonly onlyEmpty: boolean }

function limitOf (host: string, retention: Retention, now: number): Limit | undefined {
  if (retention === 'forever') return
  if (retention === 'until-delivered') return { host, time: now - RECENT_MS, onlyEmpty: true }
  return { host, time: now - retention.days * DAY_MS, onlyEmpty: false }
}

/** The progress of a step. */
interface Step { readonly upTo: string | null, readonly count: number }

/** Runs steps of `ARCHIVES` archives each, and repeats those that had something to do. */
async function walk (take: (from: string, archives: number) => Promise<Step>): Promise<void> {
  for (let from = ''; ;) {
    const { upTo, count } = await take(from, ARCHIVES)
    if (upTo === null) return
    if (count === 0) from = upTo
  }
}

/** Deletes the messages before the first that is younger, or must not be deleted yet. */
async function removeBefore (
  db: Database,
  owners: Owners,
  from: string,
  archives: number,
  limits: readonly Limit[],
): Promise<Step> {
  const [step] = await db.query<Step>(`
    with batch as (
      select jid, ($5::int8[])[rule] as time, ($6::bool[])[rule] as only_empty
      from ${owners}, array_position($4::text[], split_part(jid, '@', 2)) as rule
      where jid > $1 and rule is not null order by jid limit $2
    ), old as (
      select jid as owner, found.last from batch, lateral (
        select max(seq) as last from (
          select seq, bool_and(sent_at < time and (stanza = '' or not only_empty)) over (order by seq) as is_old
          from (select seq, sent_at, stanza from archive_message where owner = jid order by seq limit $3) as oldest
        ) as oldest where is_old
      ) as found
    ), removed as (
      delete from archive_message using old where archive_message.owner = old.owner and seq <= old.last
      returning archive_message.owner, seq
    ), ended as (
      insert into archive_end (owner, last) select owner, max(seq) from removed group by owner
      on conflict (owner) do update set last = excluded.last
    )
    select (select max(jid) from batch) as "upTo", (select count(*) from removed) as count`,
  [
    from,
    archives,
    MESSAGES,
    limits.map(limit => limit.host),
    limits.map(limit => limit.time),
    limits.map(limit => limit.onlyEmpty),
  ])
  return step ?? { upTo: null, count: 0 }
}

/**
 * Empties the messages before the first that waits for a device; their fingerprints remain for a day. Messages that the
 * owner sent wait for nobody.
 */
async function emptyDelivered (db: Database, from: string, archives: number, hosts: readonly string[]): Promise<Step> {
  const [step] = await db.query<Step>(`
    with batch as (
      select jid from account where jid > $1 and split_part(jid, '@', 2) = any($4) order by jid limit $2
    ), delivered as (
      select batch.jid as owner, found.seq from batch
      left join archive_position as position on position.owner = batch.jid,
      lateral (
        select seq from archive_message where owner = batch.jid and stanza <> '' and seq < coalesce((
          select seq from archive_message
          where owner = batch.jid and seq > coalesce(position.delivered, 0) and not is_sent order by seq limit 1
        ), 9223372036854775807) order by seq limit $3
      ) as found
    ), emptied as (
      update archive_message set stanza = '' from delivered
      where archive_message.owner = delivered.owner and archive_message.seq = delivered.seq returning 1
    )
    select (select max(jid) from batch) as "upTo", (select count(*) from emptied) as count`,
  [from, archives, MESSAGES, hosts],
  )
  return step ?? { upTo: null, count: 0 }
}
