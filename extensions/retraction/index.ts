/**
 * XEP-0424: Message Retraction. A retraction is kept as any message is, and with it that it is to be carried out: what
 * its author retracts is replaced by a tombstone in the archives of both sides, as is what corrected it (XEP-0308: Last
 * Message Correction), at the latest before the server serves anybody again.
 */
import { extension, form, Jid, StanzaError } from '../../src/extension/api.ts'
import type { ExtensionHost, Message } from '../../src/extension/api.ts'
import { Carrier } from './carrier.ts'
import { awaitRetractions, carryOutWaiting, remove } from './store.ts'
import type { Entombed } from './store.ts'

const NS = 'urn:xmpp:message-retract:1'

/** A database that was away is asked again. */
const RETRY_MS = 60_000

const NODE = 'urn:heliograph:retraction:delete'
const ID = /^[1-9]\d{0,14}$/
const MAX_IDS = 100

export const retraction = extension({
  name: 'retraction',
  xeps: ['0424@0.4.2'],
  async setup (host) {
    const failed = (error: unknown): void => { // the database's: what waits is carried out the next time
      host.log.error({ err: error }, 'a message that was retracted could not be replaced')
    }
    const done = (entombed: Entombed): void => { forgetInRoom(host, entombed).catch(failed) }
    const carrier = new Carrier(() => carryOutWaiting(host.db, done, failed), failed)
    await carryOutWaiting(host.db, () => {}, failed).catch(failed) // what the end of the server before this one left
    host.every(RETRY_MS, () => { carrier.ask() })

    offerRemoval(host, task => carrier.inTurn(task))
    host.feature(NS)
    host.feature(NS, 'account')
    host.feature(`${NS}#tombstone`, 'account')
    host.feature(NS, 'room')
    host.feature(`${NS}#tombstone`, 'room')
    host.payload(NS, { store: true, copy: true, wake: false })
    host.keepWith(NS, awaitRetractions)
    const retract = (message: Message): void => { if (message.has('retract', NS)) carrier.add() }
    host.on('send', 'guard', stanza => {
      if (!carrier.isFull || stanza.kind !== 'message' || !stanza.has('retract', NS)) return
      return new StanzaError('resource-constraint', 'too many retractions wait')
    })
    host.on('send', 'fanout', retract)
    host.on('receive', 'fanout', retract)
    host.on('room', 'fanout', retract)
  },
})

/** §5: newcomers to a room are not shown what was taken back. */
async function forgetInRoom (host: ExtensionHost, { owner, seqs }: Entombed): Promise<void> {
  const jid = Jid.parse(owner)
  const room = seqs.length > 0 && host.roomDomains.includes(jid.domain) ? await host.room(jid) : undefined
  room?.history.forget(seqs.map(String))
}

/**
 * A command (XEP-0050: Ad-Hoc Commands) by which an account's owner empties messages of its archive, in turn with the
 * rest.
 */
function offerRemoval (host: ExtensionHost, inTurn: (task: () => Promise<void>) => Promise<void>): void {
  host.command({
    node: NODE,
    name: 'Delete messages from my archive',
    form: form('form', NODE, [{ name: 'ids', values: [], type: 'text-multi', label: 'Ids of the messages in the archive, one a line' }]),
    async run (values, { account }) {
      const ids = values.get('ids') ?? []
      if (ids.length > MAX_IDS || !ids.every(id => ID.test(id))) throw new StanzaError('bad-request', 'these are not ids')
      let count = 0
      await inTurn(async () => { count = await remove(host.db, account.jid, ids.map(Number), Date.now()) })
      return `${count} deleted`
    },
  })
}
