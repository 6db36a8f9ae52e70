/** The versions of one room's affiliations: the number of each account's last change, in memory and in the database. */
import { Jid } from '../../src/extension/api.ts'
import type { AffiliationChange, Affiliation, Database, RoomView } from '../../src/extension/api.ts'
import { forgetVersion, HORIZON, readVersions, removeVersions, saveVersions } from './store.ts'
import type { Row } from './store.ts'

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
    for (const [account, version] of await readVersions(db, room.toString())) {
      versions.#last = version
      if (account === HORIZON) versions.#horizon = version
      else versions.#byJid.set(account, version)
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
    if (horizon !== undefined) await removeVersions(db, room.jid.toString(), forgotten.map(([jid]) => jid))
    const rows = changed.map((jid, n): Row => [jid, before + 1 + n])
    if (horizon !== undefined) rows.unshift([HORIZON, horizon])
    await saveVersions(db, room.jid.toString(), rows)
    return () => { this.#note(rows, forgotten) }
  }

  /** Removes a former account. Earlier versions become unknown, so that clients get all affiliations. */
  async forget (db: Database, room: RoomView, account: Jid): Promise<void> {
    const version = this.last(room) + 1
    await forgetVersion(db, room.jid.toString(), account.toString(), version)
    this.#byJid.delete(account.toString())
    this.#last = this.#horizon = version
  }

  #note (rows: readonly Row[], forgotten: readonly Row[]): void {
    for (const [jid] of forgotten) this.#byJid.delete(jid)
    for (const [jid, version] of rows) {
      if (jid === HORIZON) this.#horizon = version
      else {
        this.#byJid.delete(jid)
        this.#byJid.set(jid, version)
        this.#last = version
      }
    }
  }

  /** The oldest accounts without an affiliation, if there are too many. */
  #tooMany (room: RoomView): readonly Row[] {
    if (this.#byJid.size <= room.affiliations.size + MAX_GONE) return []
    const gone = [...this.#byJid].filter(([jid]) => !room.affiliations.get(Jid.kept(jid)))
    return gone.length > MAX_GONE ? gone.slice(0, gone.length - MAX_GONE / 2) : []
  }
}
