/** Ids of archives (XEP-0313) as the numbers that they stand for, which tests can read: 1 for the first message. */
import { accountStore } from '../../../src/accounts/store.ts'
import type { Database } from '../../../src/storage/database.ts'
import { serverSecret } from '../../../src/storage/server-secret.ts'
import { ArchiveKeys } from '../../../src/xmpp/archive-ids.ts'
import type { ArchiveIds } from '../../../src/xmpp/archive-ids.ts'
import { Jid } from '../../../src/xmpp/jid.ts'

interface Owner { readonly archiveIds: ArchiveIds }

/** What an archive's owner, or a room, is sent, with numbers in place of the archive's ids. */
export function numbered (xml: string, { archiveIds }: Owner): string {
  return xml.replace(/(?<=['>])[a-p][a-z2-7]{12}(?=['<])/g, id => String(archiveIds.decode(id) ?? id))
}

/** The ids of an account's archive, as each node of that database makes them. */
export async function archiveIdsOf (db: Database, account: string): Promise<ArchiveIds> {
  const keys = new ArchiveKeys(() => serverSecret(db, 'archive-ids'))
  await keys.load()
  const life = await accountStore(db).lifeOf(Jid.parse(account))
  if (!life) throw new Error(`there is no ${account}`)
  return keys.ofAccount(account, life)
}

/** A query with the archive's ids in place of numbers. */
export function withIds (query: string, { archiveIds }: Owner): string {
  const encode = (number: string): string => archiveIds.encode(Number(number))
  return query
    .replace(/(?<=<(?:after|before)>)\d+(?=<)/g, encode)
    .replace(
      /<field var='(?:after-id|before-id|ids)'>.*?<\/field>/g,
      field => field.replace(/(?<=<value>)\d+(?=<)/g, encode),
    )
}
