/** Rooms in the database: a row for each, and one for each affiliation. */
import type { Database } from '../storage/database.ts'
import { Jid } from '../xmpp/jid.ts'
import { storedStanza } from '../xmpp/read-stanza.ts'
import type { Message } from '../xmpp/stanza.ts'
import type { Affiliation } from './affiliation.ts'
import { Affiliations } from './affiliations.ts'
import type { Affiliate } from './affiliations.ts'
import { persistent } from './options/persistent.ts'
import { publicRoom } from './options/public-room.ts'
import { roomName } from './options/room-name.ts'
import { valueIn } from './room-options.ts'
import type { Config, RoomOptions } from './room-options.ts'
import type { Room, SavedRoom, Subject } from './room.ts'

interface RoomRow {
  readonly created_at: Date
  readonly config: Readonly<Record<string, readonly string[]>>
  readonly subject: Buffer | null
  readonly subject_at: Date | null
}

interface AffiliationRow {
  readonly jid: string
  readonly affiliation: Exclude<Affiliation, 'none'>
  readonly nick: string | null
  readonly reason: string | null
}

/** A room in the list of a service's rooms. */
export interface ListedRoom { readonly jid: string, readonly name: string }

/** Somebody's affiliation from now on; nothing takes it away. */
export interface AffiliationRowChange { readonly jid: Jid, readonly affiliate: Affiliate | undefined }

/** What is written in the same transaction. */
export type Besides = (db: Database) => Promise<void>

export interface RoomStore {
  load (room: Jid): Promise<SavedRoom | undefined>
  /** A new room with its affiliations, or what an old one is set to from now on; and those of them that change. */
  store (room: Room, config: Config, changes: readonly AffiliationRowChange[], besides: Besides): Promise<void>
  storeAffiliations (room: Jid, changes: readonly AffiliationRowChange[], besides: Besides): Promise<void>
  storeSubject (room: Jid, subject: Subject): Promise<void>
  remove (room: Jid): Promise<void>
  /** At most so many public rooms, in the order of their addresses, after one of them. */
  listPublic (service: string, after: string, most: number): Promise<readonly ListedRoom[]>
  countOwnedBy (owner: Jid): Promise<number>
  /** Forgets the rooms that had ended if their server had not ended first. */
  removeTemporary (service: string): Promise<void>
  /** The rooms that end with their last occupant, also those with somebody in. */
  listTemporary (service: string): Promise<readonly Jid[]>
}

export function roomStore (db: Database, options: RoomOptions): RoomStore {
  return {
    load: room => load(db, options, room),
    store: (room, config, changes, besides) => db.transaction(async transaction => {
      await storeRoom(transaction, options, room, config)
      await storeChanges(transaction, room.jid, changes)
      await besides(transaction)
    }),
    storeAffiliations: (room, changes, besides) => db.transaction(async transaction => {
      await storeChanges(transaction, room, changes)
      await besides(transaction)
    }),
    async storeSubject (room, { message, at }) {
      await db.query('update room set subject = $2, subject_at = $3 where jid = $1',
        [room.toString(), message.toBytes(), new Date(at)])
    },
    async remove (room) {
      await db.query('delete from room where jid = $1', [room.toString()])
    },
    listPublic: (service, after, most) => db.query<ListedRoom>(
      'select jid, name from room where is_public and service = $1 and jid > $2 order by jid limit $3', [service, after, most]),
    async countOwnedBy (owner) {
      const [row] = await db.query<{ readonly count: number }>(
        "select count(*)::int as count from room_affiliation where affiliation = 'owner' and jid = $1", [owner.toString()])
      return row?.count ?? 0
    },
    async removeTemporary (service) {
      await db.query('delete from room where not is_persistent and service = $1', [service])
    },
    async listTemporary (service) {
      const rows = await db.query<{ readonly jid: string }>('select jid from room where not is_persistent and service = $1', [service])
      return rows.map(({ jid }) => Jid.parse(jid))
    },
  }
}

async function load (db: Database, options: RoomOptions, room: Jid): Promise<SavedRoom | undefined> {
  const [rows, affiliations] = await Promise.all([
    db.query<RoomRow>('select created_at, config, subject, subject_at from room where jid = $1', [room.toString()]),
    db.query<AffiliationRow>('select jid, affiliation, nick, reason from room_affiliation where room = $1', [room.toString()]),
  ])
  const [row] = rows
  return row && {
    config: options.restore(new Map(Object.entries(row.config))),
    subject: subjectOf(row),
    affiliations: new Affiliations(affiliations.map(affiliateOf)),
    createdAt: row.created_at.getTime(),
  }
}

async function storeRoom (db: Database, options: RoomOptions, { jid, createdAt }: Room, config: Config): Promise<void> {
  const fields = Object.fromEntries(options.fields(config).map(({ name, values }) => [name, values]))
  await db.query(
    `insert into room (jid, service, name, is_public, is_persistent, config, created_at) values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (jid) do update set name = $3, is_public = $4, is_persistent = $5, config = $6`,
    [jid.toString(), jid.domain, valueIn(config, roomName), valueIn(config, publicRoom),
      valueIn(config, persistent), JSON.stringify(fields), new Date(createdAt)])
}

async function storeChanges (db: Database, room: Jid, changes: readonly AffiliationRowChange[]): Promise<void> {
  if (changes.length === 0) return
  // First all that go or change, so that a nick can pass from one to another.
  await db.query('delete from room_affiliation where room = $1 and jid = any($2)',
    [room.toString(), changes.map(({ jid }) => jid.toString())])
  const kept = changes.flatMap(({ affiliate }) => affiliate ?? [])
  await db.query(
    `insert into room_affiliation (room, jid, affiliation, nick, reason)
     select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::text[])`,
    [room.toString(), kept.map(({ jid }) => jid.toString()), kept.map(({ affiliation }) => affiliation),
      kept.map(({ nick }) => nick ?? null), kept.map(({ reason }) => reason ?? null)])
}

function affiliateOf ({ jid, affiliation, nick, reason }: AffiliationRow): Affiliate {
  return { jid: Jid.parse(jid), affiliation, nick: nick ?? undefined, reason: reason ?? undefined }
}

function subjectOf ({ subject, subject_at: at }: RoomRow): Subject | undefined {
  if (!subject || !at) return
  return { message: storedStanza(subject) as Message, at: at.getTime() } // as `storeSubject` kept it
}
