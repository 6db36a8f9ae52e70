/**
 * What happens to a stanza that reaches an account (RFC 6121 §8.5, RFC 6120 §10.5): here where this is the account's
 * home, or on its way to the node that is.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Verdict } from '../extension/points.ts'
import type { StageTable } from '../extension/stages.ts'
import type { SessionView } from '../extension/views.ts'
import type { Presences } from '../presence/presence.ts'
import type { Destination, Router } from '../routing/router.ts'
import type { Account } from '../session/account.ts'
import type { Homes, Located } from '../session/homes.ts'
import { OwnedInbox } from '../session/owned-inbox.ts'
import type { Arrival, Outcome } from '../session/owned-inbox.ts'
import type { Session } from '../session/session.ts'
import { neverRejects } from '../util/background.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { ArchiveKeys } from '../xmpp/archive-ids.ts'
import { leftRoom } from '../xmpp/room-status.ts'
import { stamp, withoutForgedIds } from '../xmpp/stanza-id.ts'
import { presence as makePresence } from '../xmpp/stanza.ts'
import type { Iq, Message, Presence, Stanza } from '../xmpp/stanza.ts'
import { isEvent } from '../xmpp/pubsub.ts'
import type { MessagePolicies } from '../xmpp/message-policy.ts'
import type { Accounts } from './accounts.ts'
import { chooseRecipients } from './delivery.ts'

type Fate = ReturnType<typeof chooseRecipients>['otherwise']

/**
 * So long what a room says waits from its arrival for an account that can't be found out about, and so long until the
 * next attempt.
 */
const PATIENCE_MS = 60_000
const RETRY_MS = 200

export interface IncomingParts {
  readonly accounts: Accounts
  readonly stages: StageTable
  readonly router: Router
  readonly presences: Presences
  /** Whether somebody sees to a message that a session left unread. */
  readonly isTaken: (message: Message, account: Account) => boolean
  readonly policies: MessagePolicies
  readonly archiveKeys: ArchiveKeys
  /** Where this is one node of many. */
  readonly homes?: Homes | undefined
}

export class Incoming implements Destination {
  readonly #parts: IncomingParts
  readonly #inbox: OwnedInbox

