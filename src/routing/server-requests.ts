/**
 * Requests that the server makes, in its own name or in an account's (RFC 6120 §8.2.3). Their answers are found by
 * their ids; those to the server's own address may arrive at any node, so the id tells whose they are.
 */
import { Deadlines } from '../net/deadlines.ts'
import { randomId } from '../util/ids.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { errorReply } from '../xmpp/stanza.ts'
import type { Iq, Stanza } from '../xmpp/stanza.ts'

/** The time for an answer, at least; twice as much at most. */
const ANSWER_MS = 30_000
/** The most requests that wait for answers. */
const MAX_PENDING = 20_000
/** Between a node's id and the rest; a random id has none. */
const SEPARATOR = '.'

/** This node among others. */
export interface AskingNode {
  readonly id: string
  /** Hands an answer to the node that has asked, if there is such a node. */
  tell (node: string, answer: Iq): void
}

interface Pending { readonly request: Iq, readonly resolve: (answer: Iq) => void }

export class ServerRequests {
  /** Set in a cluster. */
  node: AskingNode | undefined
  readonly #post: (stanza: Stanza) => void
  readonly #pending = new Map<string, Pending>()
  readonly #deadlines = new Deadlines<string>(ANSWER_MS, id => { this.#expire(id) })

  constructor (post: (stanza: Stanza) => void) {
    this.#post = post
  }

  /** Sends the request, whatever its id, and resolves with the result or error. Never rejects. */
  ask (said: Iq): Promise<Iq> {
    const id = this.node ? `${this.node.id}${SEPARATOR}${randomId()}` : randomId()
    const request = said.withId(id)
    if (this.#pending.size >= MAX_PENDING) {
      return Promise.resolve(refusal(request, new StanzaError('resource-constraint')))
    }
    const { promise, resolve } = Promise.withResolvers<Iq>()
    this.#pending.set(id, { request, resolve })
    this.#deadlines.add(id)
    this.#post(request)
    return promise
  }

  /** Takes an answer to a request of this node or another: false where it is to none. */
  take (answer: Iq): boolean {
    const { id, type } = answer
    if (id === undefined || (type !== 'result' && type !== 'error')) return false
    const pending = this.#pending.get(id)
    if (!pending) return this.#passOn(answer, id)
    if (!isAnswerTo(pending.request, answer)) return false // who was not asked has no say
    this.#remove(id)
    pending.resolve(answer)
    return true
  }

  #passOn (answer: Iq, id: string): boolean {
    const node = id.slice(0, Math.max(0, id.lastIndexOf(SEPARATOR)))
    if (!this.node || node === '' || node === this.node.id) return false
    this.node.tell(node, answer)
    return true
  }

  #expire (id: string): void {
    const pending = this.#pending.get(id)
    this.#remove(id)
    pending?.resolve(refusal(pending.request, new StanzaError('remote-server-timeout', 'there was no answer in time')))
  }

  #remove (id: string): void {
    this.#pending.delete(id)
    this.#deadlines.delete(id)
  }
}

function isAnswerTo (request: Iq, { from, to }: Iq): boolean {
  if (!from || !to) return false
  return request.to?.equals(from) === true && request.from?.equals(to) === true
}

function refusal (request: Iq, error: StanzaError): Iq {
  return errorReply(request, error) as Iq // the reply to an iq is an iq
}
