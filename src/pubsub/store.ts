/** The SQL of nodes and their items. Each change is one statement, or one transaction. */
import { textArray } from '../storage/binary-array.ts'
import type { Database } from '../storage/database.ts'
import { Jid } from '../xmpp/jid.ts'
import { restoredConfig, storedConfig } from './node-config.ts'
import type { NodeConfig } from './node-config.ts'
import type { Item, NodeAffiliation, PubsubNode, Subscription, SubscriptionChange } from './node.ts'
import type { SubscriptionOptions } from './subscription-options.ts'

interface NodeRow {
  readonly version: string
  readonly creator: string
  readonly created_at: Date
  readonly config: Readonly<Record<string, readonly string[]>>
  readonly affiliations: Readonly<Record<string, NodeAffiliation>> | null
  readonly subscriptions: readonly (readonly [string, Subscription['state'], SubscriptionOptions])[] | null
}

interface ItemRow {
  readonly id: string
  readonly publisher: string
  readonly published_at: Date
  readonly payload: string
}

/** An item to store. */
export type NewItem = Omit<Item, 'publishedAt'>

/** A subscription or an affiliation of somebody, at a node. */
export interface Own<State> { readonly node: string, readonly jid: string, readonly state: State }

/** So many subscriptions or affiliations of somebody are listed. */
const MAX_LISTED = 1000

/** §5.6: somebody's subscriptions, at all nodes or one. */
export function listSubscriptions (
  db: Database, owner: Jid, { bare }: Jid, name: string | undefined,
): Promise<readonly Own<Subscription['state']>[]> {
  return db.query(
    `select node, jid, state from pubsub_subscription
     where account = $1 and owner = $2 and ($3::text is null or node = $3) order by node, jid limit ${MAX_LISTED}`,
    [bare.toString(), owner.toString(), name ?? null])
}

/** §5.7: somebody's affiliations, at all nodes or one; an account owns all of its nodes. */
export function listAffiliations (
  db: Database, owner: Jid, { bare }: Jid, name: string | undefined,
): Promise<readonly Own<NodeAffiliation>[]> {
  const values = [bare.toString(), owner.toString(), name ?? null]
  return bare.equals(owner)
    ? db.query(
      `select node, owner as jid, 'owner' as state from pubsub_node
       where owner = $1 and owner = $2 and ($3::text is null or node = $3) order by node limit ${MAX_LISTED}`, values)
    : db.query(
      `select node, jid, affiliation as state from pubsub_affiliation
       where jid = $1 and owner = $2 and ($3::text is null or node = $3) order by node limit ${MAX_LISTED}`, values)
}

/** §8.7: the nodes of an owner that somebody waits to subscribe to. */
export async function listAwaited (db: Database, owner: Jid, { bare }: Jid): Promise<readonly string[]> {
  const rows = await db.query<{ readonly node: string }>(
    `select node from pubsub_affiliation as own
     where jid = $1 and owner = $2 and affiliation = 'owner' and exists (
       select from pubsub_subscription as waiting
       where (waiting.owner, waiting.node) = (own.owner, own.node) and state = 'pending'
     ) order by node limit ${MAX_LISTED}`, [bare.toString(), owner.toString()])
  return rows.map(({ node }) => node)
}

/** The items of a page (XEP-0059), oldest first. */
export interface Page {
  /** As the access was checked against. */
  readonly version: string
  readonly items: readonly Item[]
  /** Of all that the node has. */
  readonly count: number
}

/** Which items: the newest `max`, or those before or after one, or those of these ids. */
export interface Range {
  readonly max: number
  readonly before?: string | undefined
  readonly after?: string | undefined
  readonly fromStart?: boolean | undefined
  readonly ids?: readonly string[] | undefined
}

export async function readNode (
  db: Database, owner: Jid, name: string, defaults: NodeConfig,
): Promise<PubsubNode | undefined> {
  const [row] = await db.query<NodeRow>(
    `select version::text, creator, created_at, config,
       (select json_object_agg(jid, affiliation)
        from pubsub_affiliation where owner = $1 and node = $2) as affiliations,
       (select json_agg(json_build_array(jid, state, options) order by jid)
        from pubsub_subscription where owner = $1 and node = $2) as subscriptions
     from pubsub_node where owner = $1 and node = $2`, [owner.toString(), name])
  return row && nodeOf(row, owner, name, defaults)
}

