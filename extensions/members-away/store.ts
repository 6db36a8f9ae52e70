/** The SQL of members: who wants messages of which rooms, and who has turned them off. */
import { Jid } from '../../src/extension/api.ts'
import type { Database } from '../../src/extension/api.ts'

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

/** Others have agreed to the membership, and so has the member, who has not turned messages off. */
const IS_WILLING = `
  member.affiliation <> 'outcast' and not member.is_unasked and not member.is_own
  and not exists (select from room_away_off as off where off.room = member.room and off.account = member.jid)`

/** The rooms of which each account is a member, as others have agreed to, and whose messages it wants. */
export async function readRooms (
  db: Database, accounts: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await db.query<{ readonly jid: string, readonly room: string }>(`
    select member.jid, member.room from room_affiliation as member
    where member.jid = any($1) and ${IS_WILLING}`, [accounts])
  const rooms = new Map<string, string[]>()
  for (const { jid, room } of rows) {
    const list = rooms.get(jid)
    if (list) list.push(room)
    else rooms.set(jid, [room])
  }
  return rooms
}

/** The members of a room who want its messages and have their accounts on other servers than these. */
export async function readRemoteMembers (db: Database, room: Jid, hosts: readonly string[]): Promise<readonly Jid[]> {
  const rows = await db.query<{ readonly jid: string }>(`
    select member.jid from room_affiliation as member
    where member.room = $1 and position('@' in member.jid) > 0 and split_part(member.jid, '@', 2) <> all($2)
      and ${IS_WILLING}`, [room.toString(), hosts])
  return rows.map(({ jid }) => Jid.kept(jid))
}

/** The rooms of other servers that each account has entered, the first one first. */
export async function readRoomsElsewhere (
  db: Database, owners: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await db.query<{ readonly owner: string, readonly rooms: readonly string[] }>(`
    select owner, array_agg(room order by entered_at) as rooms from room_elsewhere where owner = any($1)
    group by owner`,
  [owners])
  return new Map(rows.map(({ owner, rooms }) => [owner, rooms]))
}

export async function saveRoomElsewhere (db: Database, owner: Jid, room: string): Promise<void> {
  await db.query('insert into room_elsewhere (owner, room) values ($1, $2) on conflict do nothing',
    [owner.toString(), room])
}

export async function forgetRoomElsewhere (db: Database, owner: Jid, room: string): Promise<void> {
  await db.query('delete from room_elsewhere where owner = $1 and room = $2', [owner.toString(), room])
}
