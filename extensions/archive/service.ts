/** The archive as other extensions use it (`MessageArchive`): the SQL of their reads and changes. */
import { batchedRead, escapeAttribute, int8Array, MAX_HEADER, textArray } from '../../src/extension/api.ts'
import type {
  ArchivedMessage, ConversationSearch, ConversationSide, Database, DeliveryPosition, MessageArchive, NumberRange,
  RoomView, SentId,
} from '../../src/extension/api.ts'

const COLUMNS = 'seq, peer, is_sent as "isSent", sent_at as "sentAt", stanza'

/** The archive in `db`; `lastInRoom` as the interface says. */
export function archiveService (db: Database, lastInRoom: (room: RoomView) => number): MessageArchive {
  return {
    lastInRoom, read, search, findSent, replace, readReceived, findReceived,
    readPosition: batchedRead(owners => readPositions(db, owners)),
    savePositions: positions => savePositions(db, positions),
  }
}

async function read (db: Database, owner: string, seqs: readonly number[]): Promise<readonly ArchivedMessage[]> {
  return db.query<ArchivedMessage>(
    `select ${COLUMNS} from archive_message where owner = $1 and seq = any($2::int8[])`, [owner, int8Array(seqs)])
}

const SINCE_PEER_EXISTS = `and sent_at >= coalesce(
  (select floor(extract(epoch from created_at) * 1000) from account where jid = $2), 0)`

async function search (
  db: Database, { owner, peer, isSent }: ConversationSide,
  { after = 0, before, among, id, containing, most }: ConversationSearch,
): Promise<readonly ArchivedMessage[]> {
  const values: unknown[] = [owner, peer, isSent, after, before]
  const conditions = [
    "stanza <> ''",
    ...id === undefined ? [] : [hasAttribute(`$${values.push(idAttribute(id))}`)],
    ...containing?.map(text => `strpos(stanza, $${values.push(text)}) > 0`) ?? [],
  ]
  return db.query<ArchivedMessage>(`
    select ${COLUMNS} from (
      select * from archive_message
      where archive_conversation(owner, peer) = archive_conversation($1, $2) and owner = $1 and peer = $2
        and is_sent = $3 and seq > $4 and seq < $5 ${isSent ? '' : SINCE_PEER_EXISTS}
      order by seq desc ${among === undefined ? '' : `limit ${among}`}
    ) as recent
    where ${conditions.join(' and ')} order by seq desc limit ${most}`, values)
}

function idAttribute (id: string): string {
  return ` id='${escapeAttribute(id)}'`
}

/** Whether the opening tag of `stanza` has the attribute: the rest of a large message is better not read. */
function hasAttribute (attribute: string): string {
  return `strpos(split_part(left(stanza, ${MAX_HEADER}), '>', 1), ${attribute}) > 0`
}

async function findSent (
  db: Database, sent: readonly SentId[], among: number,
): Promise<readonly (number | undefined)[]> {
  const rows = await db.transaction(async tx => {
    // Where the planner knows nothing of a young table yet, it would read whole conversations and sort them.
    await tx.query('set local enable_bitmapscan = off')
    return await tx.query<{ readonly seq: number | null }>(`
      select (
        select seq from (
          select seq, stanza from archive_message as m
          where archive_conversation(m.owner, m.peer) = archive_conversation(sent.owner, sent.peer)
            and m.owner = sent.owner and m.peer = sent.peer and is_sent order by seq desc limit ${among}
        ) as recent where ${hasAttribute('sent.attribute')} limit 1
      ) as seq
      from unnest($1::text[], $2::text[], $3::text[]) with ordinality as sent (owner, peer, attribute, n)
      order by sent.n`, [
      textArray(sent.map(one => one.owner)),
      textArray(sent.map(one => one.peer)),
      textArray(sent.map(one => idAttribute(one.id))),
    ])
  })
  return rows.map(({ seq }) => seq ?? undefined)
}

async function replace (db: Database, owner: string, seq: number, stanza: Buffer): Promise<void> {
  await db.query(
    'update archive_message set stanza = $3 where owner = $1 and seq = $2', [owner, seq, stanza.toString()])
}

async function readPositions (
  db: Database, owners: readonly string[],
): Promise<ReadonlyMap<string, DeliveryPosition>> {
  const rows = await db.query<DeliveryPosition & { readonly owner: string }>(`
    select owner, coalesce(delivered, 0) as delivered,
      coalesce((select max(seq) from archive_message as m where m.owner = asked.owner), 0) as last
    from unnest($1::text[]) as asked (owner) left join archive_position using (owner)`, [owners])
  return new Map(rows.map(row => [row.owner, row]))
}

async function savePositions (db: Database, positions: ReadonlyMap<string, number>): Promise<void> {
  await db.query(`
    insert into archive_position (owner, delivered)
    select owner, delivered from unnest($1::text[], $2::int8[]) as p (owner, delivered)
    on conflict (owner) do update set delivered = greatest(archive_position.delivered, excluded.delivered)`,
  [textArray([...positions.keys()]), int8Array([...positions.values()])])
}

async function readReceived (
  db: Database, owner: string, ranges: readonly NumberRange[], most: number,
): Promise<readonly ArchivedMessage[]> {
  return db.query<ArchivedMessage>(`
    select m.* from unnest($2::int8[], $3::int8[]) as stretch (first, last),
    lateral (
      select ${COLUMNS} from archive_message
      where owner = $1 and seq between first and last and not is_sent and stanza <> '' order by seq limit $4
    ) as m order by m.seq limit $4`,
  [owner, int8Array(ranges.map(({ from }) => from)), int8Array(ranges.map(({ to }) => to)), most])
}

async function findReceived (
  db: Database, owner: string, { from, to }: NumberRange, most: number,
): Promise<readonly number[]> {
  const rows = await db.query<{ readonly seq: number }>(`
    select seq from archive_message
    where owner = $1 and seq between $2 and $3 and not is_sent and stanza <> '' order by seq limit $4`,
  [owner, from, to, most])
  return rows.map(({ seq }) => seq)
}
