/** XEP-0431: Full Text Search in MAM, by a database index that exists only where a host is configured for it. */
import type { Database, ExtensionHost } from '../../src/extension/api.ts'

const NS_FULL_TEXT = 'urn:xmpp:fulltext:0'
const INDEX = 'archive_message_words'

/** Whether a host's messages can be searched: on these hosts, once the index exists. */
export function offerSearch (host: ExtensionHost, hosts: readonly string[]): (host: string) => boolean {
  let mayBe = false
  provideIndex(host.db, hosts.length > 0).then(() => {
    mayBe = true
    host.disco.accountFeature(NS_FULL_TEXT, hosts)
  }, error => {
    host.log.error({ event: 'archive.search_index_failed', err: error }, 'archive: search index not created or dropped')
  })
  return name => mayBe && hosts.includes(name)
}

/** Creates the index, which takes long for a large archive but blocks nobody, or drops it. */
export async function provideIndex (db: Database, isWanted: boolean): Promise<void> {
  const [index] = await db.query<{ readonly isValid: boolean }>(
    'select indisvalid as "isValid" from pg_index where indexrelid = to_regclass($1)', [INDEX])
  if (isWanted ? index?.isValid : !index) return
  // An invalid index was being created when the server stopped.
  if (index) await db.query(`drop index concurrently if exists ${INDEX}`)
  if (isWanted) {
    await db.query(
      `create index concurrently if not exists ${INDEX} on archive_message using gin (archive_words(owner, stanza))`,
    )
  }
}
