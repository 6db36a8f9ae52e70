/** The SQL of archiving preferences (XEP-0441). */
import { batchedRead } from '../../src/extension/api.ts'
import type { Database } from '../../src/extension/api.ts'

/** Which conversations are archived, the listed addresses aside. */
type Default = 'always' | 'never' | 'roster'

export interface Preferences {
  readonly byDefault: Default
  readonly always: ReadonlySet<string>
  readonly never: ReadonlySet<string>
}

interface Row {
  readonly owner: string
  readonly by_default: Default
  readonly always: string[]
  readonly never: string[]
}

/** A reader of an account's preferences that batches concurrent look-ups; undefined where none are set. */
export function preferenceReader (db: Database): (owner: string) => Promise<Preferences | undefined> {
  return batchedRead(async (owners: readonly string[]) => {
    const rows = await db.query<Row>('select * from archive_preference where owner = any($1)', [owners])
    return new Map(rows.map(({ owner, by_default: byDefault, always, never }): [string, Preferences] =>
      [owner, { byDefault, always: new Set(always), never: new Set(never) }]))
  })
}

export async function savePreferences (
  db: Database, owner: string, { byDefault, always, never }: Preferences,
): Promise<void> {
  await db.query(
    `insert into archive_preference (owner, by_default, always, never) values ($1, $2, $3, $4)
     on conflict (owner) do update set by_default = $2, always = $3, never = $4`,
    [owner, byDefault, [...always], [...never]])
}
