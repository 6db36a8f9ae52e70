/** Rooms in the database: a row for each, and one for each affiliation. */
import type { Affiliation } from '../xmpp/muc.ts'
import type { Database } from '../storage/database.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { Jid } from '../xmpp/jid.ts'
import { storedStanza } from '../xmpp/read-stanza.ts'
import type { Message } from '../xmpp/stanza.ts'
import { Affiliations } from './room/affiliations.ts'
import type { Affiliate } from './room/affiliations.ts'
import { persistent } from './room/options/persistent.ts'
import { publicRoom } from './room/options/public-room.ts'
import { roomName } from './room/options/room-name.ts'
import { valueIn } from './room/room-options.ts'
import type { Config, RoomOptions } from './room/room-options.ts'
import type { Room, SavedRoom, Subject } from './room/room.ts'

interface RoomRow {
  readonly created_at: Date
  readonly config: Readonly<Record<string, readonly string[]>>
  readonly subject: Buffer | null
  readonly subject_at: Date | null
  readonly creator: string | null
}

interface AffiliationRow {
  readonly jid: string
  readonly affiliation: Exclude<Affiliation, 'none'>
  readonly nick: string | null
  readonly reason: string | null
  readonly is_own: boolean
  readonly is_unasked: boolean
}

/** A room in the list of a service's rooms. */
export interface ListedRoom { readonly jid: string, readonly name: string }

/** A new affiliation; undefined deletes the entry. */
export interface AffiliationRowChange { readonly jid: Jid, readonly affiliate: Affiliate | undefined }

/** Statements of the same transaction. */
export type Besides = (db: Database) => Promise<void>

export interface RoomStore {
  load (room: Jid): Promise<SavedRoom | undefined>
  /**
   * Inserts a room with its affiliations, or updates its configuration and changed affiliations. Throws StanzaError
   * not-allowed where its creator has more than `most` rooms then; 0: no limit.
   */
  store (
    room: Room,
    config: Config,
    changes: readonly AffiliationRowChange[],
    besides: Besides,
    most: number,
  ): Promise<void>
  storeAffiliations (room: Jid, changes: readonly AffiliationRowChange[], besides: Besides): Promise<void>
  storeAcceptance (room: Jid, account: Jid): Promise<void>
  storeSubject (room: Jid, subject: Subject): Promise<void>
  remove (room: Jid): Promise<void>
  /** At most so many public rooms, in the order of their addresses, after one of them. */
  listPublic (service: string, after: string, most: number): Promise<readonly ListedRoom[]>
  /**
   * The heir of a room without `former`: who was an admin longest, or else a member that others appointed, of these
   * hosts, and who has accepted.
   */
  findHeir (room: Jid, former: Jid, hosts: readonly string[]): Promise<Jid | undefined>
  countMadeBy (creator: Jid): Promise<number>
  /** All rooms, of whichever service. */
  count (): Promise<number>
  /** Deletes temporary rooms that a stopped server left. */
  removeTemporary (service: string): Promise<void>
  /** The rooms that end with their last occupant, also those with somebody in. */
  listTemporary (service: string): Promise<readonly Jid[]>
}

export function roomStore (db: Database, options: RoomOptions): RoomStore {
  return {
    load: room => load(db, options, room),
    store: (room, config, changes, besides, most) => db.transaction(async transaction => {
      await storeRoom(transaction, options, room, config)
      if (most > 0) await checkCount(transaction, room, most)
      await storeChanges(transaction, room.jid, changes)
      await besides(transaction)
    }),
    storeAffiliations: (room, changes, besides) => db.transaction(async transaction => {
      await storeChanges(transaction, room, changes)
      await besides(transaction)
    }),
    storeAcceptance: (room, account) => storeAcceptance(db, room, account),
    async storeSubject (room, { message, at }) {
      await db.query('update room set subject = $2, subject_at = $3 where jid = $1',
        [room.toString(), message.toBytes(), new Date(at)])
    },
    async remove (room) {
      await db.query('delete from room where jid = $1', [room.toString()])
    },
    listPublic: (service, after, most) => db.query<ListedRoom>(
      'select jid, name from room where is_public and service = $1 and jid > $2 order by jid limit $3',
      [service, after, most]),
    findHeir: (room, former, hosts) => findHeir(db, room, former, hosts),
    countMadeBy: creator => countMadeBy(db, creator.toString()),
    async count () {
      const [row] = await db.query<{ readonly count: number }>('select count(*)::int as count from room')
      return row?.count ?? 0
    },
    async removeTemporary (service) {
      await db.query('delete from room where not is_persistent and service = $1', [service])
    },
    async listTemporary (service) {
      const rows = await db.query<Pick<ListedRoom, 'jid'>>(
        'select jid from room where not is_persistent and service = $1', [service])
      return rows.map(({ jid }) => Jid.kept(jid))
    },
  }
}

