/**
 * The SQL of what became of messages: positions per conversation, found by the ids that clients gave their messages.
 */
import { escapeAttribute, int8Array, MAX_HEADER, textArray } from '../../src/extension/api.ts'
import type { Database } from '../../src/extension/api.ts'

/** Somebody has, or has seen, the message that the owner sent them under that id. */
export interface StatusUpdate {
  readonly owner: string
  readonly peer: string
  readonly id: string
  readonly isDisplayed: boolean
}

/** What an owner's conversation with a peer has come to; 0 for nothing. */
export interface Status { readonly delivered: number, readonly displayed: number }

/** How far back in a conversation an id is looked for. */
const MAX_BACK = 500

/** Moves positions to where the messages are; those that nobody sent move nothing (XEP-0333 §5). */
export async function saveNews (db: Database, news: readonly StatusUpdate[]): Promise<void> {
  await db.transaction(async tx => {
    // Where the planner knows nothing of a young table yet, it would read whole conversations and sort them.
    await tx.query('set local enable_bitmapscan = off')
    await moveTo(tx, news)
  })
}

async function moveTo (db: Database, news: readonly StatusUpdate[]): Promise<void> {
  await db.query(`
    insert into conversation_status (owner, peer, delivered, displayed)
    select owner, peer, max(seq), max(seq * is_displayed) from (
      select owner, peer, is_displayed, (
        select seq from (
          select seq, stanza from archive_message as m
          where archive_conversation(m.owner, m.peer) = archive_conversation(news.owner, news.peer)
            and m.owner = news.owner and m.peer = news.peer and is_sent order by seq desc limit ${MAX_BACK}
        ) as recent where strpos(split_part(left(stanza, ${MAX_HEADER}), '>', 1), news.attribute) > 0 limit 1
      ) as seq
      from unnest($1::text[], $2::text[], $3::text[], $4::int8[]) as news (owner, peer, attribute, is_displayed)
    ) as found where seq is not null group by owner, peer
    on conflict (owner, peer) do update set
      delivered = greatest(conversation_status.delivered, excluded.delivered),
      displayed = greatest(conversation_status.displayed, excluded.displayed)`, [
    textArray(news.map(one => one.owner)),
    textArray(news.map(one => one.peer)),
    textArray(news.map(one => ` id='${escapeAttribute(one.id)}'`)),
    int8Array(news.map(one => one.isDisplayed ? 1 : 0)),
  ])
}

export async function readStatus (db: Database, owner: string, peer: string): Promise<Status> {
  const [row] = await db.query<Status>(
    'select delivered, displayed from conversation_status where owner = $1 and peer = $2', [owner, peer])
  return row ?? { delivered: 0, displayed: 0 }
}

/** A peer is no more: also what was being saved while the account was removed. */
export async function removeStatus (db: Database, peer: string): Promise<void> {
  await db.query('delete from conversation_status where peer = $1', [peer])
}
