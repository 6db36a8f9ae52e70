/**
 * Routes stanzas: those of local accounts through the stages of `send`, and every stanza to the destination that serves
 * its domain. Undeliverable stanzas are answered with an error here and nowhere else; errors and results never are
 * (RFC 6120 §8.3.1).
 */
import type { StageTable } from '../extension/stages.ts'
import type { Logger } from '../log.ts'
import type { Account } from '../session/account.ts'
import type { Session } from '../session/session.ts'
import { neverRejects } from '../util/background.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { withoutForged } from '../xmpp/forged.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_HINTS } from '../xmpp/ns.ts'
import { errorReply } from '../xmpp/stanza.ts'
import type { Iq, Message, Presence, Stanza } from '../xmpp/stanza.ts'
import { stamp } from '../xmpp/stanza-id.ts'
import type { IqTable } from './iq-table.ts'
import { ServerRequests } from './server-requests.ts'

/**
 * The server of a domain. A returned promise means that the stanza is not delivered yet, and later ones must wait to
 * keep their order.
 */
export interface Destination {
  /** Loads the recipient's account; undefined where that is in memory. */
  prepare? (to: Jid): Promise<void> | undefined
  receive (stanza: Stanza): void | Promise<void>
  /** As `receive`, for the other node `from`: false where this node does not own the recipient. */
  receiveHere (stanza: Stanza, from: string): boolean | Promise<boolean>
}

/** The handler of a session's own presence and subscriptions (RFC 6121 §3 and §4). */
export interface PresenceOutlet {
  send (presence: Presence, sender: Session): void | Promise<void>
}

/** Who sends: a session, or an account without one. */
type Sender = Pick<Session, 'account'>

export class Router {
  readonly #destinations = new Map<string, Destination>()
  /** Whether this server speaks for a domain. */
  readonly isServed = (domain: string): boolean => this.#destinations.has(domain)
  /** Requests of the server's own. */
  readonly requests = new ServerRequests(request => { this.post(request) })
  #others: Destination | undefined
  readonly #stages: StageTable
  readonly #iqs: IqTable
  readonly #log: Logger
  #presence: PresenceOutlet | undefined
  #last: { readonly copied: Promise<void>, readonly routed: Promise<void>, readonly done: Promise<void> } | undefined

  constructor (stages: StageTable, iqs: IqTable, log: Logger) {
    this.#stages = stages
    this.#iqs = iqs
    this.#log = log
  }

  /** Routes stanzas for `domain` to `destination`. */
  serve (domain: string, destination: Destination): void {
    this.#destinations.set(domain, destination)
  }

  /** Routes stanzas for all other domains to `destination`; without one they are answered remote-server-not-found. */
  serveOthers (destination: Destination): void {
    this.#others = destination
  }

