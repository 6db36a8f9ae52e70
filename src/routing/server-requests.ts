/**
 * Requests that the server makes, in its own name or in an account's (RFC 6120 §8.2.3). Their answers are found by
 * their ids, and may arrive at any node, so the id tells whose they are.
 */
import { Deadlines } from '../net/deadlines.ts'
import { randomId } from '../util/ids.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { errorReply } from '../xmpp/stanza.ts'
import type { Iq, Stanza } from '../xmpp/stanza.ts'

/** The time for an answer, at least; twice as much at most. */
const ANSWER_MS = 30_000
/** The same for a request that may have to be read behind much else. */
const BEHIND_MS = 60_000
/** The most requests that wait for answers, those on given streams left out. */
const MAX_PENDING = 20_000
/** Between a node's id and the rest; a random id has none. */
const SEPARATOR = '.'

/** This node among others. */
export interface AskingNode {
  readonly id: string
  /** Hands an answer to the node that has asked: false where there is no such node. */
  tell (node: string, answer: Iq): boolean
}

interface Pending { readonly request: Iq, readonly resolve: (answer: Iq) => void }

export class ServerRequests {
  /** Set in a cluster. */
  node: AskingNode | undefined
  readonly #post: (stanza: Stanza) => void
  readonly #pending = new Map<string, Pending>()
  readonly #deadlines = new Deadlines<string>(ANSWER_MS, id => { this.#expire(id) })
  readonly #behind = new Deadlines<string>(BEHIND_MS, id => { this.#expire(id) })

  constructor (post: (stanza: Stanza) => void) {
    this.#post = post
  }

  /** Sends the request, whatever its id, and resolves with the result or error. Never rejects. */
  ask (said: Iq): Promise<Iq> {
    if (this.#pending.size >= MAX_PENDING) {
      return Promise.resolve(refusal(said, new StanzaError('resource-constraint')))
    }
    return this.#ask(said, this.#post, this.#deadlines)
  }

  /** The same on a given stream, behind what was sent there. How many there are is the caller's to limit. */
  askOn (send: (request: Iq) => void, said: Iq): Promise<Iq> {
    return this.#ask(said, send, this.#behind)
  }

  #ask (said: Iq, send: (request: Iq) => void, deadlines: Deadlines<string>): Promise<Iq> {
    const id = this.node ? `${this.node.id}${SEPARATOR}${randomId()}` : randomId()
    const request = said.withId(id)
    const { promise, resolve } = Promise.withResolvers<Iq>()
    this.#pending.set(id, { request, resolve })
    deadlines.add(id)
    send(request)
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
    return this.node !== undefined && node !== '' && node !== this.node.id && this.node.tell(node, answer)
  }

  #expire (id: string): void {
    const pending = this.#pending.get(id)
    this.#remove(id)
    pending?.resolve(refusal(pending.request, new StanzaError('remote-server-timeout', 'there was no answer in time')))
  }

  #remove (id: string): void {
    this.#pending.delete(id)
    this.#deadlines.delete(id)
    this.#behind.delete(id)
  }
}

function isAnswerTo (request: Iq, { from, to }: Iq): boolean {
  if (!from || !to) return false
  return request.to?.equals(from) === true && request.from?.equals(to) === true
}

function refusal (request: Iq, error: StanzaError): Iq {
  return errorReply(request, error) as Iq // the reply to an iq is an iq
}
