/** The SQL of members: the rooms whose messages they want, and who has turned them off. */
import type { Database, Jid } from '../../src/extension/api.ts'

export async function loadUnwilling (db: Database, room: Jid): Promise<Set<string>> {
  const rows = await db.query<{ readonly account: string }>(
    'select account from room_away_off where room = $1', [room.toString()])
  return new Set(rows.map(({ account }) => account))
}

export async function saveChoice (db: Database, room: Jid, account: string, isWanted: boolean): Promise<void> {
  await db.query(isWanted
    ? 'delete from room_away_off where room = $1 and account = $2'
    : 'insert into room_away_off (room, account) values ($1, $2) on conflict do nothing', [room.toString(), account])
}

/** The rooms of which each account is a member, as others have agreed to, and whose messages it wants. */
export async function readRooms (
  db: Database, accounts: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await db.query<{ readonly jid: string, readonly room: string }>(`
    select member.jid, member.room from room_affiliation as member
    where member.jid = any($1) and member.affiliation <> 'outcast' and not member.is_unasked and not member.is_own
      and not exists (
        select from room_away_off as off where off.room = member.room and off.account = member.jid
      )`, [accounts])
  const rooms = new Map<string, string[]>()
  for (const { jid, room } of rows) {
    const list = rooms.get(jid)
    if (list) list.push(room)
    else rooms.set(jid, [room])
  }
  return rooms
}
