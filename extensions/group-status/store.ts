/** The SQL of what members have got and seen. */
import { int8Array, textArray } from '../../src/extension/api.ts'
import type { Database, MessageArchive } from '../../src/extension/api.ts'
import type { Position } from './positions.ts'

/** Moves positions forwards, in rooms that there are. */
export async function savePositions (db: Database, positions: readonly Position[]): Promise<void> {
  await db.query(`
    insert into room_position (room, account, delivered, displayed)
    select moved.*
    from unnest($1::text[], $2::text[], $3::int8[], $4::int8[]) as moved (room, account, delivered, displayed)
    join room on room.jid = moved.room
    on conflict (room, account) do update set
      delivered = greatest(room_position.delivered, excluded.delivered),
      displayed = greatest(room_position.displayed, excluded.displayed)`, [
    textArray(positions.map(one => one.room)),
    textArray(positions.map(one => one.account)),
    int8Array(positions.map(one => one.delivered)),
    int8Array(positions.map(one => one.displayed)),
  ])
}

/** Also what was being saved while the account was removed. */
export async function removePosition (db: Database, room: string, account: string): Promise<void> {
  await db.query('delete from room_position where room = $1 and account = $2', [room, account])
}

/** Of the members that a message was for, how many have it, and how many have seen it. */
export interface Count { readonly members: number, readonly delivered: number, readonly displayed: number }

/** Undefined where the room's archive has no such message. */
export async function countAt (
  db: Database, archive: MessageArchive, room: string, seq: number,
): Promise<Count | undefined> {
  const [message] = await archive.read(db, room, [seq])
  if (!message) return
  const [count] = await db.query<Count>(`
    select count(*) as members,
      count(*) filter (where delivered >= $2) as delivered,
      count(*) filter (where displayed >= $2) as displayed
    from room_affiliation as member
    left join room_position as position on position.room = member.room and position.account = member.jid
    where member.room = $1 and member.affiliation <> 'outcast' and member.jid <> $3`, [room, seq, message.peer])
  return count
}
