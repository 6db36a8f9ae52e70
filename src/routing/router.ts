/**
 * Takes what local accounts send through their send stages, and every stanza to whoever serves its domain. What can't
 * be delivered goes back as an error, here and nowhere else; errors and results are never answered (RFC 6120 §8.3.1).
 */
import type { StageTable } from '../extension/stages.ts'
import type { Logger } from '../log.ts'
import type { Account } from '../session/account.ts'
import type { Session } from '../session/session.ts'
import { neverRejects } from '../util/background.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { withoutForged } from '../xmpp/forged.ts'
import type { Jid } from '../xmpp/jid.ts'
import { errorReply } from '../xmpp/stanza.ts'
import type { Iq, Message, Presence, Stanza } from '../xmpp/stanza.ts'
import { stamp } from '../xmpp/stanza-id.ts'
import type { IqTable } from './iq-table.ts'

/** Whoever serves a domain. A promise means: not handed over yet, and what follows must wait to keep its order. */
export interface Destination {
  /** Loads what a message to that address needs; nothing when it is there. */
  prepare? (to: Jid): Promise<void> | undefined
  receive (stanza: Stanza): void | Promise<void>
  /** As `receive`, for another node: false where whom it is for is not at home here. */
  receiveHere (stanza: Stanza): boolean | Promise<boolean>
}

/** What a session's own presence and subscriptions do (RFC 6121 §3 and §4). */
export interface PresenceOutlet {
  send (presence: Presence, sender: Session): void | Promise<void>
}

export class Router {
  readonly #destinations = new Map<string, Destination>()
  readonly #isServed = (domain: string): boolean => this.#destinations.has(domain)
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

  /** From now on `destination` gets what is for `domain`. */
  serve (domain: string, destination: Destination): void {
    this.#destinations.set(domain, destination)
  }

  setPresenceOutlet (presence: PresenceOutlet): void {
    this.#presence = presence
  }

  /** A session sends: its account's guards, rewrites and copies, then on its way. */
  send (said: Stanza, sender: Session): void | Promise<void> {
    const stanza = withoutForged(said, sender.jid, this.#isServed)
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
      this.#stages.send.fanout(stored ? this.#asKept(addressed, account, stored.id) : addressed, sender)
    })
    return routed && copied ? this.#both(copied, routed) : copied ?? routed
  }

  /** A message as the account's archive has it. Only other sessions are sent it, and only they need the id in it. */
  #asKept (message: Message, account: Account, number: string): Message {
    return account.sessions.length > 1 ? stamp(message, account, number) : message.withArchiveId(number)
  }

  /** When both have come to an end; one promise for what a sender says to somebody while a group is committed. */
  #both (copied: Promise<void>, routed: Promise<void>): Promise<void> {
    if (this.#last?.copied !== copied || this.#last.routed !== routed) {
      this.#last = { copied, routed, done: Promise.all([copied, routed]).then(() => {}) }
    }
    return this.#last.done
  }

  /** As `route`, but what is thrown comes by the promise: the sender's copy is kept by now, and goes its way. */
  #routeStored (message: Message): void | Promise<void> {
    try {
      return this.route(message)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Loads what the stanza needs to be stored on both sides in one go; nothing when it can be at once. */
  prepare ({ to }: Stanza): Promise<void> | undefined {
    return to && this.#destinations.get(to.domain)?.prepare?.(to)
  }

  #sendIq (iq: Iq, sender: Session): void | Promise<void> {
    if (iq.id !== undefined && (iq.type === 'get' || iq.type === 'set')) sender.asks(iq.id)
    const own = sender.account.jid
    if (iq.to && !iq.to.equals(own)) return this.route(iq)
    // RFC 6120 §10.3.3: answered by the server on the account's behalf.
    if (iq.type !== 'get' && iq.type !== 'set') return
    return this.#iqs.answer(iq, ['own-account', 'account', 'address'], own, sender.jid, sender, reply => { sender.deliver(reply) })
  }

  /** Sends on the account's behalf what its guards let pass, and nothing, without a word, where they don't. */
  sendQuietly (stanza: Stanza, sender: Session): void {
    neverRejects(this.postFor(stanza, sender)) // as `postAndWait`
  }

  /** The same, in order: a promise means that it is not handed over yet. It never rejects. */
  postFor (stanza: Stanza, sender: Session): void | Promise<void> {
    if (!this.#stages.send.guard(stanza, sender.account)) return this.postAndWait(stanza)
  }

  /** Routes what nobody waits for; whatever breaks on its way is logged and costs that stanza. */
  post (stanza: Stanza): void {
    neverRejects(this.postAndWait(stanza)) // what failed is logged
  }

  /** The same, in order: a promise means that it is not handed over yet. It never rejects. */
  postAndWait (stanza: Stanza): void | Promise<void> {
    try {
      return this.route(stanza)?.catch((error: unknown) => { this.#lost(stanza, error) })
    } catch (error) { // a mistake of ours
      this.#lost(stanza, error)
    }
  }

  #lost (stanza: Stanza, error: unknown): void {
    this.#log.error({ event: 'stanza.routing_failed', err: error, stanza: stanza.summary() }, 'stanza: routing failed')
  }

  /** Hands a stanza to whoever serves the domain of its `to`. */
  route (stanza: Stanza): void | Promise<void> {
    const destination = stanza.to && this.#destinations.get(stanza.to.domain)
    if (destination) return destination.receive(stanza)
    // RFC 6120 §10.4: no other server can be reached.
    return this.bounce(stanza, new StanzaError('remote-server-not-found'))
  }

  /** Hands over what another node has forwarded: false where whom it is for is not at home here. */
  routeHere (stanza: Stanza): boolean | Promise<boolean> {
    const destination = stanza.to && this.#destinations.get(stanza.to.domain)
    return destination?.receiveHere(stanza) ?? true
  }

  /** Answers an iq that is for a server, an account or where one might be; what is no request is dropped. */
  answer (request: Iq, targets: readonly ('server' | 'account' | 'address')[], to: Jid): void | Promise<void> {
    if (request.type !== 'get' && request.type !== 'set' || !request.from) return
    return this.#iqs.answer(request, targets, to, request.from, undefined, reply => { this.post(reply) })
  }

  /** Tells a session why what it sent goes nowhere: directly, since its own guards may not like the address. */
  refuse (stanza: Stanza, error: StanzaError, sender: Session): void {
    if (!isAnswer(stanza)) sender.deliver(errorReply(stanza, error))
  }

  /**
   * Tells the sender why a stanza did not get where it should, unless it is one that must not be answered; `by` is who
   * says so, where that is not whom it was for. Never rejects.
   */
  bounce (stanza: Stanza, error: StanzaError, by?: Jid): void | Promise<void> {
    if (!stanza.from || isAnswer(stanza)) return
    const reply = errorReply(stanza, error, by)
    // XEP-0045 §18.1: whom what a room says to all does not reach is the room's matter, not that of who said it there.
    const isForRoom = stanza.isMulticast && stanza.type === 'groupchat'
    return this.postAndWait(isForRoom ? reply.withAddress(reply.from, stanza.from.bare) : reply)
  }
}

/** RFC 6120 §8.3.1: an error is never answered, nor is a result. */
function isAnswer (stanza: Stanza): boolean {
  return stanza.type === 'error' || (stanza.kind === 'iq' && stanza.type === 'result')
}
