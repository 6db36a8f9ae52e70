/** The SQL of tombstones: finds what is retracted in one archive, and puts something else in its place. */
import { el, escapeAttribute, int8Array, message as makeMessage, randomId, storedStanza, textArray } from '../../src/extension/api.ts'
import type { Database, Element, Jid, Message } from '../../src/extension/api.ts'

const NS = 'urn:xmpp:message-retract:1'
const NS_CORRECTION = 'urn:xmpp:message-correct:0'
const NS_OCCUPANT_ID = 'urn:xmpp:occupant-id:0'
const NS_ROOM_USER = 'http://jabber.org/protocol/muc#user'

/** How far back in a conversation a message can be retracted. */
const MAX_BACK = 5000

/** A number of an archive. */
const SEQ = /^[1-9]\d{0,14}$/

/** So many retractions are looked at in one go. */
const STEP = 100

/** A retraction that an archive keeps. */
interface Retraction {
  readonly owner: string
  /** As the archive knows the conversation. */
  readonly peer: string
  readonly isSent: boolean
  /** Its place in the archive. */
  readonly seq: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly message: Message
}

interface Row { readonly seq: number, readonly stanza: string }

interface WaitingRow extends Omit<Retraction, 'message'> {
  /** Nothing when it is not kept any more. */
  readonly stanza: string | null
}

interface Found { readonly seq: number, readonly message: Message }

/** Has these retractions carried out one day, whatever happens. */
export async function awaitRetractions (db: Database, kept: readonly { readonly owner: string, readonly seq: number }[]): Promise<void> {
  await db.query('insert into retraction_waiting (owner, seq) select unnest($1::text[]), unnest($2::int8[]) on conflict do nothing',
    [textArray(kept.map(one => one.owner)), int8Array(kept.map(one => one.seq))])
}

/** What has become tombstones in one archive. */
export interface Entombed { readonly owner: string, readonly seqs: readonly number[] }

/** Carries out all retractions that wait, and tells of each; one that `failed` waits on. */
export async function carryOutWaiting (
  db: Database, done: (entombed: Entombed) => void, failed: (error: unknown) => void,
): Promise<void> {
  for (let last = { owner: '', seq: 0 }; ;) {
    const rows = await db.query<WaitingRow>(`
      select owner, seq, peer, is_sent as "isSent", sent_at as at, nullif(stanza, '') as stanza
      from retraction_waiting left join archive_message using (owner, seq)
      where (owner, seq) > ($1, $2) order by owner, seq limit ${STEP}`, [last.owner, last.seq])
    for (const row of rows) await carryOut(db, row).then(seqs => { done({ owner: row.owner, seqs }) }).catch(failed)
    const end = rows[STEP - 1]
    if (!end) return
    last = end
  }
}

/** Puts a tombstone in the place of what is retracted, and of its corrections, where the retraction is still kept. */
async function carryOut (db: Database, { owner, seq, peer, isSent, at, stanza }: WaitingRow): Promise<readonly number[]> {
  return await db.transaction(async tx => {
    const seqs = stanza === null ? [] : await entomb(tx, { owner, seq, peer, isSent, at, message: storedStanza(stanza) as Message })
    await tx.query('delete from retraction_waiting where owner = $1 and seq = $2', [owner, seq])
    return seqs
  })
}

async function entomb (db: Database, retraction: Retraction): Promise<readonly number[]> {
  const { owner, message: { id: ownId, type } } = retraction
  const retract = retraction.message.payload('retract', NS)
  const id = retract?.attrs.id
  if (id === undefined) return []
  const found = type === 'groupchat' ? await findInRoom(db, retraction, id) : await findInConversation(db, retraction, id)
  // XEP-0425 §5: with who took it back, and why, where that was not its author.
  const besides = isOfRoom(retraction) ? retract?.getChildElements() : undefined
  for (const { seq, message } of found) {
    await replace(db, owner, seq, tombstone(message, { id: ownId, stamp: new Date(retraction.at).toISOString() }, besides))
  }
  return found.map(({ seq }) => seq)
}

/** Whether it is the room that takes something back, and not its author. */
function isOfRoom ({ owner, peer, message }: Retraction): boolean {
  return peer === owner && message.type === 'groupchat'
}

