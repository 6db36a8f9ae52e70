/** XEP-0442: the items of a node as an archive, in the order of their publication. */
import type { NodeArchive, NodeArchivePage, NodeArchiveRange } from '../extension/facets/pubsub.ts'
import type { Database } from '../storage/database.ts'
import type { ArchiveKeys } from '../xmpp/archive-ids.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Context } from './context.ts'
import { publishedEvent } from './events.ts'
import { affiliationOf } from './node.ts'
import type { PubsubNode } from './node.ts'
import { checkReader } from './requests/items.ts'

/** Bytes of payloads in one page, the last item's not counted. */
const PAGE_BYTES = 512 * 1024

/** The archive of a node, for somebody; throws what a request for its items would be answered with. */
export async function openArchive (
  { engine, settled }: Context, keys: ArchiveKeys, owner: Jid, name: string, asker: Jid,
): Promise<NodeArchive> {
  await settled(asker)
  const node = await engine.need(owner, name)
  await checkReader(engine, node, asker)
  await keys.load()
  return {
    archiveIds: keys.ofNode(owner.toString(), name, node.createdAt),
    seesPublishers: node.config.itemreply === 'publisher' || affiliationOf(node, asker) === 'owner',
    async read (range) {
      const { page, node } = await engine.page(owner, name, asker, (db, node) => readArchive(db, node, range),
        node => checkReader(engine, node, asker))
      if (page.unknown > 0) throw new StanzaError('item-not-found', 'the archive has no item with this id')
      return pageOf(page, node, range)
    },
  }
}

interface Row {
  readonly version: string
  /** All of the node's. */
  readonly items: number
  /** Of the numbers that have to be there, how many are not. */
  readonly unknown: number
  /** Before the page was cut; null, as all that follows, where there is no item. */
  readonly found: number | null
  readonly seq: number
  readonly id: string
  readonly publisher: string
  readonly published_at: Date
  readonly payload: string
}

/** One item more than is wanted tells whether there are more. */
function sqlFor (order: 'asc' | 'desc'): string {
  return `
    select node.version::text, node.items, page.*,
      (select count(*) from unnest($12::int8[]) as known (seq) where not exists (
        select from pubsub_item as item where item.owner = $1 and item.node = $2 and item.seq = known.seq
      ))::int as unknown
    from pubsub_node as node left join lateral (
      select * from (
        select *, count(*) over ()::int as found,
          sum(octet_length(payload)) over (order by seq ${order}) - octet_length(payload) as before
        from (
          select seq, id, publisher, published_at, payload from pubsub_item
          where owner = $1 and node = $2 and (expires_at is null or expires_at > now()) and seq > $3 and seq < $4
            and ($5::int8[] is null or seq = any($5))
            and ($6::int8 is null or published_at >= to_timestamp($6 / 1000.0))
            and ($7::int8 is null or published_at < to_timestamp(($7 + 1) / 1000.0))
            and ($8::text is null or publisher = $8 or starts_with(publisher, $9))
          order by seq ${order} limit $10
        ) as found
      ) as measured where before < $11
    ) as page on true
    where node.owner = $1 and node.node = $2 order by seq`
}

interface Rows extends Pick<Row, 'version' | 'items' | 'unknown'> { readonly rows: readonly Row[] }

async function readArchive (
  db: Database, { owner, name }: PubsubNode, range: NodeArchiveRange,
): Promise<Rows | undefined> {
  const { after, before, ids, start, end, publisher, max, fromEnd, known } = range
  const rows = await db.query<Row>(sqlFor(fromEnd ? 'desc' : 'asc'), [
    owner.toString(), name, after, Math.min(before, Number.MAX_SAFE_INTEGER), ids ?? null, start ?? null, end ?? null,
    publisher ?? null, publisher === undefined ? null : `${publisher}/`, max + 1, PAGE_BYTES, known,
  ])
  const [first] = rows
  return first && { ...first, rows: first.found === null ? [] : rows }
}

function pageOf ({ rows, items }: Rows, node: PubsubNode, { max, fromEnd }: NodeArchiveRange): NodeArchivePage {
  const kept = rows.length <= max ? rows : fromEnd ? rows.slice(1) : rows.slice(0, -1)
  return {
    events: kept.map(({ seq, id, publisher, published_at: at, payload }) =>
      ({ seq, sentAt: at.getTime(), event: publishedEvent(node, { id, publisher, payload }) })),
    isComplete: kept.length === (rows[0]?.found ?? 0),
    count: items,
  }
}
