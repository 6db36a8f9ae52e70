/** The archived form of a message, and the fingerprint by which a duplicate is recognised. */
import { hash } from 'node:crypto'
import { originId, undelayedContent } from '../../src/extension/api.ts'
import type { AccountView, Jid, WriteWithArchive, Message } from '../../src/extension/api.ts'
import type { Entry } from './store.ts'

export type Draft = Omit<Entry, 'owner' | 'seq'>

type WriterFor = (message: Message) => WriteWithArchive | undefined

/** An index entry has at most 2700 bytes, of which the owner's address may take most. */
const MAX_PEER_BYTES = 600
/** UTF-8 takes that for each unit of a string at most. */
const MAX_BYTES_PER_UNIT = 3

/** The key of the peer's account in the archive. */
export function peerKey ({ bare }: Jid): string {
  const text = bare.toString()
  const isShort = text.length * MAX_BYTES_PER_UNIT <= MAX_PEER_BYTES || Buffer.byteLength(text) <= MAX_PEER_BYTES
  return isShort ? text : hash('sha256', text, 'base64')
}

/** Makes drafts. Both archives of a message ask one after the other, and share the expensive parts. */
export function drafter (
  writerFor: WriterFor,
): (message: Message, account: AccountView, isSent: boolean) => Draft {
  let last: Message | undefined
  let stanza: Buffer = Buffer.alloc(0)
  let fingerprint: string | undefined
  let alongside: WriteWithArchive | undefined
  return (message, account, isSent) => {
    if (message !== last) {
      last = message
      stanza = message.toBytes()
      fingerprint = fingerprintOf(message, message.from?.bare)
      alongside = writerFor(message)
    }
    const peer = peerKey((isSent ? message.to : message.from) ?? account.jid)
    return { peer, isSent, sentAt: Date.now(), fingerprint, stanza, alongside }
  }
}

/**
 * Makes drafts for rooms' archives: the author, and the message as all get it. XEP-0313 §6.1.2: without a recipient.
 * `isDuplicate` is asked just before.
 */
export function roomDrafter (writerFor: WriterFor): (message: Message, author: Jid) => Draft {
  let last: { readonly message: Message, readonly draft: Draft } | undefined
  return (message, author) => {
    if (last?.message === message) return last.draft
    const draft = {
      peer: peerKey(author), isSent: false, sentAt: Date.now(), fingerprint: fingerprintOf(message, author),
      stanza: message.withAddress(message.from, undefined).toBytes(), alongside: writerFor(message),
    }
    last = { message, draft }
    return draft
  }
}

/**
 * Sender, recipient, id and content, where the client gave an id; a delay that it added since does not count. Without
 * an id the stream's stanza count may tell, as unacknowledged stanzas are sent again.
 */
function fingerprintOf (message: Message, author: Jid | undefined): string | undefined {
  const id = originId(message)
  if (id === undefined) return message.dedupKey
  return hash('sha1', `${author}\0${message.to?.bare}\0${id}\0${undelayedContent(message)}`, 'base64')
}