/** What has that id of its author's, and what corrected it. */
async function findInConversation (db: Database, retraction: Retraction, id: string): Promise<readonly Found[]> {
  const found = (await find(db, retraction, id)).filter(isNoRetraction)
  const original = found.find(({ message }) => message.id === id)
  return original ? [original, ...found.filter(({ seq, message }) => seq > original.seq && corrects(message, id))] : []
}

/** XEP-0424 §5.1: the same by the id that the room gave it; what the room takes back may be anybody's (XEP-0425). */
async function findInRoom (db: Database, retraction: Retraction, id: string): Promise<readonly Found[]> {
  if (!SEQ.test(id)) return []
  const [row] = await db.query<Row & { readonly peer: string }>(
    "select seq, peer, stanza from archive_message where owner = $1 and seq = $2 and stanza <> ''", [retraction.owner, Number(id)])
  if (!row || (row.peer !== retraction.peer && !isOfRoom(retraction))) return []
  const original = { seq: row.seq, message: storedStanza(row.stanza) as Message }
  const { id: ownId } = original.message
  const later = ownId === undefined ? [] : await find(db, { ...retraction, peer: row.peer }, ownId)
  const all = [original, ...later.filter(({ seq, message }) => seq > row.seq && corrects(message, ownId))]
  if (isOfRoom(retraction)) return all // whatever it calls itself
  return isNoRetraction(original) ? all.filter(isNoRetraction) : []
}

function isNoRetraction ({ message }: Found): boolean {
  return !message.has('retract', NS)
}

/** Puts tombstones in the place of these messages, in this archive alone; how many there were. */
export async function remove (db: Database, owner: Jid, seqs: readonly number[], at: number): Promise<number> {
  const rows = await db.query<Row>("select seq, stanza from archive_message where owner = $1 and seq = any($2::int8[]) and stanza <> ''",
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
async function find (db: Database, { owner, peer, isSent, seq, message: retraction }: Retraction, id: string): Promise<readonly Found[]> {
  const attribute = escapeAttribute(id)
  const rows = await db.query<Row>(`
    select seq, stanza from (
      select seq, stanza from archive_message
      where archive_conversation(owner, peer) = archive_conversation($1, $2) and owner = $1 and peer = $2
        and is_sent = $3 and seq < $4 order by seq desc limit ${MAX_BACK}
    ) as recent
    where strpos(stanza, $5) > 0
      and (strpos(split_part(stanza, '>', 1), ' id=''' || $5 || '''') > 0 or strpos(stanza, '${NS_CORRECTION}') > 0)
    order by seq desc`, [owner, peer, isSent, seq, attribute])
  return rows
    .map(row => ({ seq: row.seq, message: storedStanza(row.stanza) as Message }))
    .filter(({ message }) => isOfSameAuthor(message, retraction))
}

// XEP-0424 §5: the same bare address, or full one where it is somebody's in a room. A room's own archive knows accounts.
function isOfSameAuthor (message: Message, retraction: Message): boolean {
  if (retraction.type === 'groupchat') return true
  if (!message.from || !retraction.from) return false
  const isFromRoom = message.has('x', NS_ROOM_USER) || retraction.has('x', NS_ROOM_USER)
  return isFromRoom ? message.from.equals(retraction.from) : message.from.bare.equals(retraction.from.bare)
}

function corrects (message: Message, id: string | undefined): boolean {
  return message.has('replace', NS_CORRECTION) && message.payload('replace', NS_CORRECTION)?.attrs.id === id
}

// XEP-0424 §4, and XEP-0421 §4: what tells occupants apart stays.
function tombstone (
  message: Message, attributes: Readonly<Record<string, string | undefined>>, besides: readonly Element[] = [],
): Message {
  const { type, from, to, id } = message
  const occupantId = type === 'groupchat' ? message.payload('occupant-id', NS_OCCUPANT_ID) : undefined
  const retracted = el('retracted', NS, attributes, besides)
  return occupantId ? makeMessage(type, { from, to, id }, occupantId, retracted) : makeMessage(type, { from, to, id }, retracted)
}
