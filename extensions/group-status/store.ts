/** The SQL of what members have got and seen. */
import { int8Array, textArray } from '../../src/extension/api.ts'
import type { Database } from '../../src/extension/api.ts'
import type { Position } from './positions.ts'

/** Moves positions forwards; what is no message of the room moves none. */
export async function savePositions (db: Database, positions: readonly Position[]): Promise<void> {
  await db.query(`
    insert into room_position (room, account, delivered, displayed)
    select moved.*
    from unnest($1::text[], $2::text[], $3::int8[], $4::int8[]) as moved (room, account, delivered, displayed)
    join room on room.jid = moved.room
    where exists (select from archive_message where owner = moved.room and seq = moved.delivered)
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

/** Nothing where the room has no such message. */
export async function countAt (db: Database, room: string, seq: number): Promise<Count | undefined> {
  const [count] = await db.query<Count>(`
    select count(member.jid) as members,
      count(*) filter (where delivered >= message.seq) as delivered,
      count(*) filter (where displayed >= message.seq) as displayed
    from archive_message as message
    left join room_affiliation as member
      on member.room = message.owner and member.affiliation <> 'outcast' and member.jid <> message.peer
    left join room_position as position on position.room = member.room and position.account = member.jid
    where message.owner = $1 and message.seq = $2 group by message.seq`, [room, seq])
  return count
}
