/**
 * The local accounts: who is in memory, which sessions are bound, and what happens to a stanza that reaches one of
 * them (RFC 6121 §8.5, RFC 6120 §10.5). An account is loaded when it is first needed and kept while it is in use.
 */
import { LRUCache } from 'lru-cache'
import type { StageTable } from '../extension/stages.ts'
import type { Presences } from '../presence/presence.ts'
import type { Destination, Router } from '../routing/router.ts'
import { Account } from '../session/account.ts'
import type { DataSlot } from '../session/account.ts'
import { Session } from '../session/session.ts'
import type { SessionStream } from '../session/session.ts'
import { Turns } from '../util/turns.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { stamp, withoutForgedIds } from '../xmpp/stanza-id.ts'
import type { Iq, Message, Stanza } from '../xmpp/stanza.ts'
import { chooseRecipients } from './delivery.ts'

/** Accounts without a session that stay in memory, so that what comes next for them needs no database. */
const MAX_IDLE = 5000

export interface AccountsParts {
  readonly stages: StageTable
  readonly router: Router
  readonly exists: (jid: Jid) => Promise<boolean>
  /** Told of each session that ended. */
  readonly ended: (session: Session) => void
  /** Whether somebody sees to a message that a session left unread. */
  readonly isTaken: (message: Message, account: Account) => boolean
}

export class Accounts implements Destination {
  readonly #parts: AccountsParts
  readonly #inUse = new Map<string, Account>()
  readonly #idle = new LRUCache<string, Account>({ max: MAX_IDLE })
  readonly #slots: DataSlot<unknown>[] = []
  readonly #turns = new Turns()
  #presences: Presences | undefined

  constructor (parts: AccountsParts) {
    this.#parts = parts
  }

  setPresences (presences: Presences): void {
    this.#presences = presences
  }

  /** What is to be loaded with every account from now on; what is returned ends that. */
  addData (slot: DataSlot<unknown>): () => void {
    this.#slots.push(slot)
    return () => { this.#slots.splice(this.#slots.indexOf(slot), 1) }
  }

  /** The account if it is in memory. */
  peek (jid: Jid): Account | undefined {
    const key = jid.bare.toString()
    return this.#inUse.get(key) ?? this.#idle.get(key)
  }

  get sessionCount (): number {
    let count = 0
    for (const account of this.#inUse.values()) count += account.sessions.length
    return count
  }

  /** Every session bound here. */
  * sessions (): Iterable<Session> {
    for (const account of this.#inUse.values()) yield * account.sessions
  }

  /** The account with its data, in memory from now on; nothing when there is no such account. */
  async load (jid: Jid): Promise<Account | undefined> {
    const loaded = this.peek(jid)
    if (loaded) return loaded
    const { bare } = jid
    const account = new Account(bare)
    const [exists] = await Promise.all([this.#parts.exists(bare), this.#loadData(account)])
    if (!exists) return
    const meanwhile = this.peek(bare)
    if (meanwhile) return meanwhile
    this.#idle.set(bare.toString(), account)
    return account
  }

  async #loadData (account: Account): Promise<void> {
    await Promise.all(this.#slots.map(async slot => {
      account.setData(slot.key, await slot.load(account.jid))
    }))
  }

  /** The account that logged in, or a new one for who has none; throws `item-not-found` when it was removed since. */
  async open (jid: Jid, isAnonymous: boolean): Promise<Account> {
    const account = isAnonymous ? new Account(jid.bare, true) : await this.load(jid)
    if (!account) throw new StanzaError('item-not-found', 'the account is gone')
    if (isAnonymous) await this.#loadData(account)
    return account
  }

  /** Binds a resource of an account that was opened; a session that has it already ends (RFC 6120 §7.7.2.2). */
  bind (opened: Account, full: Jid, stream: SessionStream): Session {
    const key = full.bare.toString()
    const account = this.peek(full) ?? opened
    const before = account.session(full.resource)
    if (before) {
      before.close(new StreamError('conflict', 'replaced by a new session'))
      this.end(before)
    }
    const session = new Session(full, account, this.#parts.stages, stream)
    account.add(session)
    this.#idle.delete(key)
    this.#inUse.set(key, account)
    return session
  }

  /** Ends a session: its presence, its place in the account, its account's place in memory. Once is enough. */
  end (session: Session): void {
    const { account } = session
    if (!account.sessions.includes(session)) return
    this.#presences?.sessionEnded(session)
    account.remove(session)
    const key = account.jid.toString()
    if (account.sessions.length === 0 && this.#inUse.get(key) === account) {
      this.#inUse.delete(key)
      if (!account.isAnonymous) this.#idle.set(key, account)
    }
    this.#parts.ended(session)
  }

  /** The account is no more: its streams end, and the next look for it asks the database. */
  forget (jid: Jid): void {
    const key = jid.bare.toString()
    const account = this.peek(jid)
    for (const session of account?.sessions ?? []) {
      session.close(new StreamError('not-authorized', 'the account was removed'))
      this.end(session)
    }
    this.#idle.delete(key)
    this.#inUse.delete(key)
  }

  /** Brings the account into memory; nothing when it is there, or there is a stanza before that needs it. */
  prepare (jid: Jid): Promise<void> | undefined {
    if (this.peek(jid)) return
    return this.load(jid).then(() => {})
  }

  /** A stanza for an account or one of its resources. A promise means: not handed over yet. */
  receive (stanza: Stanza): void | Promise<void> {
    const { to } = stanza
    if (!to) return
    const key = to.bare.toString()
    const account = this.#inUse.get(key) ?? this.#idle.get(key)
    const isBusy = this.#turns.isBusy(key)
    if (account && !isBusy) return this.#receive(stanza, account)
    if (!account && !isBusy && isForSessionsOnly(stanza)) return
    return this.#turns.inTurn(key, async () => {
      const loaded = await this.load(to)
      if (loaded) await this.#receive(stanza, loaded)
      else await this.#refuseUnknown(stanza, to)
    })
  }

  // RFC 6121 §8.5.1.
  #refuseUnknown (stanza: Stanza, to: Jid): void | Promise<void> {
    const { router } = this.#parts
    if (stanza.kind === 'iq' && to.isBare) return router.answer(stanza, ['address'], to)
    if (stanza.kind !== 'presence') return router.bounce(stanza, new StanzaError('service-unavailable'))
  }