function nodeOf (row: NodeRow, owner: Jid, name: string, defaults: NodeConfig): PubsubNode {
  const subscriptions = row.subscriptions ?? []
  return {
    owner, name, version: row.version, creator: Jid.kept(row.creator), createdAt: row.created_at.getTime(),
    config: restoredConfig(row.config, defaults),
    affiliations: new Map(Object.entries(row.affiliations ?? {})),
    subscriptions: Map.groupBy(
      subscriptions.map(([jid, state, options]) => ({ jid: Jid.kept(jid), state, options })),
      ({ jid }) => jid.bare.toString()),
  }
}

/** What came of an attempt to create a node. */
export type Created = 'created' | 'exists' | 'too many'

/** Creates a node, with its creator as its owner at a service; an account may have `most`. */
export function createNode (
  db: Database, { owner, name, creator, config }: Pick<PubsubNode, 'owner' | 'name' | 'creator' | 'config'>,
  most: number,
): Promise<Created> {
  return db.transaction(async db => {
    await db.query('select pg_advisory_xact_lock(hashtextextended($1, 1))', [creator.toString()])
    const [counted] = await db.query<{ readonly count: number }>(
      'select count(*)::int as count from pubsub_node where creator = $1', [creator.toString()])
    const rows = await db.query(
      `insert into pubsub_node (owner, node, creator, config, access, roster_groups, sends_last)
       values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning node`,
      [owner.toString(), name, creator.toString(), ...columnsOf(config)])
    if (rows.length === 0) return 'exists'
    if (counted && counted.count >= most) {
      await db.query('delete from pubsub_node where owner = $1 and node = $2', [owner.toString(), name])
      return 'too many'
    }
    if (!creator.equals(owner)) {
      await db.query(`insert into pubsub_affiliation (owner, node, jid, affiliation) values ($1, $2, $3, 'owner')`,
        [owner.toString(), name, creator.toString()])
    }
    return 'created'
  })
}

function columnsOf (config: NodeConfig): readonly unknown[] {
  return [
    JSON.stringify(storedConfig(config)), config.access_model, config.roster_groups_allowed,
    config.send_last_published_item,
  ]
}

/** Deletes the node with all that it has. */
export async function deleteNode (db: Database, { owner, name }: PubsubNode): Promise<void> {
  await db.query('delete from pubsub_node where owner = $1 and node = $2', [owner.toString(), name])
}

/** The version of the node with that configuration; undefined where it is of another version than was known. */
export function saveConfig (
  db: Database, { owner, name, version }: PubsubNode, config: NodeConfig,
): Promise<string | undefined> {
  return versionIn(db.query(
    `update pubsub_node set config = $4, access = $5, roster_groups = $6, sends_last = $7,
       version = nextval('pubsub_version')
     where owner = $1 and node = $2 and version = $3 returning version::text`,
    [owner.toString(), name, version, ...columnsOf(config)]))
}

async function changed (rows: Promise<readonly unknown[]>): Promise<boolean> {
  return (await rows).length > 0
}

async function versionIn (rows: Promise<readonly { readonly version: string }[]>): Promise<string | undefined> {
  return (await rows)[0]?.version
}

const TOUCH = `update pubsub_node set version = nextval('pubsub_version')
  where owner = $1 and node = $2 and version = $3 returning version::text`

/** As `saveConfig`, with other affiliations; 'none' takes one away. */
export function saveAffiliations (
  db: Database, { owner, name, version }: PubsubNode, changes: ReadonlyMap<string, NodeAffiliation>,
): Promise<string | undefined> {
  return db.transaction(async db => {
    const next = await versionIn(db.query(TOUCH, [owner.toString(), name, version]))
    if (next === undefined) return
    const gone = [...changes].flatMap(([jid, affiliation]) => affiliation === 'none' ? [jid] : [])
    const kept = [...changes].filter(([, affiliation]) => affiliation !== 'none')
    await db.query('delete from pubsub_affiliation where owner = $1 and node = $2 and jid = any($3)',
      [owner.toString(), name, gone])
    await db.query(
      `insert into pubsub_affiliation (owner, node, jid, affiliation)
       select $1, $2, * from unnest($3::text[], $4::text[])
       on conflict (owner, node, jid) do update set affiliation = excluded.affiliation`,
      [owner.toString(), name, kept.map(([jid]) => jid), kept.map(([, affiliation]) => affiliation)])
    return next
  })
}