  constructor (parts: IncomingParts) {
    this.#parts = parts
    const { accounts, homes, router } = parts
    this.#inbox = new OwnedInbox({
      turns: accounts.turns,
      takeNow: (stanza, to) => {
        const account = accounts.peek(to)
        if (account) return this.#receive(stanza, account)
        return homes || !isForSessionsOnly(stanza) ? false : undefined // a server alone has all sessions in memory
      },
      elsewhere: key => homes?.elsewhere(key),
      takeInTurn: arrival => this.#receiveInTurn(arrival),
    }, homes, (stanza, error) => router.bounce(stanza, error))
  }

  /** Brings the account into memory; nothing when it is there, or known to be elsewhere. */
  prepare (jid: Jid): Promise<void> | undefined {
    const { accounts, homes } = this.#parts
    if (accounts.peek(jid) || homes?.elsewhere(jid.bare.toString()) !== undefined) return
    return accounts.locate(jid).then(() => {})
  }

  /** A stanza for an account or one of its resources. A promise means: not handed over yet. */
  receive (stanza: Stanza): void | Promise<void> {
    const { to } = stanza
    if (to) return this.#inbox.receive(stanza, to)
  }

  /** As `receive`, for the other node `from`: false where this is not the account's home. */
  receiveHere (stanza: Stanza, from: string): boolean | Promise<boolean> {
    return stanza.to ? this.#inbox.receiveHere(stanza, stanza.to, from) : true
  }

  async #receiveInTurn ({ stanza, to, at }: Arrival): Promise<Outcome> {
    const located = stanza.isMulticast
      ? await this.#locatePatiently(stanza, to, at + PATIENCE_MS)
      : await this.#locate(stanza, to)
    if (located && 'node' in located) return located
    const done = located ? this.#receive(stanza, located.account) : this.#refuseUnknown(stanza, to)
    if (stanza.kind === 'iq') return { handedOver: done } // its answer may wait for what is sent to the account
    await done
    return {}
  }

  /**
   * Nobody says again what a room says to many: while Redis or the database is away it waits, in turn, `until` then
   * (milliseconds of the monotonic clock).
   */
  async #locatePatiently (stanza: Stanza, to: Jid, until: number): Promise<Located> {
    for (;;) {
      try {
        return await this.#locate(stanza, to)
      } catch (error) { // Redis's or the database's
        if (performance.now() > until) throw error
        await sleep(RETRY_MS)
      }
    }
  }

  /** No account is loaded for what means something only to sessions. */
  async #locate (stanza: Stanza, to: Jid): Promise<Located> {
    const { accounts, homes } = this.#parts
    if (!homes || !isForSessionsOnly(stanza) || accounts.peek(to)) return accounts.locate(to)
    const { node, hasOrphanedState } = await homes.find(to.bare.toString())
    if (hasOrphanedState) return accounts.locate(to)
    return node === undefined ? undefined : { node }
  }

  /**
   * RFC 6121 §8.5.1. What would be lost in silence where there is an account, is so here: no message tells the two
   * apart but one that is kept for an account, and so is seen by its owner.
   */
  #refuseUnknown (stanza: Stanza, to: Jid): void | Promise<void> {
    if (stanza.kind === 'presence') return stanza.type === 'probe' ? this.#answerProbe(stanza, to) : undefined
    if (stanza.kind === 'iq' && to.isBare) return this.#parts.router.answer(stanza, ['address'], to)
    const { otherwise } = chooseRecipients(stanza, [])
    return this.#undelivered(stanza, stanza.kind === 'message' ? this.#fateOf(stanza, otherwise) : otherwise)
  }

  /** RFC 6121 §4.3.2: as where the account is there, and its presence is not for the sender. */
  #answerProbe ({ from }: Presence, to: Jid): void | Promise<void> {
    if (!from) return
    return this.#parts.router.postAndWait(makePresence('unsubscribed', { from: to.bare, to: from.bare }))
  }

  #receive (stanza: Stanza, account: Account): void | Promise<void> {
    const { stages, router } = this.#parts
    const verdict = this.#guard(stanza, account)
    if (verdict === 'drop') return
    if (verdict) return router.bounce(stanza, verdict)
    let received: Stanza
    try {
      received = stages.receive.rewrite(stanza, account)
    } catch (error) {
      if (error instanceof StanzaError) return router.bounce(stanza, error)
      throw error
    }
    switch (received.kind) {
      case 'message': {
        const sessions = stages.receive.redirect(received, account)
        return sessions ? this.#receiveCopies(received, account, sessions) : this.#receiveMessage(received, account)
      }
      case 'presence': {
        const isDone = this.#parts.presences.receive(received, account)
        if (isDone instanceof Promise) return isDone.then(() => {})
        return isDone ? undefined : this.#deliver(received, account)
      }
      case 'iq': return this.#receiveIq(received, account)
    }
  }

  /**
   * What others say through a room is of the room's address, and of their own, which the room does not tell (XEP-0191
   * §3.3).
   */
  #guard (stanza: Stanza, account: Account): Verdict {
    const { stages } = this.#parts
    const { author, to } = stanza
    return stages.receive.guard(stanza, account) ??
      (author && stages.receive.guard(stanza.withAddress(author, to), account))
  }

  #receiveCopies (message: Message, account: Account, sessions: readonly SessionView[]): void | Promise<void> {
    const waiting = sessions.map(({ jid }) => this.#receiveMessage(message.copyFor(jid), account))
      .filter(done => done !== undefined)
    if (waiting.length > 0) return Promise.all(waiting).then(() => {})
  }

  #receiveMessage (received: Message, account: Account): void | Promise<void> {
    const { stages } = this.#parts
    const message = withoutForgedIds(received, account.jid)
    const stored = stages.receive.store(message, account)
    if (stored?.isRepeat) return stored.committed
    if (!stored && !account.commits.isWaiting) return this.#handOver(message, account, false) // what rooms send to many
    return account.commits.afterCommit(stored?.committed, () => {
      this.#handOver(stored ? stamp(message, account, stored.number) : message, account, stored !== undefined)
    })
  }

  /** Hands a message that is kept, and that a session left unread, to the others, unless somebody else sees to that. */
  handOver (message: Message, account: Account): void {
    if (!this.#parts.isTaken(message, account)) this.#handOver(message, account, true)
  }

  /** Hands over a message that is kept, and whose sender was told otherwise: as if it were committed now. */
  deliverRecovered (message: Message, account: Account): void {
    const { from, to } = message
    const isOwn = from?.bare.equals(account.jid) === true
    if (!isOwn || to?.bare.equals(account.jid)) return this.#handOver(message, account, true)
    const sender = account.session(from.resource)
    if (sender) this.#parts.stages.send.fanout(message, sender)
  }

  #handOver (message: Message, account: Account, isStored: boolean): void {
    const { stages, archiveKeys } = this.#parts
    const { to, otherwise } = chooseRecipients(message, account.sessions, isStored)
    stages.receive.fanout(message, account, to)
    const isAlone = this.#parts.homes === undefined
    for (const session of to) if (isAlone || session.accept(message, archiveKeys)) session.deliver(message)
    if (to.length > 0 || isStored) return
    neverRejects(this.#undelivered(message, this.#fateOf(message, otherwise))) // what failed is logged
  }

  /** What becomes of a message that nobody takes, and that is not kept. */
  #fateOf (message: Message, otherwise: Fate): Fate {
    // A chat state that comes too late is nothing that a person should hear of (RFC 6121 §8.5.2.2.1 leaves the choice).
    return otherwise === 'offline' && this.#parts.policies.isWorthless(message) ? 'ignore' : otherwise
  }

  #receiveIq (iq: Iq, account: Account): void | Promise<void> {
    // RFC 6121 §8.5.2.1.3: the server answers for the account.
    if (iq.to?.isBare) return this.#parts.router.answer(iq, ['account', 'address'], account.jid)
    return this.#mayAsk(iq, account) ? this.#deliver(iq, account) : this.#undelivered(iq, 'error')
  }

  // RFC 6121 §8.5.3.1: only who may know that the session is there, lest an answer tell it.
  #mayAsk ({ type, from, to }: Iq, account: Account): boolean {
    if (type === 'result' || type === 'error' || !from) return true
    const session = to && account.session(to.resource)
    return session === undefined || this.#parts.presences.isKnownTo(session, from)
  }

  #deliver (stanza: Stanza, account: Account): void | Promise<void> {
    return account.commits.afterCommit(undefined, () => {
      const { to, otherwise } = chooseRecipients(stanza, account.sessions)
      for (const session of to) {
        if (stanza.kind === 'presence') forgetHeard(session, stanza)
        session.deliver(stanza)
      }
      if (to.length === 0) neverRejects(this.#undelivered(stanza, otherwise)) // what failed is logged
    })
  }

  #undelivered (stanza: Stanza, otherwise: Fate): void | Promise<void> {
    if (otherwise !== 'ignore') return this.#parts.router.bounce(stanza, new StanzaError('service-unavailable'))
  }
}

/** Presence and events that mean something only to sessions: none of them is worth loading an account for. */
function isForSessionsOnly (stanza: Stanza): boolean {
  const { kind, type } = stanza
  if (kind !== 'presence') return isEvent(stanza)
  return type === 'available' || type === 'unavailable' || type === 'error'
}

/** Forgets what the session was sent of a room that it has left: it may come in again, and hear the last messages. */
function forgetHeard ({ heard }: Session, presence: Presence): void {
  const room = heard && leftRoom(presence)
  if (room) heard.delete(room.toString())
}
