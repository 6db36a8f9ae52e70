/** The SQL of tombstones: finds what is retracted in one archive, and puts something else in its place. */
import {
  el,
  escapeAttribute,
  int8Array,
  MAX_HEADER,
  message as makeMessage,
  NS_MUC_USER,
  QUERY_CANCELED,
  randomId,
  storedStanza,
  textArray,
} from '../../src/extension/api.ts'
import type { Database, Element, Jid, Message } from '../../src/extension/api.ts'

const NS = 'urn:xmpp:message-retract:1'
const NS_CORRECTION = 'urn:xmpp:message-correct:0'
const NS_OCCUPANT_ID = 'urn:xmpp:occupant-id:0'

/** How far back in a conversation a message can be retracted. */
const MAX_BACK = 5000

/** Messages of one id that are looked at for whose they are: as many as a room's occupants may choose by chance. */
const MAX_NAMESAKES = 20

/** Corrections that are read at a time: each may be as large as a stanza may be. */
const STEP = 10

/** The milliseconds for all corrections of one message: whoever writes too many has the oldest left as they are. */
const MAX_SEARCH_MS = 2000

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

interface Found { readonly seq: number, readonly peer: string, readonly message: Message }

/** Has these retractions carried out one day, whatever happens. */
export async function awaitRetractions (
  db: Database,
  kept: readonly { readonly owner: string, readonly seq: number }[],
): Promise<void> {
  await db.query(
    'insert into retraction_waiting (owner, seq) select unnest($1::text[]), unnest($2::int8[]) on conflict do nothing',
    [textArray(kept.map(one => one.owner)), int8Array(kept.map(one => one.seq))])
}

/** What has become tombstones in one archive. */
export interface Entombed { readonly owner: string, readonly seqs: readonly number[] }

/** A retraction that waits. */
export interface Place { readonly owner: string, readonly seq: number }

/** Which number of the owner's archive an id stands for. */
export type NumberOf = (owner: string, id: string) => Promise<number | undefined>

/** Before all places. */
export const FIRST: Place = { owner: '', seq: 0 }

/** Those that wait behind a place, in order, `most` at most. */
export async function readWaiting (db: Database, { owner, seq }: Place, most: number): Promise<readonly Place[]> {
  return await db.query<Place>(
    'select owner, seq from retraction_waiting where (owner, seq) > ($1, $2::int8) order by owner, seq limit $3',
    [owner, seq, most],
  )
}

/**
 * Puts tombstones in the place of what is retracted, and of its corrections, where the retraction waits and is still
 * kept.
 */
export async function carryOut (db: Database, { owner, seq }: Place, numberOf: NumberOf): Promise<Entombed> {
  const [row] = await db.query<WaitingRow>(`
    select owner, seq, peer, is_sent as "isSent", sent_at as at, nullif(stanza, '') as stanza
    from retraction_waiting left join archive_message using (owner, seq)
    where owner = $1 and seq = $2`, [owner, seq])
  return { owner, seqs: row ? await carryOutOne(db, row, numberOf) : [] }
}

async function carryOutOne (
  db: Database, { owner, seq, peer, isSent, at, stanza }: WaitingRow, numberOf: NumberOf,
): Promise<readonly number[]> {
  return await db.transaction(async tx => {
    const retraction = stanza === null
      ? undefined
      : { owner, seq, peer, isSent, at, message: storedStanza(stanza) as Message }
    const seqs = retraction ? await entomb(tx, retraction, numberOf) : []
    await tx.query('delete from retraction_waiting where owner = $1 and seq = $2', [owner, seq])
    return seqs
  })
}

async function entomb (db: Database, retraction: Retraction, numberOf: NumberOf): Promise<readonly number[]> {
  const { owner, message: { id: ownId, type } } = retraction
  const retract = retraction.message.payload('retract', NS)
  const id = retract?.attrs.id
  if (id === undefined) return []
  const original = type === 'groupchat'
    ? await findInRoom(db, retraction, await numberOf(owner, id))
    : await findInConversation(db, retraction, id)
  if (!original) return []
  // XEP-0425 §5: with who took it back, and why, where that was not its author.
  const besides = isOfRoom(retraction) ? retract?.getChildElements() : undefined
  const seqs: number[] = []
  const bury = async ({ seq, message }: Found): Promise<void> => {
    await replace(
      db,
      owner,
      seq,
      tombstone(message, { id: ownId, stamp: new Date(retraction.at).toISOString() }, besides),
    )
    seqs.push(seq)
  }
  await bury(original)
  for await (const correction of correctionsOf(db, { ...retraction, peer: original.peer }, original))
    await bury(correction)
  return seqs
}

/** Whether it is the room that takes something back, and not its author. */
function isOfRoom ({ owner, peer, message }: Retraction): boolean {
  return peer === owner && message.type === 'groupchat'
}

/** When a local account was made: what was said in its name before, somebody else did who had the name then. */
function madeAt (account: string): string {
  return `coalesce((select floor(extract(epoch from created_at) * 1000) from account where jid = ${account}), 0)`
}

/** What has that id of its author's: the newest. */
async function findInConversation (db: Database, retraction: Retraction, id: string): Promise<Found | undefined> {
  const { owner, peer, isSent, seq } = retraction
  const rows = await db.query<Row>(`
    select seq, stanza from (
      select seq, stanza from archive_message
      where archive_conversation(owner, peer) = archive_conversation($1, $2) and owner = $1 and peer = $2
        and is_sent = $3 and seq < $4 and (is_sent or sent_at >= ${madeAt('$2')}) order by seq desc limit ${MAX_BACK}
    ) as recent
    where strpos(split_part(left(stanza, ${MAX_HEADER}), '>', 1), ' id=''' || $5 || '''') > 0
    order by seq desc limit ${MAX_NAMESAKES}`, [owner, peer, isSent, seq, escapeAttribute(id)])
  return rows.map(row => foundIn(row, peer))
    .find(found => found.message.id === id && isNoRetraction(found) && isOfSameAuthor(found.message, retraction))
}

