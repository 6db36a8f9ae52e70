/**
 * The SQL of what became of messages: positions per conversation, found by the ids that clients gave their messages.
 */
import { int8Array, textArray } from '../../src/extension/api.ts'
import type { Database, MessageArchive, SentId } from '../../src/extension/api.ts'

/** Somebody has, or has seen, the message that the owner sent them under that id. */
export interface StatusUpdate extends SentId {
  readonly isDisplayed: boolean
}

/** What an owner's conversation with a peer has come to; 0 for nothing. */
export interface Status { readonly delivered: number, readonly displayed: number }

/** How far back in a conversation an id is looked for. */
const MAX_BACK = 500

/** Moves positions to where the messages are; those that nobody sent move nothing (XEP-0333 §5). */
export async function saveUpdates (
  db: Database, archive: MessageArchive, updates: readonly StatusUpdate[],
): Promise<void> {
  const seqs = await archive.findSent(db, updates, MAX_BACK)
  const found = updates.flatMap((one, n) => {
    const seq = seqs[n]
    return seq === undefined ? [] : { ...one, seq }
  })
  if (found.length === 0) return
  await db.query(`
    insert into conversation_status (owner, peer, delivered, displayed)
    select owner, peer, max(delivered), max(displayed)
    from unnest($1::text[], $2::text[], $3::int8[], $4::int8[]) as found (owner, peer, delivered, displayed)
    group by owner, peer
    on conflict (owner, peer) do update set
      delivered = greatest(conversation_status.delivered, excluded.delivered),
      displayed = greatest(conversation_status.displayed, excluded.displayed)`, [
    textArray(found.map(one => one.owner)),
    textArray(found.map(one => one.peer)),
    int8Array(found.map(one => one.seq)),
    int8Array(found.map(one => one.isDisplayed ? one.seq : 0)),
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