  #receive (stanza: Stanza, account: Account): void | Promise<void> {
    const { stages, router } = this.#parts
    const verdict = stages.guardReceived(stanza, account)
    if (verdict === 'drop') return
    if (verdict) return router.bounce(stanza, verdict)
    let received: Stanza
    try {
      received = stages.rewriteReceived(stanza, account)
    } catch (error) {
      if (error instanceof StanzaError) return router.bounce(stanza, error)
      throw error
    }
    switch (received.kind) {
      case 'message': return this.#receiveMessage(received, account)
      case 'presence': {
        const isDone = this.#presences?.receive(received, account)
        if (isDone instanceof Promise) return isDone.then(() => {})
        return isDone ? undefined : this.#deliver(received, account)
      }
      case 'iq': return this.#receiveIq(received, account)
    }
  }

  #receiveMessage (received: Message, account: Account): void | Promise<void> {
    const { stages } = this.#parts
    const message = withoutForgedIds(received, account.jid)
    const stored = stages.storeReceived(message, account)
    if (stored?.isRepeat) return stored.committed
    return account.deliverInOrder(stored?.committed, () => {
      this.#handOver(stored ? stamp(message, account.jid, stored.id) : message, account, stored !== undefined)
    })
  }

  /** Hands a message that is kept, and that a session left unread, to the others, unless somebody else sees to that. */
  handOver (message: Message, account: Account): void {
    if (!this.#parts.isTaken(message, account)) this.#handOver(message, account, true)
  }

  /** Hands over a message that is kept, and whose sender was told otherwise: as if it were committed now. */
  handOverLate (message: Message, account: Account): void {
    const { from, to } = message
    const isOwn = from?.bare.equals(account.jid) === true
    if (!isOwn || to?.bare.equals(account.jid)) return this.#handOver(message, account, true)
    const sender = account.session(from.resource)
    if (sender) this.#parts.stages.fanOutSent(message, sender)
  }

  /** Hands a message that is kept under that id to one session. */
  handTo (session: Session, message: Message, id: string): void {
    const { account } = session
    session.deliver(this.#parts.stages.finish(stamp(message, account.jid, id), account))
  }

  #handOver (message: Message, account: Account, isStored: boolean): void {
    const { stages } = this.#parts
    const { to, otherwise } = chooseRecipients(message, account.sessions)
    stages.fanOutReceived(message, account, to)
    const finished = to.length === 0 ? message : stages.finish(message, account)
    for (const session of to) session.deliver(finished)
    if (to.length === 0 && !isStored) void this.#undelivered(message, otherwise)
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
    return session === undefined || this.#presences?.isKnownTo(session, from) !== false
  }

  #deliver (stanza: Stanza, account: Account): void | Promise<void> {
    return account.deliverInOrder(undefined, () => {
      const { to, otherwise } = chooseRecipients(stanza, account.sessions)
      for (const session of to) session.deliver(stanza)
      if (to.length === 0) void this.#undelivered(stanza, otherwise)
    })
  }

  #undelivered (stanza: Stanza, otherwise: 'offline' | 'error' | 'ignore' | undefined): void | Promise<void> {
    if (otherwise !== 'ignore') return this.#parts.router.bounce(stanza, new StanzaError('service-unavailable'))
  }
}

/** Presence that means something only to sessions: none of them is worth loading an account for. */
function isForSessionsOnly (stanza: Stanza): boolean {
  const { kind, type } = stanza
  return kind === 'presence' && (type === 'available' || type === 'unavailable' || type === 'error')
}