/** XEP-0424 §5.1: the same by the id that the room gave it; what the room takes back may be anybody's (XEP-0425). */
async function findInRoom (
  db: Database,
  retraction: Retraction,
  number: number | undefined,
): Promise<Found | undefined> {
  if (number === undefined) return
  const [row] = await db.query<Row & { readonly peer: string }>(
    `select seq, peer, stanza from archive_message
      where owner = $1 and seq = $2 and stanza <> '' and sent_at >= ${madeAt('$3')}`,
    [retraction.owner, number, retraction.peer])
  if (!row || (row.peer !== retraction.peer && !isOfRoom(retraction))) return
  const original = foundIn(row, row.peer)
  return isOfRoom(retraction) || isNoRetraction(original) ? original : undefined // the room: whatever it calls itself
}

/** What corrected a message, between it and its retraction, of the same author: the newest first. */
async function * correctionsOf (db: Database, retraction: Retraction, original: Found): AsyncGenerator<Found> {
  const { id } = original.message
  if (id === undefined) return
  const until = performance.now() + MAX_SEARCH_MS
  let before = retraction.seq
  for (;;) {
    const rows = await readCorrections(db, retraction, id, { after: original.seq, before, until })
    for (const row of rows) {
      const found = foundIn(row, original.peer)
      if (!corrects(found.message, id) || !isOfSameAuthor(found.message, retraction)) continue
      if (isOfRoom(retraction) || isNoRetraction(found)) yield found
    }
    if (rows.length < STEP) return
    before = rows.at(-1)?.seq ?? 0
  }
}

/** The newest between two numbers that look like corrections of that id; none where that takes too long. */
async function readCorrections (
  db: Database, { owner, peer, isSent }: Retraction, id: string,
  { after, before, until }: { readonly after: number, readonly before: number, readonly until: number },
): Promise<readonly Row[]> {
  const left = Math.ceil(until - performance.now())
  if (left <= 0) return []
  try {
    return await db.transaction(async tx => {
      await tx.query(`set local statement_timeout = ${left}`)
      const rows = await tx.query<Row>(`
        select seq, stanza from archive_message
        where archive_conversation(owner, peer) = archive_conversation($1, $2) and owner = $1 and peer = $2
          and is_sent = $3 and seq > $4 and seq < $5
          and strpos(stanza, '${NS_CORRECTION}') > 0 and strpos(stanza, $6) > 0
        order by seq desc limit ${STEP}`, [owner, peer, isSent, after, before, escapeAttribute(id)])
      await tx.query('set local statement_timeout = default')
      return rows
    })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === QUERY_CANCELED) return []
    throw error
  }
}

function foundIn ({ seq, stanza }: Row, peer: string): Found {
  return { seq, peer, message: storedStanza(stanza) as Message }
}

function isNoRetraction ({ message }: Found): boolean {
  return !message.has('retract', NS)
}

/** Puts tombstones in the place of these messages, in this archive alone; how many there were. */
export async function remove (db: Database, owner: Jid, seqs: readonly number[], at: number): Promise<number> {
  const rows = await db.query<Row>(
    "select seq, stanza from archive_message where owner = $1 and seq = any($2::int8[]) and stanza <> ''",
    [owner.toString(), int8Array(seqs)])
  for (const { seq, stanza } of rows) {
    const attributes = { id: randomId(), by: owner.toString(), stamp: new Date(at).toISOString() }
    await replace(db, owner.toString(), seq, tombstone(storedStanza(stanza) as Message, attributes))
  }
  return rows.length
}

async function replace (db: Database, owner: string, seq: number, message: Message): Promise<void> {
  await db.query('update archive_message set stanza = $3 where owner = $1 and seq = $2', [
    owner,
    seq,
    message.toBytes().toString(),
  ])
}

/**
 * XEP-0424 §5: the same bare address; of somebody in a room, whose nick may be another's by now, the same occupant id
 * (XEP-0421 §4). A room's own archive knows accounts, and what its owner sent is the owner's.
 */
function isOfSameAuthor (message: Message, { isSent, message: retraction }: Retraction): boolean {
  if (isSent || retraction.type === 'groupchat') return true
  if (!message.from || !retraction.from?.bare.equals(message.from.bare)) return false
  const isFromRoom = message.has('x', NS_MUC_USER) || retraction.has('x', NS_MUC_USER)
  if (!isFromRoom) return true
  const occupant = occupantIdOf(message)
  return occupant !== undefined && occupant === occupantIdOf(retraction)
}

function occupantIdOf (message: Message): string | undefined {
  return message.attributesOf('occupant-id', NS_OCCUPANT_ID)?.id
}

function corrects (message: Message, id: string | undefined): boolean {
  return message.has('replace', NS_CORRECTION) && message.attributesOf('replace', NS_CORRECTION)?.id === id
}

// XEP-0424 §4, and XEP-0421 §4: what tells occupants apart stays.
function tombstone (
  message: Message, attributes: Readonly<Record<string, string | undefined>>, besides: readonly Element[] = [],
): Message {
  const { type, from, to, id } = message
  const occupantId = type === 'groupchat' ? message.payload('occupant-id', NS_OCCUPANT_ID) : undefined
  const retracted = el('retracted', NS, attributes, besides)
  return occupantId
    ? makeMessage(type, { from, to, id }, occupantId, retracted)
    : makeMessage(type, { from, to, id }, retracted)
}