  #destination ({ domain }: Jid): Destination | undefined {
    return this.#destinations.get(domain) ?? this.#others
  }

  setPresenceOutlet (presence: PresenceOutlet): void {
    this.#presence = presence
  }

  /** Sends a session's stanza, through the stages of `send`. */
  send (said: Stanza, sender: Session): void | Promise<void> {
    const stanza = withoutForged(said, sender.jid, this.isServed)
    const verdict = this.#stages.send.guard(stanza, sender.account)
    if (verdict === 'drop') return
    if (verdict) return this.refuse(stanza, verdict, sender)
    let sent: Stanza
    try {
      sent = this.#stages.send.rewrite(stanza, sender)
    } catch (error) {
      if (error instanceof StanzaError) return this.refuse(stanza, error, sender)
      throw error
    }
    this.#stages.send.seen(sent, sender)
    if (sent.kind === 'message') return this.#sendMessage(sent, sender)
    return sent.kind === 'presence' ? this.#presence?.send(sent, sender) : this.#sendIq(sent, sender)
  }

  #sendMessage (message: Message, sender: Session): void | Promise<void> {
    const { account } = sender
    // RFC 6120 §10.3.1: without a 'to' it is for the sender's own account.
    const addressed = message.to ? message : message.withAddress(message.from, account.jid)
    const stored = this.#stages.send.store(addressed, sender)
    const routed = this.#routeStored(addressed) // in the same tick: both copies are in one transaction
    const copied = stored?.isRepeat ? stored.committed : account.commits.afterCommit(stored?.committed, () => {
      this.#stages.send.fanout(stored ? this.#asKept(addressed, account, stored.number) : addressed, sender)
    })
    return routed && copied ? this.#both(copied, routed) : copied ?? routed
  }

  /** A message as the account's archive has it. Only other sessions are sent it, and only they need the id in it. */
  #asKept (message: Message, account: Account, number: string): Message {
    return account.sessions.length > 1 ? stamp(message, account, number) : message.withArchiveNumber(number)
  }

  /** Resolves when both are done. Messages of one sender to one recipient within a commit share the promise. */
  #both (copied: Promise<void>, routed: Promise<void>): Promise<void> {
    if (this.#last?.copied !== copied || this.#last.routed !== routed) {
      this.#last = { copied, routed, done: Promise.all([copied, routed]).then(() => {}) }
    }
    return this.#last.done
  }

  /** As `route`, but rejects instead of throwing: the sender's copy is being archived already. */
  #routeStored (message: Message): void | Promise<void> {
    try {
      return this.route(message)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Loads the recipient, so that both copies are archived in one transaction; undefined where it is in memory. */
  prepare ({ to }: Stanza): Promise<void> | undefined {
    return to && this.#destinations.get(to.domain)?.prepare?.(to)
  }

  #sendIq (iq: Iq, sender: Session): void | Promise<void> {
    if (iq.id !== undefined && (iq.type === 'get' || iq.type === 'set')) sender.asks(iq.id)
    const own = sender.account.jid
    if (iq.to && !iq.to.equals(own)) return this.route(iq)
    // RFC 6120 §10.3.3: answered by the server on the account's behalf.
    if (iq.type !== 'get' && iq.type !== 'set') return
    return this.#iqs.answer(iq, ['own-account', 'account', 'address'], own, sender.jid, sender,
      reply => { sender.deliver(reply) })
  }

  /** Sends a stanza on the account's behalf, unless its guards refuse it; the refusal is silent. */
  sendQuietly (stanza: Stanza, sender: Sender): void {
    neverRejects(this.postFor(stanza, sender)) // as `postAndWait`
  }

  /** The same, in order: a returned promise means that it is not delivered yet. It never rejects. */
  postFor (stanza: Stanza, sender: Sender): void | Promise<void> {
    if (!this.#stages.send.guard(stanza, sender.account)) return this.postAndWait(stanza)
  }

  /** Routes a stanza in the background; a failure is logged and costs that stanza only. */
  post (stanza: Stanza): void {
    neverRejects(this.postAndWait(stanza))
  }

  /** The same, in order: a returned promise means that it is not delivered yet. It never rejects. */
  postAndWait (stanza: Stanza): void | Promise<void> {
    try {
      return this.route(stanza)?.catch((error: unknown) => { this.#lost(stanza, error) })
    } catch (error) { // a bug
      this.#lost(stanza, error)
    }
  }

  #lost (stanza: Stanza, error: unknown): void {
    this.#log.error({ event: 'stanza.routing_failed', err: error, stanza: stanza.summary() }, 'stanza: routing failed')
  }

  /** Routes a stanza to the destination of its `to`; takes the answers to the server's own requests. */
  route (stanza: Stanza): void | Promise<void> {
    if (stanza.kind === 'iq' && this.requests.take(stanza)) return
    const destination = stanza.to && this.#destination(stanza.to)
    if (destination) return destination.receive(stanza)
    // RFC 6120 §10.4: no other server can be reached.
    return this.bounce(stanza, new StanzaError('remote-server-not-found'))
  }

  /** Routes a stanza that the node `from` has forwarded; false where this node does not own the recipient. */
  routeHere (stanza: Stanza, from: string): boolean | Promise<boolean> {
    const destination = stanza.to && this.#destination(stanza.to)
    return destination?.receiveHere(stanza, from) ?? true
  }

  /** Answers an iq request for a server or for an account, existing or not. */
  answer (request: Iq, targets: readonly ('server' | 'account' | 'address')[], to: Jid): void | Promise<void> {
    if (request.type !== 'get' && request.type !== 'set' || !request.from) return
    return this.#iqs.answer(request, targets, to, request.from, undefined, reply => { this.post(reply) })
  }

  /** Answers a session's stanza with an error: directly, since the account's guards may refuse the address. */
  refuse (stanza: Stanza, error: StanzaError, sender: Session): void {
    if (!isAnswer(stanza)) sender.deliver(errorReply(stanza, error))
  }

  /**
   * Answers a stanza with an error, unless it is one that must not be answered; `by` is the error's sender, if that is
   * not the stanza's recipient. Never rejects.
   */
  bounce (stanza: Stanza, error: StanzaError, by?: Jid): void | Promise<void> {
    if (!stanza.from || isAnswer(stanza)) return
    const reply = errorReply(stanza, error, by)
    // XEP-0045 §18.1: errors for a room's groupchat messages go to the room, not to the occupant who sent the message.
    const isForRoom = stanza.isMulticast && stanza.type === 'groupchat'
    return this.postAndWait(isForRoom ? reply.withAddress(reply.from, stanza.from.bare) : reply)
  }

  /**
   * Answers a message that was accepted, and can't be delivered after all, with an error for `sender`: kept for the
   * account as messages are, for the session may be gone. Under the same key it is kept once. Rejects, or throws, where
   * it can't be kept now.
   */
  giveBack (message: Message, error: StanzaError, sender: Jid, key: string): void | Promise<void> {
    if (isAnswer(message)) return
    const reply = errorReply(message, error).withAddress(message.to, sender) as Message
    return this.route(reply.withWritten('store', NS_HINTS, `<store xmlns='${NS_HINTS}'/>`).withDedupKey(key))
  }
}

/** RFC 6120 §8.3.1: an error is never answered, nor is a result. */
function isAnswer (stanza: Stanza): boolean {
  return stanza.type === 'error' || (stanza.kind === 'iq' && stanza.type === 'result')
}