/** As `saveConfig`, with other subscriptions. */
export function saveSubscriptions (
  db: Database, { owner, name, version }: PubsubNode, changes: readonly SubscriptionChange[],
): Promise<string | undefined> {
  return db.transaction(async db => {
    const next = await versionIn(db.query(TOUCH, [owner.toString(), name, version]))
    if (next === undefined) return
    const gone = changes.filter(({ subscription }) => !subscription).map(({ jid }) => jid.toString())
    const kept = changes.flatMap(({ subscription }) => subscription ?? [])
    await db.query('delete from pubsub_subscription where owner = $1 and node = $2 and jid = any($3)',
      [owner.toString(), name, gone])
    await db.query(
      `insert into pubsub_subscription (owner, node, jid, account, state, options)
       select $1, $2, * from unnest($3::text[], $4::text[], $5::text[], $6::jsonb[])
       on conflict (owner, node, jid) do update set state = excluded.state, options = excluded.options`,
      [owner.toString(), name, kept.map(({ jid }) => jid.toString()), kept.map(({ jid }) => jid.bare.toString()),
        kept.map(({ state }) => state), kept.map(({ options }) => JSON.stringify(options))])
    return next
  })
}

/** What a publication needs to know of the limits. */
export interface Room {
  /** Items of the node. */
  readonly items: number
  /** Bytes of all nodes of the creator. */
  readonly bytes: number
  /** Whether an item that is too many is refused, in place of the oldest one's end. */
  readonly isStrict: boolean
}

/** What came of a publication; undefined where the node is of another version. */
export type Published = { readonly trimmed: readonly string[] } | 'full' | 'no space' | undefined

/**
 * Stores items of different ids as the node's newest, in their order, each in place of the one with its id, and removes
 * the oldest that are too many then. One statement: `$8` is the limit of items, `$9` that of bytes, `$10` whether the
 * node may not be full.
 */
const PUBLISH = `
  with node as (
    select items, bytes, creator from pubsub_node where owner = $1 and node = $2 and version = $4
  ), new as (
    select count(*)::int as count, sum(octet_length(payload)) as bytes from unnest($7::text[]) as payload
  ), old as (
    select count(*)::int as count, coalesce(sum(octet_length(payload)), 0) as bytes
    from pubsub_item where owner = $1 and node = $2 and id = any($3::text[])
  ), size as (
    select items - old.count + new.count - $8 as surplus,
      (select sum(bytes) from pubsub_node where creator = node.creator) - old.bytes + new.bytes > $9 as is_too_large
    from node, old, new
  ), verdict as (
    select surplus, is_too_large, $10::bool and surplus > 0 as is_full from size
  ), trimmed as (
    delete from pubsub_item where owner = $1 and node = $2 and id in (
      select id from pubsub_item where owner = $1 and node = $2 and id <> all($3::text[]) order by seq
      limit coalesce((select greatest(0, surplus) from verdict where not is_full and not is_too_large), 0))
    returning id, octet_length(payload) as bytes
  ), numbered as (
    update pubsub_node set last_seq = last_seq + (select count from new),
      items = items + (select count from new) - (select count from old) - (select count(*) from trimmed),
      bytes = bytes + (select bytes from new) - (select bytes from old)
        - coalesce((select sum(bytes) from trimmed), 0)
    where owner = $1 and node = $2 and version = $4
      and exists (select from verdict where not is_full and not is_too_large)
    returning last_seq - (select count from new) as last_seq
  ), stored as (
    insert into pubsub_item (owner, node, id, seq, publisher, published_at, expires_at, payload)
    select $1, $2, one.id, last_seq + n, one.publisher, now(), $6::timestamptz, one.payload
    from numbered, unnest($3::text[], $5::text[], $7::text[]) with ordinality as one (id, publisher, payload, n)
    on conflict (owner, node, id) do update set seq = excluded.seq, publisher = excluded.publisher,
      published_at = excluded.published_at, expires_at = excluded.expires_at, payload = excluded.payload
    returning seq
  )
  select is_full, is_too_large, (select array_agg(id) from trimmed) as trimmed,
    (select count(*) from stored)::int as stored from verdict`

