/** Ids of archives (XEP-0313) as the numbers that they stand for, which tests can read: 1 for the first message. */
import type { ArchiveIds } from '../xmpp/archive-ids.ts'

interface Owner { readonly archiveIds: ArchiveIds }

/** What an archive's owner, or a room, is sent, with numbers in place of the archive's ids. */
export function numbered (xml: string, { archiveIds }: Owner): string {
  return xml.replace(/(?<=['>])[a-p][a-z2-7]{12}(?=['<])/g, id => String(archiveIds.decode(id) ?? id))
}

/** A query with the archive's ids in place of numbers. */
export function withIds (query: string, { archiveIds }: Owner): string {
  const encode = (number: string): string => archiveIds.encode(Number(number))
  return query
    .replace(/(?<=<(?:after|before)>)\d+(?=<)/g, encode)
    .replace(/<field var='(?:after-id|before-id|ids)'>.*?<\/field>/g, field => field.replace(/(?<=<value>)\d+(?=<)/g, encode))
}
