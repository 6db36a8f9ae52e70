/** The versions of one room's affiliations: the number of each account's last change, in memory and in the database. */
import { int8Array, Jid, textArray } from '../../src/extension/api.ts'
import type { AffiliationChange, Affiliation, Database, RoomView } from '../../src/extension/api.ts'

/** The most accounts without an affiliation whose last change is remembered. */
const MAX_GONE = 1000

/** An affiliation with the version of its last change. */
export interface Versioned { readonly jid: Jid, readonly affiliation: Affiliation, readonly version: number }

export class Versions {
  /** In the order of the versions. */
  readonly #byJid = new Map<string, number>()
  /** The last version whose changes are not completely known any more. */
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

  /**
   * The current version. The first is the room's creation time, so that a later room of its name has other versions.
   */
  last ({ createdAt }: RoomView): number {
    return Math.max(this.#last, createdAt)
  }

  /** The version of an account's last change. */
  of (jid: Jid): number | undefined {
    return this.#byJid.get(jid.toString())
  }

  /** The changes since a version, in order; undefined where they are not completely known. */
  since (version: number, room: RoomView): readonly Versioned[] | undefined {
    if (version < Math.max(this.#horizon, room.createdAt) || version > this.last(room)) return
    return [...this.#byJid].filter(([, at]) => at > version).map(([text, at]) => {
      const jid = Jid.kept(text)
      return { jid, version: at, affiliation: room.affiliations.get(jid)?.affiliation ?? 'none' }
    })
  }

  /** All affiliations, in the order of their versions. */
  all (room: RoomView): readonly Versioned[] {
    return [...room.affiliations].map(({ jid, affiliation }) => ({
      jid, affiliation, version: this.of(jid) ?? room.createdAt,
    })).sort((a, b) => a.version - b.version)
  }

  /** Stores changes, each with a new version; the returned function applies them in memory after the commit. */
  async write (db: Database, room: RoomView, changes: readonly AffiliationChange[]): Promise<() => void> {
    const before = this.last(room)
    const changed = changes.map(({ jid }) => jid.toString())
    const forgotten = this.#tooMany(room).filter(([jid]) => !changed.includes(jid))
    const horizon = forgotten.at(-1)?.[1]
    if (horizon !== undefined) {
      await db.query('delete from room_affiliation_version where room = $1 and account = any($2)',
        [room.jid.toString(), forgotten.map(([jid]) => jid)])
    }
    const rows = [
      ...horizon === undefined ? [] : [['', horizon] as const],
      ...changed.map((jid, n) => [jid, before + 1 + n] as const),
    ]
    await db.query(
      `insert into room_affiliation_version (room, account, version) select $1, * from unnest($2::text[], $3::int8[])
       on conflict (room, account) do update set version = excluded.version`,
      [room.jid.toString(), textArray(rows.map(([jid]) => jid)), int8Array(rows.map(([, version]) => version))])
    return () => { this.#note(rows, forgotten) }
  }

  /** Removes a former account. Earlier versions become unknown, so that clients get all affiliations. */
  async forget (db: Database, room: RoomView, account: Jid): Promise<void> {
    const version = this.last(room) + 1
    await db.query(
      `with forgotten as (delete from room_affiliation_version where room = $1 and account = $2)
       insert into room_affiliation_version (room, account, version) values ($1, '', $3)
       on conflict (room, account) do update set version = excluded.version`,
      [room.jid.toString(), account.toString(), version],
    )
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

  /** The oldest accounts without an affiliation, if there are too many. */
  #tooMany (room: RoomView): readonly (readonly [string, number])[] {
    if (this.#byJid.size <= room.affiliations.size + MAX_GONE) return []
    const gone = [...this.#byJid].filter(([jid]) => !room.affiliations.get(Jid.kept(jid)))
    return gone.length > MAX_GONE ? gone.slice(0, gone.length - MAX_GONE / 2) : []
  }
}