async function load (db: Database, options: RoomOptions, room: Jid): Promise<SavedRoom | undefined> {
  const [rows, affiliations] = await Promise.all([
    db.query<RoomRow>(
      'select created_at, config, subject, subject_at, creator from room where jid = $1', [room.toString()]),
    db.query<AffiliationRow>(
      'select jid, affiliation, nick, reason, is_own, is_unasked from room_affiliation where room = $1',
      [room.toString()],
    ),
  ])
  const [row] = rows
  return row && {
    config: options.restore(new Map(Object.entries(row.config))),
    subject: subjectOf(row),
    affiliations: new Affiliations(affiliations.map(affiliateOf)),
    createdAt: row.created_at.getTime(),
    creator: row.creator ?? undefined,
  }
}

async function storeRoom (
  db: Database,
  options: RoomOptions,
  { jid, createdAt, creator }: Room,
  config: Config,
): Promise<void> {
  const fields = Object.fromEntries(options.fields(config).map(({ name, values }) => [name, values]))
  await db.query(
    `insert into room (jid, service, name, is_public, is_persistent, config, created_at, creator)
      values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (jid) do update set name = $3, is_public = $4, is_persistent = $5, config = $6`,
    [jid.toString(), jid.domain, valueIn(config, roomName), valueIn(config, publicRoom),
      valueIn(config, persistent), JSON.stringify(fields), new Date(createdAt), creator ?? null])
}

async function countMadeBy (db: Database, creator: string): Promise<number> {
  const [row] = await db.query<{ readonly count: number }>(
    'select count(*)::int as count from room where creator = $1',
    [creator],
  )
  return row?.count ?? 0
}

/** One room of a creator at a time, over all nodes. */
async function checkCount (db: Database, { creator }: Room, most: number): Promise<void> {
  if (creator === undefined) return
  await db.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [creator])
  if (await countMadeBy(db, creator) > most) throw new StanzaError('not-allowed', 'too many rooms')
}

/** This answers a pending invitation. */
async function storeAcceptance (db: Database, room: Jid, account: Jid): Promise<void> {
  await db.query(
    `with answered as (delete from room_invitation where room = $1 and invitee = $2)
     update room_affiliation set is_unasked = false where room = $1 and jid = $2`,
    [room.toString(), account.toString()],
  )
}

async function findHeir (db: Database, room: Jid, former: Jid, hosts: readonly string[]): Promise<Jid | undefined> {
  const [row] = await db.query<{ readonly jid: string }>(
    `select jid from room_affiliation where room = $1 and jid <> $2 and split_part(jid, '@', 2) = any($3)
       and affiliation in ('admin', 'member') and not is_own and not is_unasked
     order by affiliation <> 'admin', since, jid limit 1`, [room.toString(), former.toString(), hosts])
  return row && Jid.parse(row.jid)
}

async function storeChanges (db: Database, room: Jid, changes: readonly AffiliationRowChange[]): Promise<void> {
  if (changes.length === 0) return
  const kept = changes.flatMap(({ affiliate }) => affiliate ?? [])
  const gone = changes.filter(({ affiliate }) => !affiliate)
  const addresses = (list: readonly { readonly jid: Jid }[]): readonly string[] => list.map(({ jid }) => jid.toString())
  if (gone.length > 0)
    await db.query('delete from room_affiliation where room = $1 and jid = any($2)', [room.toString(), addresses(gone)])
  // So that a nick can pass from one user to another.
  await db.query(
    'update room_affiliation set nick = null where room = $1 and jid = any($2) and nick is not null',
    [room.toString(), addresses(kept)])
  await db.query(
    `insert into room_affiliation as before (room, jid, affiliation, nick, reason, is_own, is_unasked)
     select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bool[], $7::bool[])
     on conflict (room, jid) do update set
       affiliation = excluded.affiliation, nick = excluded.nick, reason = excluded.reason, is_own = excluded.is_own,
       is_unasked = excluded.is_unasked,
       since = case when before.affiliation = excluded.affiliation then before.since else excluded.since end`,
    [room.toString(), addresses(kept), kept.map(({ affiliation }) => affiliation), kept.map(({ nick }) => nick ?? null),
      kept.map(({ reason }) => reason ?? null),
      kept.map(({ isOwn }) => isOwn === true),
      kept.map(({ isUnasked }) => isUnasked === true),
    ],
  )
}

function affiliateOf (
  { jid, affiliation, nick, reason, is_own: isOwn, is_unasked: isUnasked }: AffiliationRow,
): Affiliate {
  return {
    jid: Jid.kept(jid), affiliation, nick: nick ?? undefined, reason: reason ?? undefined,
    isOwn: isOwn || undefined, isUnasked: isUnasked || undefined,
  }
}

function subjectOf ({ subject, subject_at: at }: RoomRow): Subject | undefined {
  if (!subject || !at) return
  return { message: storedStanza(subject) as Message, at: at.getTime() } // as `storeSubject` kept it
}
