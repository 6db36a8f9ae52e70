/** The SQL of tombstones: finds what is retracted in one archive, and puts something else in its place. */
import { el, escapeAttribute, int8Array, message as makeMessage, randomId, storedStanza } from '../../src/extension/api.ts'
import type { Database, Jid, Message } from '../../src/extension/api.ts'

const NS = 'urn:xmpp:message-retract:1'
const NS_CORRECTION = 'urn:xmpp:message-correct:0'
const NS_ROOM_USER = 'http://jabber.org/protocol/muc#user'

/** How far back in a conversation a message can be retracted. */
const MAX_BACK = 5000

/** A retraction that an archive keeps. */
export interface Retraction {
  readonly owner: string
  readonly peer: string
  readonly isSent: boolean
  /** Its place in the archive. */
  readonly seq: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly message: Message
  /** Of the message that is retracted. */
  readonly id: string
}

interface Row { readonly seq: number, readonly stanza: string }

interface Found { readonly seq: number, readonly message: Message }

/** Puts a tombstone in the place of what is retracted, and of its corrections. */
export async function entomb (db: Database, retraction: Retraction): Promise<void> {
  const found = await find(db, retraction)
  const original = found.find(({ message }) => message.id === retraction.id)
  if (!original) return
  const corrections = found.filter(({ seq, message }) => seq > original.seq && corrects(message, retraction.id))
  for (const { seq, message } of [original, ...corrections]) {
    const stone = tombstone(message, { id: retraction.message.id, stamp: new Date(retraction.at).toISOString() })
    await replace(db, retraction.owner, seq, stone)
  }
}

/** Puts tombstones in the place of these messages, in this archive alone; how many there were. */
export async function remove (db: Database, owner: Jid, seqs: readonly number[], at: number): Promise<number> {
  const rows = await db.query<Row>('select seq, stanza from archive_message where owner = $1 and seq = any($2::int8[])',
    [owner.toString(), int8Array(seqs)])
  for (const { seq, stanza } of rows) {
    const attributes = { id: randomId(), by: owner.toString(), stamp: new Date(at).toISOString() }
    await replace(db, owner.toString(), seq, tombstone(storedStanza(stanza) as Message, attributes))
  }
  return rows.length
}

async function replace (db: Database, owner: string, seq: number, message: Message): Promise<void> {
  await db.query('update archive_message set stanza = $3 where owner = $1 and seq = $2', [owner, seq, message.toBytes().toString()])
}

/** What has that id, or corrects what has it, of the same author: the newest first. */
async function find (db: Database, { owner, peer, isSent, seq, id, message: retraction }: Retraction): Promise<readonly Found[]> {
  const attribute = escapeAttribute(id)
  const rows = await db.query<Row>(`
    select seq, stanza from (
      select seq, stanza from archive_message
      where owner = $1 and peer = $2 and is_sent = $3 and seq < $4 order by seq desc limit ${MAX_BACK}
    ) as recent
    where strpos(split_part(stanza, '>', 1), ' id=''' || $5 || '''') > 0
      or (strpos(stanza, '${NS_CORRECTION}') > 0 and strpos(stanza, $5) > 0)
    order by seq desc`, [owner, peer, isSent, seq, attribute])
  return rows
    .map(row => ({ seq: row.seq, message: storedStanza(row.stanza) as Message }))
    .filter(({ message }) => isOfSameAuthor(message, retraction) && !message.has('retract', NS))
}

// XEP-0424 §5: the same bare address, or full one where it is somebody's in a room.
function isOfSameAuthor (message: Message, retraction: Message): boolean {
  if (!message.from || !retraction.from) return false
  const isFromRoom = message.has('x', NS_ROOM_USER) || retraction.has('x', NS_ROOM_USER)
  return isFromRoom ? message.from.equals(retraction.from) : message.from.bare.equals(retraction.from.bare)
}

function corrects (message: Message, id: string): boolean {
  return message.has('replace', NS_CORRECTION) && message.payload('replace', NS_CORRECTION)?.attrs.id === id
}

// XEP-0424 §4.
function tombstone ({ type, from, to, id }: Message, attributes: Readonly<Record<string, string | undefined>>): Message {
  return makeMessage(type, { from, to, id }, el('retracted', NS, attributes))
}
