/** Tombstones (XEP-0424): finds what is retracted in one archive, and puts a tombstone in its place. */
import {
  el, escapeAttribute, message as makeMessage, NS_MUC_USER, QUERY_CANCELED, randomId, storedStanza,
} from '../../src/extension/api.ts'
import type {
  ArchivedMessage, ConversationSide, Database, Element, Jid, Message, MessageArchive,
} from '../../src/extension/api.ts'
import { isWaiting, removeWaiting } from './store.ts'
import type { Place } from './store.ts'

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
interface Retraction extends ArchivedMessage, ConversationSide { readonly message: Message }

interface Found { readonly seq: number, readonly peer: string, readonly message: Message }

/** What has become tombstones in one archive. */
export interface Entombed { readonly owner: string, readonly seqs: readonly number[] }

/** Which number of the owner's archive an id stands for. */
export type NumberOf = (owner: string, id: string) => Promise<number | undefined>

/**
 * Puts tombstones in the place of what is retracted, and of its corrections, where the retraction waits and is still
 * kept.
 */
export async function carryOut (
  archive: MessageArchive, db: Database, place: Place, numberOf: NumberOf,
): Promise<Entombed> {
  const { owner, seq } = place
  if (!await isWaiting(db, place)) return { owner, seqs: [] }
  const [kept] = await archive.read(db, owner, [seq])
  const retraction = kept && kept.stanza !== ''
    ? { ...kept, owner, message: storedStanza(kept.stanza) as Message }
    : undefined
  const seqs = await db.transaction(async tx => {
    const entombed = retraction ? await entomb(archive, tx, retraction, numberOf) : []
    await removeWaiting(tx, place)
    return entombed
  })
  return { owner, seqs }
}

async function entomb (
  archive: MessageArchive, db: Database, retraction: Retraction, numberOf: NumberOf,
): Promise<readonly number[]> {
  const { owner, message: { id: ownId, type } } = retraction
  const retract = retraction.message.payload('retract', NS)
  const id = retract?.attrs.id
  if (id === undefined) return []
  const original = type === 'groupchat'
    ? await findInRoom(archive, db, retraction, await numberOf(owner, id))
    : await findInConversation(archive, db, retraction, id)
  if (!original) return []
  // XEP-0425 §5: with who took it back, and why, where that was not its author.
  const besides = isOfRoom(retraction) ? retract?.getChildElements() : undefined
  const attributes = { id: ownId, stamp: new Date(retraction.sentAt).toISOString() }
  const seqs: number[] = []
  const bury = async ({ seq, message }: Found): Promise<void> => {
    await archive.replace(db, owner, seq, tombstone(message, attributes, besides).toBytes())
    seqs.push(seq)
  }
  await bury(original)
  const side = { ...retraction, peer: original.peer }
  for await (const correction of correctionsOf(archive, db, side, original)) await bury(correction)
  return seqs
}

/** Whether it is the room that takes something back, and not its author. */
function isOfRoom ({ owner, peer, message }: Retraction): boolean {
  return peer === owner && message.type === 'groupchat'
}

/** What has that id of its author's: the newest. */
async function findInConversation (
  archive: MessageArchive, db: Database, retraction: Retraction, id: string,
): Promise<Found | undefined> {
  const rows = await archive.search(
    db, retraction, { before: retraction.seq, among: MAX_BACK, id, most: MAX_NAMESAKES })
  return rows.map(foundIn)
    .find(found => found.message.id === id && isNoRetraction(found) && isOfSameAuthor(found.message, retraction))
}

/** XEP-0424 §5.1: the same by the id that the room gave it; what the room takes back may be anybody's (XEP-0425). */
async function findInRoom (
  archive: MessageArchive, db: Database, retraction: Retraction, number: number | undefined,
): Promise<Found | undefined> {
  if (number === undefined) return
  const [row] = isOfRoom(retraction)
    ? await archive.read(db, retraction.owner, [number])
    : await archive.search(db, retraction, { after: number - 1, before: number + 1, most: 1 })
  if (!row || row.stanza === '') return
  const original = foundIn(row)
  return isOfRoom(retraction) || isNoRetraction(original) ? original : undefined // the room: whatever it calls itself
}

/** What corrected a message, between it and its retraction, of the same author: the newest first. */
async function * correctionsOf (
  archive: MessageArchive, db: Database, retraction: Retraction, original: Found,
): AsyncGenerator<Found> {
  const { id } = original.message
  if (id === undefined) return
  const until = performance.now() + MAX_SEARCH_MS
  let before = retraction.seq
  for (;;) {
    const rows = await readCorrections(archive, db, retraction, id, { after: original.seq, before, until })
    for (const row of rows) {
      const found = foundIn(row)
      if (!corrects(found.message, id) || !isOfSameAuthor(found.message, retraction)) continue
      if (isOfRoom(retraction) || isNoRetraction(found)) yield found
    }
    if (rows.length < STEP) return
    before = rows.at(-1)?.seq ?? 0
  }
}

/** The newest between two numbers that look like corrections of that id; none where that takes too long. */
async function readCorrections (
  archive: MessageArchive, db: Database, side: ConversationSide, id: string,
  { after, before, until }: { readonly after: number, readonly before: number, readonly until: number },
): Promise<readonly ArchivedMessage[]> {
  const left = Math.ceil(until - performance.now())
  if (left <= 0) return []
  try {
    return await db.transaction(async tx => {
      await tx.query(`set local statement_timeout = ${left}`)
      const rows = await archive.search(
        tx, side, { after, before, containing: [NS_CORRECTION, escapeAttribute(id)], most: STEP })
      await tx.query('set local statement_timeout = default')
      return rows
    })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === QUERY_CANCELED) return []
    throw error
  }
}

function foundIn ({ seq, peer, stanza }: ArchivedMessage): Found {
  return { seq, peer, message: storedStanza(stanza) as Message }
}

function isNoRetraction ({ message }: Found): boolean {
  return !message.has('retract', NS)
}

/** Puts tombstones in the place of these messages, in this archive alone; returns how many there were. */
export async function remove (
  archive: MessageArchive, db: Database, owner: Jid, seqs: readonly number[], at: number,
): Promise<number> {
  const messages = (await archive.read(db, owner.toString(), seqs)).filter(({ stanza }) => stanza !== '')
  for (const { seq, stanza } of messages) {
    const attributes = { id: randomId(), by: owner.toString(), stamp: new Date(at).toISOString() }
    const buried = tombstone(storedStanza(stanza) as Message, attributes)
    await archive.replace(db, owner.toString(), seq, buried.toBytes())
  }
  return messages.length
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
