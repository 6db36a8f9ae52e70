/**
 * XEP-0313: Message Archive Management. Keeps what passes an account's way before anybody gets it, numbers it without
 * gaps (the numbers are the ids of XEP-0359), recognises what comes again, and answers queries.
 */
import { hash } from 'node:crypto'
import { z } from 'zod'
import { batchedRead, extension, originId } from '../../src/extension/api.ts'
import type { Account, Message, Stored } from '../../src/extension/api.ts'
import { loadTails } from './store.ts'
import type { Tail } from './store.ts'
import { Archive, Writer } from './writer.ts'

const NS = 'urn:xmpp:mam:2'
const NS_STANZA_ID = 'urn:xmpp:sid:0'

const EMPTY: Tail = { last: 0, recent: new Map() }

export const archive = extension({
  name: 'archive',
  xeps: ['0313@1.1.3', '0359@0.7.0'],
  config: z.strictObject({
    /** How long messages wait for the database before their senders are told to try again. */
    patience: z.number().min(0).default(10),
  }).prefault({}),
  setup (host, { patience }) {
    const readTail = batchedRead((owners: readonly string[]) => loadTails(host.db, owners))
    const archives = host.accountData(async (_db, account) => new Archive(await readTail(account.toString()) ?? EMPTY))
    const writer = new Writer(host.db, host.log, patience * 1000)
    const prepare = preparer()

    host.feature(NS, 'account')
    host.feature(NS_STANZA_ID, 'account')

    const keep = (message: Message, account: Account, isSent: boolean): Stored | undefined => {
      if (account.isAnonymous || !host.worth(message).store) return
      const target = archives.of(account)
      const { bytes, fingerprint } = prepare(message)
      const before = fingerprint === undefined ? undefined : target.recent.get(fingerprint)
      if (before !== undefined) {
        return { id: String(before), committed: target.pending ?? Promise.resolve(), isRepeat: true }
      }
      const peer = (isSent ? message.to : message.from) ?? account.jid
      const { seq, committed } = writer.append(target, {
        owner: account.jid.toString(), peer: peer.bare.toString(), isSent, sentAt: Date.now(), fingerprint, stanza: bytes,
      })
      return { id: String(seq), committed }
    }
    host.on('send', 'store', (message, { account }) => keep(message, account, true))
    host.on('receive', 'store', (message, account) => {
      const isOwn = message.from?.bare.equals(account.jid) ?? false
      return isOwn ? undefined : keep(message, account, false) // kept when it was sent
    })
  },
})

interface Prepared { readonly bytes: Buffer, readonly fingerprint: string | undefined }

/** Makes of a message what both its archives keep, once: they ask one after the other. */
function preparer (): (message: Message) => Prepared {
  let last: Message | undefined
  let prepared: Prepared | undefined
  return message => {
    if (message !== last || !prepared) {
      last = message
      prepared = { bytes: message.toBytes(), fingerprint: fingerprintOf(message) }
    }
    return prepared
  }
}

/** Who, to whom, under which id, what: where the client gave an id. A delay that it added since does not count. */
function fingerprintOf (message: Message): string | undefined {
  const id = originId(message)
  if (id === undefined) return
  const { inner } = message.withoutPayload(child => child.name === 'delay' && child.ns === 'urn:xmpp:delay')
  return hash('sha1', `${message.from?.bare}\0${message.to?.bare}\0${id}\0${inner.toString('latin1')}`, 'base64')
}
