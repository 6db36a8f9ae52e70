/** The last items of many nodes at once, a page a query (XEP-0163 §4.3.4). */
import type { Database } from '../storage/database.ts'
import { Jid } from '../xmpp/jid.ts'
import type { Source } from './events.ts'
import { ACCOUNT_DEFAULTS, restoredConfig } from './node-config.ts'
import type { Item } from './node.ts'

/** Nodes of a page, and bytes of the payloads, those of the last one not counted. */
const PAGE = 500
const PAGE_BYTES = 512 * 1024

interface Row {
  readonly owner: string
  readonly node: string
  readonly config: Readonly<Record<string, readonly string[]>>
  /** Null where all items have expired. */
  readonly id: string | null
  readonly publisher: string
  readonly published_at: Date
  readonly payload: string
  /** Nodes of the page, of which the last may be left out for their bytes. */
  readonly total: number
}

export interface LastItem { readonly node: Source, readonly item: Item }

/**
 * The nodes that somebody hears of when a client comes online: its own account's, and those of the accounts that it
 * is a contact of, as each node's access model allows (`$1` is who; `$2` the nodes).
 */
const VISIBLE = `
  with watched as (
    select $1::text as owner, null::text[] as groups, true as is_own
    union all
    select owner, groups, false from roster_item
    where contact = $1 and subscription in ('from', 'both') and owner <> $1 and ($6::text is null or owner = $6)
  ), visible as (
    select node.owner, node.node, node.config from watched
    join pubsub_node as node on node.owner = watched.owner
    left join pubsub_affiliation as own on (own.owner, own.node, own.jid) = (node.owner, node.node, $1)
    where ($2::text[] is null or node.node = any($2)) and node.sends_last = 'on_sub_and_presence' and node.items > 0
      and (node.owner, node.node) > ($3, $4)
      and (is_own or own.affiliation in ('owner', 'publisher', 'member') or (own.affiliation is null and (
        access in ('open', 'presence') or (access = 'roster' and roster_groups && groups)
        or exists (select from pubsub_subscription as subscription where subscription.account = $1
          and (subscription.owner, subscription.node) = (node.owner, node.node) and state = 'subscribed'))))
  )`

const READ = `${VISIBLE}, page as materialized (
    select owner, node, config from visible order by owner, node limit $5
  )
  select owner, node, config, id, publisher, published_at, payload, total from (
    select page.*, last.*, count(*) over ()::int as total,
      sum(last.bytes) over (order by owner, node rows unbounded preceding) - last.bytes as before
    from page left join lateral (
      select id, publisher, published_at, payload, octet_length(payload) as bytes from pubsub_item as item
      where item.owner = page.owner and item.node = page.node and (expires_at is null or expires_at > now())
      order by seq desc limit 1
    ) as last on true
  ) as read where coalesce(before, 0) < ${PAGE_BYTES} order by owner, node`

/**
 * Pages of the last items that `who`, bare, may hear of, in nodes of these names or in all; only those of one account
 * where that is given. `read` runs a query.
 */
export async function * readLastItems (
  read: <T>(work: (db: Database) => Promise<T>) => Promise<T>, who: Jid, names: readonly string[] | undefined,
  of?: Jid,
): AsyncGenerator<readonly LastItem[]> {
  for (let after: readonly [string, string] | undefined = ['', '']; after;) {
    const values = [who.toString(), names ?? null, ...after, PAGE, of?.toString() ?? null]
    const rows: readonly Row[] = await read(db => db.query<Row>(READ, values))
    const last = rows.at(-1)
    const items = rows.flatMap(lastItemOf)
    if (items.length > 0) yield items
    const isAll = !last || (last.total < PAGE && rows.length === last.total)
    after = isAll ? undefined : [last.owner, last.node]
  }
}

function lastItemOf ({ owner, node, config, id, publisher, published_at: at, payload }: Row): readonly LastItem[] {
  if (id === null) return []
  return [{
    node: { owner: Jid.kept(owner), name: node, config: restoredConfig(config, ACCOUNT_DEFAULTS) },
    item: { id, publisher, publishedAt: at.getTime(), payload },
  }]
}