export async function publishItems (
  db: Database, { owner, name, version }: PubsubNode, items: readonly NewItem[], expiresAt: number | undefined,
  room: Room,
): Promise<Published> {
  const [row] = await db.query<{
    readonly is_full: boolean
    readonly is_too_large: boolean
    readonly trimmed: readonly string[] | null
    readonly stored: number
  }>(PUBLISH, [
    owner.toString(), name, textArray(items.map(({ id }) => id)), version,
    textArray(items.map(({ publisher }) => publisher)), expiresAt === undefined ? null : new Date(expiresAt),
    textArray(items.map(({ payload }) => payload)), room.items, room.bytes, room.isStrict,
  ])
  if (row?.is_full) return 'full'
  if (row?.is_too_large) return 'no space'
  return row && row.stored > 0 ? { trimmed: row.trimmed ?? [] } : undefined
}

/** Whether the node is still of that version. */
export function isCurrent (db: Database, { owner, name, version }: PubsubNode): Promise<boolean> {
  return changed(db.query('select from pubsub_node where owner = $1 and node = $2 and version = $3',
    [owner.toString(), name, version]))
}

/** Deletes the oldest items, so that `most` are left; resolves with their ids. */
export async function trimItems (db: Database, { owner, name }: PubsubNode, most: number): Promise<readonly string[]> {
  const rows = await db.query<{ readonly id: string }>(
    `with gone as (
       delete from pubsub_item where owner = $1 and node = $2 and id in (
         select id from pubsub_item where owner = $1 and node = $2 order by seq desc offset $3)
       returning id, octet_length(payload) as bytes
     ), counted as (
       update pubsub_node set items = items - (select count(*) from gone),
         bytes = bytes - coalesce((select sum(bytes) from gone), 0)
       where owner = $1 and node = $2 and exists (select from gone)
     )
     select id from gone`, [owner.toString(), name, most])
  return rows.map(({ id }) => id)
}

/** Who published the item; undefined where there is none. */
export async function readPublisher (
  db: Database, { owner, name }: PubsubNode, id: string,
): Promise<string | undefined> {
  const [row] = await db.query<Pick<ItemRow, 'publisher'>>(
    'select publisher from pubsub_item where owner = $1 and node = $2 and id = $3', [owner.toString(), name, id])
  return row?.publisher
}

/** Whether there was such an item, in a node of that version. */
export function deleteItem (db: Database, { owner, name, version }: PubsubNode, id: string): Promise<boolean> {
  return changed(db.query(
    `with gone as (
       delete from pubsub_item where owner = $1 and node = $2 and id = $3
         and exists (select from pubsub_node where owner = $1 and node = $2 and version = $4)
       returning octet_length(payload) as bytes
     )
     update pubsub_node set items = items - 1, bytes = bytes - (select bytes from gone)
     where owner = $1 and node = $2 and exists (select from gone) returning node`,
    [owner.toString(), name, id, version]))
}

/** Whether all items were deleted: not where the node is of another version. */
export function deleteItems (db: Database, { owner, name, version }: PubsubNode): Promise<boolean> {
  return changed(db.query(
    `with node as (
       update pubsub_node set items = 0, bytes = 0 where owner = $1 and node = $2 and version = $3 returning node
     ), gone as (
       delete from pubsub_item where owner = $1 and node = $2 and exists (select from node)
     )
     select from node`, [owner.toString(), name, version]))
}

/** A page of the items; undefined where there is no such node any more. */
export function readItems (db: Database, { owner, name }: PubsubNode, range: Range): Promise<Page | undefined> {
  const key = [owner.toString(), name, range.max]
  if (range.ids) return readPage(db, 'id = any($4)', 'desc', [...key, range.ids])
  const isForwards = range.fromStart === true || range.after !== undefined
  const [order, end, beyond] = isForwards ? ['asc', '-1', '>'] as const : ['desc', MAX_SEQ, '<'] as const
  return readPage(db, `seq ${beyond} case when $4::text is null then ${end} else
    (select seq from pubsub_item where owner = $1 and node = $2 and id = $4) end`, order,
  [...key, range.after ?? range.before ?? null])
}

