/**
 * Pings (XEP-0199) from a local domain to a remote one, behind stanzas on the same stream: an answer, also an error,
 * means that they were read. It may come on another stream, and at another node.
 */
import { Deadlines } from '../net/deadlines.ts'
import { randomId } from '../util/ids.ts'
import { el } from '../xml/element.ts'
import { Jid } from '../xmpp/jid.ts'
import { iq } from '../xmpp/stanza.ts'
import type { Iq, Stanza } from '../xmpp/stanza.ts'
import { LinkError } from './link.ts'
import type { Pings } from './stream-link.ts'

export const NS_PING = 'urn:xmpp:ping'

/** The time for an answer, at least; twice as much at most. */
const ANSWER_MS = 60_000
/** Between a node's name and the rest of an id; a base64url id has none. */
const SEPARATOR = '.'

/** An answer that is another node's. */
export interface PingAnswer { readonly id: string, readonly local: string, readonly remote: string }

/** This node among others. */
export interface PingNode {
  readonly name: string
  /** Tells the node of the answer: false where there is no such node. */
  tell (node: string, answer: PingAnswer): boolean
}

interface Pending { readonly local: string, readonly remote: string, readonly done: PromiseWithResolvers<void> }

export class PendingPings implements Pings {
  readonly #node: PingNode | undefined
  readonly #pending = new Map<string, Pending>()
  readonly #deadlines = new Deadlines<string>(ANSWER_MS, id => { this.#expire(id) })

  /** `node` in a cluster. */
  constructor (node?: PingNode) {
    this.#node = node
  }

  /** Resolves when the remote domain has answered; rejects when it takes too long. */
  ping (local: string, remote: string, send: (request: Stanza) => void): Promise<void> {
    const id = this.#node ? `${this.#node.name}${SEPARATOR}${randomId()}` : randomId()
    const done = Promise.withResolvers<void>()
    this.#pending.set(id, { local, remote, done })
    this.#deadlines.add(id)
    send(iq('get', { from: Jid.parse(local), to: Jid.parse(remote), id }, el('ping', NS_PING)))
    return done.promise
  }

  /** Takes an answer from another server, for this node or another: false where it is to no ping. */
  take ({ type, id, from, to }: Iq): boolean {
    if (id === undefined || !from?.isDomain || !to?.isDomain || (type !== 'result' && type !== 'error')) return false
    const answer = { id, local: to.domain, remote: from.domain }
    if (this.answered(answer)) return true
    const node = id.slice(0, Math.max(0, id.lastIndexOf(SEPARATOR)))
    return this.#node !== undefined && node !== '' && node !== this.#node.name && this.#node.tell(node, answer)
  }

  /** An answer to a ping of this node, taken here or at another node: false where it is to none. */
  answered ({ id, local, remote }: PingAnswer): boolean {
    const pending = this.#pending.get(id)
    if (pending?.local !== local || pending.remote !== remote) return false
    this.#remove(id)
    pending.done.resolve()
    return true
  }

  #expire (id: string): void {
    const pending = this.#pending.get(id)
    this.#remove(id)
    pending?.done.reject(new LinkError('unreachable', 'it did not answer a ping'))
  }

  #remove (id: string): void {
    this.#pending.delete(id)
    this.#deadlines.delete(id)
  }
}
