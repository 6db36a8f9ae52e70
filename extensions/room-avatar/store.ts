/** The SQL of rooms' vCards. */
import type { Database, Jid } from '../../src/extension/api.ts'

/** The hashes of the room's pictures. */
export async function loadHashes (db: Database, room: Jid): Promise<readonly string[]> {
  const [row] = await db.query<{ readonly hashes: readonly string[] }>(
    'select hashes from room_avatar where room = $1',
    [room.toString()],
  )
  return row?.hashes ?? []
}

/** The vCard as XML, if the room has one. */
export async function readVcard (db: Database, room: Jid): Promise<string | undefined> {
  const [row] = await db.query<{ readonly vcard: string }>('select vcard from room_avatar where room = $1', [
    room.toString(),
  ])
  return row?.vcard
}

export async function saveVcard (db: Database, room: Jid, vcard: string, hashes: readonly string[]): Promise<void> {
  await db.query(
    `insert into room_avatar (room, vcard, hashes) values ($1, $2, $3)
      on conflict (room) do update set vcard = $2, hashes = $3`,
    [room.toString(), vcard, hashes])
}

export async function removeVcard (db: Database, room: Jid): Promise<void> {
  await db.query('delete from room_avatar where room = $1', [room.toString()])
}
