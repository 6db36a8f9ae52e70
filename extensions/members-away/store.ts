/** The SQL of members who have turned messages off. */
import type { Database, Jid } from '../../src/extension/api.ts'

export async function loadUnwilling (db: Database, room: Jid): Promise<Set<string>> {
  const rows = await db.query<{ readonly account: string }>('select account from room_away_off where room = $1', [
    room.toString(),
  ])
  return new Set(rows.map(({ account }) => account))
}

export async function saveChoice (db: Database, room: Jid, account: string, isWanted: boolean): Promise<void> {
  await db.query(isWanted
    ? 'delete from room_away_off where room = $1 and account = $2'
    : 'insert into room_away_off (room, account) values ($1, $2) on conflict do nothing', [room.toString(), account])
}
