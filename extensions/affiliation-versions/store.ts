/** The SQL of affiliation versions: the last change of each account in a room, with the horizon at the account ''. */
import { int8Array, textArray } from '../../src/extension/api.ts'
import type { Database } from '../../src/extension/api.ts'

/** In the place of an account: the last version whose changes are not completely known any more. */
export const HORIZON = ''

/** An account, or the horizon, and its version. */
export type Row = readonly [account: string, version: number]

/** A room's versions, in order. */
export async function readVersions (db: Database, room: string): Promise<readonly Row[]> {
  const rows = await db.query<{ readonly account: string, readonly version: string }>(
    'select account, version from room_affiliation_version where room = $1 order by version', [room])
  return rows.map(({ account, version }) => [account, Number(version)])
}

export async function saveVersions (db: Database, room: string, rows: readonly Row[]): Promise<void> {
  await db.query(
    `insert into room_affiliation_version (room, account, version) select $1, * from unnest($2::text[], $3::int8[])
     on conflict (room, account) do update set version = excluded.version`,
    [room, textArray(rows.map(([account]) => account)), int8Array(rows.map(([, version]) => version))])
}

export async function removeVersions (db: Database, room: string, accounts: readonly string[]): Promise<void> {
  await db.query('delete from room_affiliation_version where room = $1 and account = any($2)', [room, accounts])
}

/** Removes a former account's version, and sets the horizon. */
export async function forgetVersion (db: Database, room: string, account: string, horizon: number): Promise<void> {
  await db.query(
    `with forgotten as (delete from room_affiliation_version where room = $1 and account = $2)
     insert into room_affiliation_version (room, account, version) values ($1, '${HORIZON}', $3)
     on conflict (room, account) do update set version = excluded.version`,
    [room, account, horizon])
}
