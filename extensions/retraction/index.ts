/**
 * XEP-0424: Message Retraction. A retraction is kept as any message is; what its author retracts is replaced by a
 * tombstone in the archives of both sides, and with it what corrected it (XEP-0308: Last Message Correction).
 */
import { extension, form, GroupWriter, StanzaError } from '../../src/extension/api.ts'
import type { Account, ExtensionHost, Message } from '../../src/extension/api.ts'
import { entomb, remove } from './store.ts'
import type { Retraction } from './store.ts'

const NS = 'urn:xmpp:message-retract:1'

/** More than that is somebody's mistake, or malice: the rest stays as it is. */
const MAX_WAITING = 1000

const NODE = 'urn:heliograph:retraction:delete'
const ID = /^[1-9]\d{0,14}$/
const MAX_IDS = 100

export const retraction = extension({
  name: 'retraction',
  xeps: ['0424@0.4.2'],
  setup (host) {
    // One after the other, whoever sends them: looking for a message is not cheap.
    const work = new GroupWriter<() => Promise<void>>(async tasks => {
      for (const task of tasks) await task()
    })
    let waiting = 0
    const retract = (message: Message, account: Account, isSent: boolean): void => {
      const found = waiting < MAX_WAITING ? retractionOf(message, account, isSent) : undefined
      if (!found) return
      waiting++
      work.add(() => entomb(host.db, found)).catch((error: unknown) => { // the database's: the retraction itself is kept
        host.log.error({ err: error }, 'a message that was retracted could not be replaced')
      }).finally(() => { waiting-- })
    }

    offerRemoval(host, task => work.add(task))
    host.feature(NS)
    host.feature(NS, 'account')
    host.feature(`${NS}#tombstone`, 'account')
    host.payload(NS, { store: true, copy: true, wake: false })
    host.on('send', 'fanout', (message, { account }) => { retract(message, account, true) })
    host.on('receive', 'fanout', (message, account) => {
      if (!message.from?.bare.equals(account.jid)) retract(message, account, false)
    })
  },
})

/** A command (XEP-0050: Ad-Hoc Commands) by which an account's owner empties messages of its archive, in turn with the rest. */
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

/** What the message retracts in the account's archive, which keeps it. */
function retractionOf (message: Message, account: Account, isSent: boolean): Retraction | undefined {
  if (message.archiveId === undefined || !message.has('retract', NS)) return
  const id = message.payload('retract', NS)?.attrs.id
  const peer = isSent ? message.to : message.from
  if (id === undefined || !peer) return
  return {
    owner: account.jid.toString(), peer: peer.bare.toString(), isSent, seq: Number(message.archiveId), at: Date.now(),
    message: message.copy(), id,
  }
}
