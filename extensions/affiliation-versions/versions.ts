/** When who is what in one room changed: a number for each account, in memory as in the database. */
import { int8Array, Jid, textArray } from '../../src/extension/api.ts'
import type { AffiliationChange, Affiliation, Database, RoomView } from '../../src/extension/api.ts'

/** Of so many who are nothing any more it is known when they ceased to be. */
const MAX_GONE = 1000

/** Somebody's affiliation, and the version since which it is that. */
export interface Versioned { readonly jid: Jid, readonly affiliation: Affiliation, readonly version: number }

export class Versions {
  /** The latest last. */
  readonly #byJid = new Map<string, number>()
  /** What was forgotten is not later than that. */
  #horizon = 0
  #last = 0

  static async load (db: Database, room: Jid): Promise<Versions> {
    const versions = new Versions()
    const rows = await db.query<{ readonly account: string, readonly version: string }>(
      'select account, version from room_affiliation_version where room = $1 order by version', [room.toString()])
    for (const { account, version } of rows) {
      versions.#last = Number(version)
      if (account === '') versions.#horizon = Number(version)
      else versions.#byJid.set(account, Number(version))
    }
    return versions
  }

  /** The version now. A room's first is when it was made: one that is made anew under the same name has none of its versions. */
  last ({ createdAt }: RoomView): number {
    return Math.max(this.#last, createdAt)
  }

  /** The version that came of somebody's last change. */
  of (jid: Jid): number | undefined {
    return this.#byJid.get(jid.toString())
  }

  /** All that has changed since a version, the latest last; nothing where that is not known. */
  since (version: number, room: RoomView): readonly Versioned[] | undefined {
    if (version < Math.max(this.#horizon, room.createdAt) || version > this.last(room)) return
    return [...this.#byJid].filter(([, at]) => at > version).map(([text, at]) => {
      const jid = Jid.kept(text)
      return { jid, version: at, affiliation: room.affiliations.get(jid)?.affiliation ?? 'none' }
    })
  }

  /** All who are something, the latest last. */
  all (room: RoomView): readonly Versioned[] {
    return [...room.affiliations].map(({ jid, affiliation }) => ({
      jid, affiliation, version: this.of(jid) ?? room.createdAt,
    })).sort((a, b) => a.version - b.version)
  }

  /** Writes down the changes, each of which makes a version; what is returned is for when they are kept. */
  async write (db: Database, room: RoomView, changes: readonly AffiliationChange[]): Promise<() => void> {
    const before = this.last(room)
    const changed = changes.map(({ jid }) => jid.toString())
    const forgotten = this.#tooMany(room).filter(([jid]) => !changed.includes(jid))
    const horizon = forgotten.at(-1)?.[1]
    if (horizon !== undefined) {
      await db.query('delete from room_affiliation_version where room = $1 and account = any($2)',
        [room.jid.toString(), forgotten.map(([jid]) => jid)])
    }
    const rows = [...horizon === undefined ? [] : [['', horizon] as const], ...changed.map((jid, n) => [jid, before + 1 + n] as const)]
    await db.query(
      `insert into room_affiliation_version (room, account, version) select $1, * from unnest($2::text[], $3::int8[])
       on conflict (room, account) do update set version = excluded.version`,
      [room.jid.toString(), textArray(rows.map(([jid]) => jid)), int8Array(rows.map(([, version]) => version))])
    return () => { this.#note(rows, forgotten) }
  }

  /** An account is no more, and its name goes: what changed until now is not known any more, so that all is told instead. */
  async forget (db: Database, room: RoomView, account: Jid): Promise<void> {
    const version = this.last(room) + 1
    await db.query(
      `with forgotten as (delete from room_affiliation_version where room = $1 and account = $2)
       insert into room_affiliation_version (room, account, version) values ($1, '', $3)
       on conflict (room, account) do update set version = excluded.version`, [room.jid.toString(), account.toString(), version])
    this.#byJid.delete(account.toString())
    this.#last = this.#horizon = version
  }

  #note (rows: readonly (readonly [string, number])[], forgotten: readonly (readonly [string, number])[]): void {
    for (const [jid] of forgotten) this.#byJid.delete(jid)
    for (const [jid, version] of rows) {
      if (jid === '') this.#horizon = version
      else {
        this.#byJid.delete(jid)
        this.#byJid.set(jid, version)
        this.#last = version
      }
    }
  }

  /** The older half of those who are nothing any more, where there are too many. */
  #tooMany (room: RoomView): readonly (readonly [string, number])[] {
    if (this.#byJid.size <= room.affiliations.size + MAX_GONE) return []
    const gone = [...this.#byJid].filter(([jid]) => !room.affiliations.get(Jid.kept(jid)))
    return gone.length > MAX_GONE ? gone.slice(0, gone.length - MAX_GONE / 2) : []
  }
}
