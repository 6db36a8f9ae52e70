/**
 * XEP-0424: Message Retraction. A retraction is kept as any message is, and with it that it is to be carried out: what
 * its author retracts is replaced by a tombstone in the archives of both sides, as is what corrected it (XEP-0308: Last
 * Message Correction), at the latest before the server serves anybody again.
 */
import { extension, FairQueue, form, FullError, Jid, neverRejects, StanzaError } from '../../src/extension/api.ts'
import type { ExtensionHost, Message, MessageArchive, Stanza } from '../../src/extension/api.ts'
import { awaitRetractions, FIRST, readWaiting } from './store.ts'
import type { Place } from './store.ts'
import { carryOut, remove } from './tombstones.ts'
import type { Entombed } from './tombstones.ts'

const NS = 'urn:xmpp:message-retract:1'

/** What could not be carried out is tried again. */
const RETRY_MS = 60_000

/**
 * Looking for a message is not cheap: so many retractions of one author may wait for that, in all archives together.
 */
const MAX_WAITING = 200

/** So many are carried out before a server serves anybody, and the rest while it does. */
const MAX_AT_START = 1000

const NODE = 'urn:heliograph:retraction:delete'
const MAX_IDS = 100

export const retraction = extension({
  name: 'retraction',
  xeps: ['0424@0.4.2'],
  async setup (host) {
    host.disco.feature(NS)
    host.messages.declarePolicy(NS, { archive: true, carbon: true, push: false })
    const { archive } = host.messages
    if (archive) await putTombstones(host, archive)
  },
})

interface Parts { readonly host: ExtensionHost, readonly archive: MessageArchive, readonly queue: FairQueue }

async function putTombstones (host: ExtensionHost, archive: MessageArchive): Promise<void> {
  const queue = new FairQueue({ atOnce: 1, waitingEach: MAX_WAITING })
  const parts = { host, archive, queue }
  let tried = FIRST
  await carryOutAtStart(parts)
  host.every(RETRY_MS, async () => {
    const waiting = await readWaiting(host.db, tried, MAX_WAITING)
    tried = waiting.length < MAX_WAITING ? FIRST : waiting.at(-1) ?? FIRST // what fails for good holds up no others
    for (const place of waiting) neverRejects(inTurn(parts, '', place))
  })
  offerRemoval(parts)
  for (const target of ['account', 'room'] as const) {
    host.disco.feature(NS, target)
    host.disco.feature(`${NS}#tombstone`, target)
  }
  host.messages.writeWithArchive(NS, awaitRetractions)
  retractAsSent(parts)
}

/** Carries out retractions as they are sent, each in its author's turn. */
function retractAsSent (parts: Parts): void {
  const { host, queue } = parts
  /** By archive, the first of its retractions that wait. */
  const first = new Map<string, Place>()
  const retract = (message: Message, author: Jid | undefined, owner: Jid): void => {
    if (!author || message.archiveNumber === undefined || !message.has('retract', NS)) return
    const place = { owner: owner.toString(), seq: Number(message.archiveNumber) }
    neverRejects(whileFirst(first, place, inTurn(parts, author.toString(), place)))
  }
  // What readers have retracted is gone when they read, and what is retracted first in their archives: in their own
  // turn, since its author may have many waiting.
  host.when('account.reads', async asker => {
    const reader = asker.bare.toString()
    const place = first.get(reader)
    await Promise.all([queue.settled(reader), place && inTurn(parts, reader, place)])
  })
  host.on('send', 'guard', (stanza, { jid }) => {
    if (stanza.kind !== 'message' || !stanza.has('retract', NS) || !queue.isFull(jid.toString())) return
    return new StanzaError('resource-constraint', 'too many of your retractions are still being carried out')
  })
  host.on('send', 'fanout', (message, { account }) => { retract(message, account.jid, account.jid) })
  host.on('receive', 'fanout', (message, account) => { retract(message, authorOf(host, message), account.jid) })
  host.on('room', 'fanout', (message, room, sender) => { retract(message, sender?.account ?? room.jid, room.jid) })
}

/** Has the retraction stand as the first of its archive while it waits, unless there is one. */
async function whileFirst (first: Map<string, Place>, place: Place, carriedOut: Promise<void>): Promise<void> {
  if (first.has(place.owner)) return
  first.set(place.owner, place)
  await carriedOut
  first.delete(place.owner)
}

/** Whose a message is: an account's, or an occupant's. */
function authorOf ({ rooms }: ExtensionHost, { from }: Stanza): Jid | undefined {
  return from && rooms.domains.includes(from.domain) ? from : from?.bare
}

/** Carries out one retraction when it is its author's turn. What is too much, or fails, waits on. */
async function inTurn (parts: Parts, author: string, place: Place): Promise<void> {
  const { host, queue } = parts
  try {
    await forgetInRoom(host, await queue.run(author, () => carryOutAt(parts, place)))
  } catch (error) { // the database's, or too many wait: the next time, then
    if (error instanceof FullError) return
    host.log.error({ event: 'retraction.replacement_failed', err: error }, 'retraction: message not replaced yet')
  }
}

async function carryOutAt ({ host: { db, rooms }, archive }: Parts, place: Place): Promise<Entombed> {
  return carryOut(archive, db, place, async (room, id) => (await rooms.archiveIds(Jid.parse(room))).decode(id))
}

/** What the end of the server before this one left. */
async function carryOutAtStart (parts: Parts): Promise<void> {
  const { db, log } = parts.host
  const failed = (error: unknown): void => { // the database's, or one of them can't be carried out: the next time, then
    log.error({ event: 'retraction.replacement_failed', err: error }, 'retraction: message not replaced yet')
  }
  try {
    for (const place of await readWaiting(db, FIRST, MAX_AT_START))
      await carryOutAt(parts, place).catch(failed)
  } catch (error) { // the database's
    failed(error)
  }
}

/** §5: newcomers to a room are not shown what was taken back. */
async function forgetInRoom (host: ExtensionHost, { owner, seqs }: Entombed): Promise<void> {
  const jid = Jid.parse(owner)
  const room = seqs.length > 0 && host.rooms.domains.includes(jid.domain) ? await host.rooms.load(jid) : undefined
  if (room) host.rooms.forgetHistory(room, seqs.map(String))
}

/**
 * A command (XEP-0050: Ad-Hoc Commands) by which an account's owner empties messages of its archive, in turn with the
 * rest.
 */
function offerRemoval ({ host, archive, queue }: Parts): void {
  host.command({
    node: NODE,
    name: 'Delete messages from my archive',
    form: form('form', NODE, [{
      name: 'ids',
      values: [],
      type: 'text-multi',
      label: 'Ids of the messages in the archive, one a line',
    }]),
    async run (values, { account }) {
      const ids = values.get('ids') ?? []
      const numbers = ids.flatMap(id => account.archiveIds.decode(id) ?? [])
      if (ids.length > MAX_IDS || numbers.length < ids.length) {
        throw new StanzaError('bad-request', 'the request contains invalid message ids')
      }
      if (queue.isFull(account.jid.toString())) {
        throw new StanzaError('resource-constraint', 'too many of your retractions are still being carried out')
      }
      const count = await queue.run(
        account.jid.toString(), () => remove(archive, host.db, account.jid, numbers, Date.now()))
      return `${count} deleted`
    },
  })
}
