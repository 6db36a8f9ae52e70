/**
 * What became of one's messages, for every device to ask: which are with the other side, by its stream's word or by a
 * receipt (XEP-0184: Message Delivery Receipts), and which were read (XEP-0333: Displayed Markers). See docs/status.md.
 */
import { el, extension, parseAddress, StanzaError, Turns } from '../../src/extension/api.ts'
import type { AccountView, ExtensionHost, Jid, Message, SessionView, Stanza } from '../../src/extension/api.ts'
import { StatusBuffer } from './status-buffer.ts'
import { readStatus, removeStatus, saveUpdates } from './store.ts'

const NS = 'urn:heliograph:status:0'
const NS_RECEIPTS = 'urn:xmpp:receipts'
const NS_MARKERS = 'urn:xmpp:chat-markers:0'
const SAVE_MS = 1000

export const messageStatus = extension({
  name: 'message-status',
  xeps: ['0184@1.4.0', '0333@1.0.0'],
  setup (host) {
    const { archive } = host.messages
    if (!archive) return // a status is about archived messages
    const heard = new StatusBuffer()
    const saveAll = async (): Promise<void> => {
      const updates = heard.take()
      if (updates.length === 0) return
      try {
        await saveUpdates(host.db, archive, updates)
      } catch (error) { // the database's: the next time, then
        heard.putBack(updates)
        throw error
      }
    }
    const turns = new Turns()
    // One at a time: when it is done, what others had begun to save is, too.
    const save = async (): Promise<void> => turns.inTurn(NS, saveAll)

    host.disco.feature(NS, 'account')
    host.when('stanza.delivered', (stanza, session) => { noteDelivery(heard, host.hosts, stanza, session) })
    host.on('receive', 'fanout', (message, account) => { noteWord(heard, message, account) })
    host.every(SAVE_MS, save)
    host.when('account.beforeMove', save)
    host.when('account.removed', account => {
      heard.forget(account.toString())
      return removeStatus(host.db, account.toString())
    })
    host.atShutdown(save)
    host.cluster?.answer(async () => {
      await save()
      return ''
    })
    host.iq({ type: 'get', to: ['own-account'], name: 'status', ns: NS }, async ({ payload }, { account, jid }) => {
      const peer = addressOf(payload.attrs.with)
      await Promise.all([save(), saveAtHomeOf(host, peer)])
      const [owner, about] = [account.jid.toString(), peer.toString()]
      const { delivered, displayed } = await host.readFor(jid, db => readStatus(db, owner, about))
      return el('status', NS, { with: about, delivered: idOf(account, delivered), displayed: idOf(account, displayed) })
    })
  },
})

/** What that account has is known at its home first. */
async function saveAtHomeOf ({ cluster, log }: ExtensionHost, account: Jid): Promise<void> {
  try {
    const home = await cluster?.homeOf(account)
    if (home !== undefined) await cluster?.ask(home, ['save'])
  } catch (error) { // it is gone, or Redis is: what it had told before has to do
    log.debug({ event: 'message_status.query_failed', err: error }, 'message-status: query to another node failed')
  }
}

/** A device has a message of somebody who has an account here. */
function noteDelivery (heard: StatusBuffer, hosts: readonly string[], stanza: Stanza, { account }: SessionView): void {
  const { archiveNumber, from, id } = stanza
  if (archiveNumber === undefined || id === undefined || !from?.local || from.bare.equals(account.jid)) return
  if (!hosts.includes(from.domain)) return
  heard.delivered(from.bare.toString(), account.jid.toString(), id, Number(archiveNumber))
}

/** A receipt or a marker has come for the account. */
function noteWord (heard: StatusBuffer, message: Message, account: AccountView): void {
  const { from, type } = message
  if (!from || type === 'error' || type === 'groupchat') return
  const received = message.has('received', NS_RECEIPTS) ? message.attributesOf('received', NS_RECEIPTS)?.id : undefined
  const displayed = message.has('displayed', NS_MARKERS) ? message.attributesOf('displayed', NS_MARKERS)?.id : undefined
  if (received !== undefined) heard.received(account.jid.toString(), from.bare.toString(), received)
  if (displayed !== undefined) heard.displayed(account.jid.toString(), from.bare.toString(), displayed)
}

function idOf ({ archiveIds }: AccountView, seq: number): string | undefined {
  return seq === 0 ? undefined : archiveIds.encode(seq)
}

function addressOf (text: string | undefined): Jid {
  if (text === undefined) throw new StanzaError('bad-request', 'the request names no contact')
  return parseAddress(text).bare
}
