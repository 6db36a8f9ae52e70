/** XEP-0431: Full Text Search in MAM, on an index of the database's own that is there only where some host wants it. */
import type { Database } from '../../src/extension/api.ts'

const INDEX = 'archive_message_words'

/** Makes the index, which takes long for a large archive but holds nobody up, or drops it. */
export async function provideIndex (db: Database, isWanted: boolean): Promise<void> {
  const [index] = await db.query<{ readonly isValid: boolean }>(
    'select indisvalid as "isValid" from pg_index where indexrelid = to_regclass($1)', [INDEX])
  if (isWanted ? index?.isValid : !index) return
  // One that is not valid was being made when the server ended.
  if (index) await db.query(`drop index concurrently if exists ${INDEX}`)
  if (isWanted) {
    await db.query(`create index concurrently if not exists ${INDEX} on archive_message using gin (archive_words(owner, stanza))`)
  }
}
