/** What an archive keeps of a message, and how it tells one that comes again. */
import { hash } from 'node:crypto'
import { originId } from '../../src/extension/api.ts'
import type { Account, Jid, WriteWithArchive, Message } from '../../src/extension/api.ts'
import type { Entry } from './store.ts'

export type Draft = Omit<Entry, 'owner' | 'seq'>

type KeptWith = (message: Message) => WriteWithArchive | undefined

/** An entry of an index holds no more than 2700 bytes, of which the owner's address may take most. */
const MAX_PEER_BYTES = 600

/** What stands for the other side's account in the archive. */
export function peerKey ({ bare }: Jid): string {
  const text = bare.toString()
  return Buffer.byteLength(text) <= MAX_PEER_BYTES ? text : hash('sha256', text, 'base64')
}

/** Makes drafts. Both archives of a message ask one after the other, and share what takes time. */
export function drafter (
  keptWith: KeptWith,
): (message: Message, account: Account, isSent: boolean) => Draft {
  let last: Message | undefined
  let stanza: Buffer = Buffer.alloc(0)
  let fingerprint: string | undefined
  let keepWith: WriteWithArchive | undefined
  return (message, account, isSent) => {
    if (message !== last) {
      last = message
      stanza = message.toBytes()
      fingerprint = fingerprintOf(message, message.from?.bare)
      keepWith = keptWith(message)
    }
    const peer = peerKey((isSent ? message.to : message.from) ?? account.jid)
    return { peer, isSent, sentAt: Date.now(), fingerprint, stanza, keepWith }
  }
}

/**
 * Makes drafts of what a room's archive keeps: whose it is, and the message as all get it. XEP-0313 §6.1.2: to nobody in
 * particular. Whether it is known is asked just before.
 */
export function roomDrafter (keptWith: KeptWith): (message: Message, author: Jid) => Draft {
  let last: { readonly message: Message, readonly draft: Draft } | undefined
  return (message, author) => {
    if (last?.message === message) return last.draft
    const draft = {
      peer: peerKey(author), isSent: false, sentAt: Date.now(), fingerprint: fingerprintOf(message, author),
      stanza: message.withAddress(message.from, undefined).toBytes(), keepWith: keptWith(message),
    }
    last = { message, draft }
    return draft
  }
}

/**
 * Who, to whom, under which id, what: where the client gave an id. A delay that it added since does not count. Where it
 * gave none its stream's count may tell, since it sends again what was not acknowledged.
 */
function fingerprintOf (message: Message, author: Jid | undefined): string | undefined {
  const id = originId(message)
  if (id === undefined) return message.dedupKey
  const { inner } = message.withoutPayload(child => child.name === 'delay' && child.ns === 'urn:xmpp:delay')
  return hash('sha1', `${author}\0${message.to?.bare}\0${id}\0${inner.toString('latin1')}`, 'base64')
}
