/**
 * Recognises messages that their senders send again: those that wait for a domain, or were confirmed lately (XEP-0359).
 */
import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { randomId } from '../../util/ids.ts'
import { undelayedContent } from '../../xmpp/forward.ts'
import { hasUniqueId, originId } from '../../xmpp/stanza-id.ts'
import type { Message } from '../../xmpp/stanza.ts'

/** Confirmed messages that are remembered: at least so many, at most twice as many. */
const RECENT = 1000

export class Repeats {
  readonly #waiting = new Set<string>()
  #recent = new Set<string>()
  #older: ReadonlySet<string> = new Set()

  has (fingerprint: string): boolean {
    return this.#waiting.has(fingerprint) || this.#recent.has(fingerprint) || this.#older.has(fingerprint)
  }

  add (fingerprint: string): void {
    this.#waiting.add(fingerprint)
  }

  /** The message was delivered. */
  confirm (fingerprint: string): void {
    this.#waiting.delete(fingerprint)
    this.#recent.add(fingerprint)
    if (this.#recent.size < RECENT) return
    this.#older = this.#recent
    this.#recent = new Set()
  }

  /** The message was given back, and may be sent anew. */
  forget (fingerprint: string): void {
    this.#waiting.delete(fingerprint)
  }
}

/** The message with an id, by which its receivers recognise it when it comes again: always the same one. */
export function withId (message: Message): Message {
  if (message.id !== undefined) return message
  const key = message.dedupKey ?? originId(message)
  return message.withId(key === undefined ? randomId() : hash('sha1', `${message.from?.bare} ${key}`, 'base64url'))
}

/** Longer fingerprints are hashed. */
const MAX_LENGTH = 200

/**
 * Sender, recipient, id and the content's checksum; a delay that was added since does not count. Undefined for a
 * message that nothing tells from a later one in the same words.
 */
export function fingerprintOf (message: Message): string | undefined {
  const origin = originId(message)
  if (origin === undefined && !hasUniqueId(message)) return
  const [from, id] = origin === undefined ? [message.from, message.id] : [message.from?.bare, origin]
  const content = undelayedContent(message)
  const fingerprint = `${from}\n${message.to}\n${content.length} ${crc32(content)}\n${id}`
  return fingerprint.length > MAX_LENGTH ? hash('sha1', fingerprint, 'base64') : fingerprint
}
