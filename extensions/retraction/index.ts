/**
 * XEP-0424: Message Retraction. A retraction is kept as any message is, and with it that it is to be carried out: what
 * its author retracts is replaced by a tombstone in the archives of both sides, as is what corrected it (XEP-0308: Last
 * Message Correction), at the latest before the server serves anybody again.
 */
import { extension, FairQueue, form, FullError, Jid, neverRejects, StanzaError } from '../../src/extension/api.ts'
import type { ExtensionHost, Message, Stanza } from '../../src/extension/api.ts'
import { awaitRetractions, carryOut, FIRST, readWaiting, remove } from './store.ts'
import type { Entombed, NumberOf, Place } from './store.ts'

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
    const queue = new FairQueue({ atOnce: 1, waitingEach: MAX_WAITING })
    /** By archive, the first of its retractions that wait. */
    const first = new Map<string, Place>()
    let tried = FIRST
    await carryOutAtStart(host)
    host.every(RETRY_MS, async () => {
      const waiting = await readWaiting(host.db, tried, MAX_WAITING)
      tried = waiting.length < MAX_WAITING ? FIRST : waiting.at(-1) ?? FIRST // what fails for good holds up no others
      for (const place of waiting) neverRejects(inTurn(host, queue, '', place))
    })

    offerRemoval(host, queue)
    host.disco.feature(NS)
    host.disco.feature(NS, 'account')
    host.disco.feature(`${NS}#tombstone`, 'account')
    host.disco.feature(NS, 'room')
    host.disco.feature(`${NS}#tombstone`, 'room')
    host.messages.declarePolicy(NS, { archive: true, carbon: true, push: false })
    host.messages.writeWithArchive(NS, awaitRetractions)
    const retract = (message: Message, author: Jid | undefined, owner: Jid): void => {
      if (!author || message.archiveNumber === undefined || !message.has('retract', NS)) return
      const place = { owner: owner.toString(), seq: Number(message.archiveNumber) }
      neverRejects(whileFirst(first, place, inTurn(host, queue, author.toString(), place)))
    }
    // What a reader has retracted is gone when he reads, and what is retracted first in his archive: in his own turn,
    // since
    // its author may have many waiting.
    host.when('account.reads', async asker => {
      const reader = asker.bare.toString()
      const place = first.get(reader)
      await Promise.all([queue.settled(reader), place && inTurn(host, queue, reader, place)])
    })
    host.on('send', 'guard', (stanza, { jid }) => {
      if (stanza.kind !== 'message' || !stanza.has('retract', NS) || !queue.isFull(jid.toString())) return
      return new StanzaError('resource-constraint', 'too many of your retractions are still being carried out')
    })
    host.on('send', 'fanout', (message, { account }) => { retract(message, account.jid, account.jid) })
    host.on('receive', 'fanout', (message, account) => { retract(message, authorOf(host, message), account.jid) })
    host.on('room', 'fanout', (message, room, sender) => { retract(message, sender?.account ?? room.jid, room.jid) })
  },
})

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
async function inTurn (host: ExtensionHost, queue: FairQueue, author: string, place: Place): Promise<void> {
  try {
    await forgetInRoom(host, await queue.run(author, () => carryOut(host.db, place, roomNumbers(host))))
  } catch (error) { // the database's, or too many wait: the next time, then
    if (error instanceof FullError) return
    host.log.error({ event: 'retraction.replacement_failed', err: error }, 'retraction: message not replaced yet')
  }
}

/** Which number of a room's archive an id stands for. */
function roomNumbers (host: ExtensionHost): NumberOf {
  return async (room, id) => (await host.rooms.archiveIds(Jid.parse(room))).decode(id)
}

/** What the end of the server before this one left. */
async function carryOutAtStart (host: ExtensionHost): Promise<void> {
  const { db, log } = host
  const failed = (error: unknown): void => { // the database's, or one of them can't be carried out: the next time, then
    log.error({ event: 'retraction.replacement_failed', err: error }, 'retraction: message not replaced yet')
  }
  try {
    for (const place of await readWaiting(db, FIRST, MAX_AT_START))
      await carryOut(db, place, roomNumbers(host)).catch(failed)
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
function offerRemoval (host: ExtensionHost, queue: FairQueue): void {
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
      const count = await queue.run(account.jid.toString(), () => remove(host.db, account.jid, numbers, Date.now()))
      return `${count} deleted`
    },
  })
}
