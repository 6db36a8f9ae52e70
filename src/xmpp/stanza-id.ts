/** XEP-0359: Unique and Stable Stanza IDs: adds an archive's id to a stanza, and removes forged ones. */
import type { Child } from '../xml/framer.ts'
import type { ArchiveIds, ArchiveKeys } from './archive-ids.ts'
import { Jid } from './jid.ts'
import type { Message } from './stanza.ts'

export const NS_STANZA_ID = 'urn:xmpp:sid:0'

/** A stanza id with its claimed archive, and a cache of the room's number that it stands for. */
interface Stamp {
  readonly child: Child
  readonly by: Jid | undefined
  readonly id: string
  number?: number | undefined
}

interface Stamps { readonly first: readonly Stamp[], readonly hasMore: boolean }

/** The most ids of one message that are checked; further ones count as forged. */
const MAX_STAMPS = 20

/** The owner of an archive: an account or a room. */
export interface Keeper { readonly jid: Jid, readonly archiveIds: ArchiveIds }

/** The shortest id that is taken for unique, in characters. */
const MIN_UNIQUE = 16

/** A cache of the ids in a content, which all recipients share. */
const stamps = new WeakMap<readonly Child[], Stamps>()

/**
 * The message with the id of its number in the keeper's archive, and without other ids that claim to be of it (§3.1).
 */
export function stamp (message: Message, { jid, archiveIds }: Keeper, number: string): Message {
  const id = archiveIds.encode(Number(number))
  const xml = `<stanza-id xmlns='${NS_STANZA_ID}' by='${jid.attribute}' id='${id}'/>`
  return withoutForgedIds(message, jid).archivedAs(number, 'stanza-id', NS_STANZA_ID, xml)
}

/** The message without ids that claim to be from `by` (§3.1, rule 7). */
export function withoutForgedIds (message: Message, by: Jid): Message {
  if (!message.has('stanza-id', NS_STANZA_ID)) return message
  const { first, hasMore } = stampsOf(message)
  if (!hasMore && !first.some(stamped => stamped.by?.equals(by))) return message
  const genuine = new Set(first.filter(stamped => !stamped.by?.equals(by)).map(({ child }) => child))
  return message.withoutPayload(child => isStanzaId(child) && !genuine.has(child))
}

/** The number in the room's archive by its id in the message; undefined without one. Found once for all recipients. */
export function numberBy (message: Message, room: Jid, keys: ArchiveKeys): number | undefined {
  if (!message.has('stanza-id', NS_STANZA_ID)) return
  const stamped = stampsOf(message).first.find(({ by }) => by?.equals(room))
  return stamped && (stamped.number ??= keys.ofRoom(room.toString()).decode(stamped.id))
}

function stampsOf (message: Message): Stamps {
  const known = stamps.get(message.children)
  if (known) return known
  const all = message.children.filter(isStanzaId)
  const first = all.slice(0, MAX_STAMPS).map(child => {
    const { by = '', id = '' } = message.attributesOfChild(child)
    return { child, by: Jid.tryParse(by), id }
  })
  const found = { first, hasMore: all.length > first.length }
  stamps.set(message.children, found)
  return found
}

function isStanzaId ({ name, ns }: Child): boolean {
  return name === 'stanza-id' && ns === NS_STANZA_ID
}

/** The id that the client has given the message (§3.2). */
export function originId (message: Message): string | undefined {
  if (!message.has('origin-id', NS_STANZA_ID)) return
  return message.attributesOf('origin-id', NS_STANZA_ID)?.['id']
}

/**
 * Whether the message's `id` tells it from all others of its sender. RFC 6120 §8.1.3 has it unique on a stream only: a
 * client that counts begins anew with each login, and says `ok` under the same id again.
 */
export function hasUniqueId ({ id }: Message): boolean {
  return id !== undefined && id.length >= MIN_UNIQUE
}