const OF_NODE = 'from pubsub_item where owner = $1 and node = $2 and (expires_at is null or expires_at > now())'
/** The largest bigint. */
const MAX_SEQ = '9223372036854775807'
/** Bytes of payloads in one page, the last item's not counted. */
const PAGE_BYTES = 1024 * 1024

interface PageRow extends ItemRow {
  readonly version: string
  readonly items: number
}

/** At most `$3` items, as far as their bytes allow in that order. */
async function readPage (
  db: Database, condition: string, order: 'asc' | 'desc', values: readonly unknown[],
): Promise<Page | undefined> {
  const rows = await db.query<PageRow | (Pick<PageRow, 'version' | 'items'> & { readonly id: null })>(
    `select node.version::text, node.items, page.id, publisher, published_at, payload from pubsub_node as node
     left join lateral (
       select * from (
         select id, publisher, published_at, payload, seq,
           sum(octet_length(payload)) over (order by seq ${order} rows unbounded preceding)
             - octet_length(payload) as before
         ${OF_NODE} and ${condition} order by seq ${order} limit $3
       ) as found where before < ${PAGE_BYTES}
     ) as page on true
     where node.owner = $1 and node.node = $2 order by seq`, values)
  const [first] = rows
  return first && {
    version: first.version, count: first.items, items: rows.flatMap(row => row.id === null ? [] : itemOf(row)),
  }
}

/** Whether the node has an item of that id: a page that begins there would be empty without it. */
export function hasItem (db: Database, { owner, name }: PubsubNode, id: string): Promise<boolean> {
  return changed(db.query('select from pubsub_item where owner = $1 and node = $2 and id = $3',
    [owner.toString(), name, id]))
}

function itemOf ({ id, publisher, published_at: at, payload }: ItemRow): Item {
  return { id, publisher, publishedAt: at.getTime(), payload }
}

/** Deletes at most so many items that have expired; resolves with how many there were. */
export async function deleteExpired (db: Database, most: number): Promise<number> {
  const rows = await db.query(
    `with gone as (
       delete from pubsub_item where (owner, node, id) in (
         select owner, node, id from pubsub_item where expires_at <= now() order by expires_at
         limit $1 for update skip locked)
       returning owner, node, octet_length(payload) as bytes
     ), less as (
       select owner, node, count(*) as items, sum(bytes) as bytes from gone group by owner, node
     ), counted as (
       update pubsub_node set items = pubsub_node.items - less.items, bytes = pubsub_node.bytes - less.bytes
       from less where (pubsub_node.owner, pubsub_node.node) = (less.owner, less.node)
     )
     select from gone`, [most])
  return rows.length
}

/** A node in the list of an account's or a service's. */
export interface ListedNode { readonly node: string, readonly title: string }

/** At most so many nodes that somebody may read or ask to subscribe to, in the order of their names, after one. */
export function listNodes (
  db: Database, owner: Jid, { bare }: Jid, after: string, most: number,
): Promise<readonly ListedNode[]> {
  return db.query<ListedNode>(
    `select node.node, config #>> '{title,0}' as title from pubsub_node as node
     left join pubsub_affiliation as own on (own.owner, own.node, own.jid) = (node.owner, node.node, $2)
     where node.owner = $1 and node.node > $3 and ($1 = $2 or own.affiliation in ('owner', 'publisher', 'member')
       or (own.affiliation is null and (access in ('open', 'authorize')
         or (access in ('presence', 'roster') and exists (
           select from roster_item where contact = $2 and subscription in ('from', 'both')
             and (access = 'presence' or groups && roster_groups)
             and (roster_item.owner = $1 or roster_item.owner in (
               select jid from pubsub_affiliation as other
               where (other.owner, other.node) = (node.owner, node.node) and other.affiliation = 'owner')))))))
     order by node.node limit $4`, [owner.toString(), bare.toString(), after, most])
}

/** At most so many ids of items, the newest first, behind that of one. */
export async function listIds (
  db: Database, { owner, name }: PubsubNode, after: string, most: number,
): Promise<readonly string[]> {
  const rows = await db.query<Pick<ItemRow, 'id'>>(
    `select id ${OF_NODE} and ($3 = '' or seq < (
       select seq from pubsub_item where owner = $1 and node = $2 and id = $3)) order by seq desc limit $4`,
    [owner.toString(), name, after, most])
  return rows.map(({ id }) => id)
}
