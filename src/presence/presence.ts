/**
 * Presence (RFC 6121 §4) and subscription stanzas (§3): routes what an account's sessions send, and answers what
 * reaches the account or hands it to its sessions.
 */
import type { Logger } from '../log.ts'
import type { Rosters } from '../roster/roster.ts'
import type { SubscriptionState, SubscriptionType } from '../roster/subscription.ts'
import { removal } from '../roster/subscription.ts'
import type { Router } from '../routing/router.ts'
import type { Account } from '../session/account.ts'
import type { EventTable } from '../session/events.ts'
import { pace } from '../session/pace.ts'
import type { Session } from '../session/session.ts'
import { inBackground } from '../util/background.ts'
import { inSlices } from '../util/slices.ts'
import { Turns } from '../util/turns.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import { storedStanza } from '../xmpp/read-stanza.ts'
import { presence as makePresence } from '../xmpp/stanza.ts'
import type { Presence } from '../xmpp/stanza.ts'

/** The most recipients of directed presence that a session remembers. */
const MAX_DIRECTED = 1000
/** The default limit of a presence stanza: others get it unasked, again and again. */
const MAX_BYTES = 16_384

/** The recipients of a session's presence: the account's own sessions, and addresses of others. */
interface Audience { readonly own: readonly Session[], readonly others: readonly Jid[] }

type ChangePresence = (presence: Presence, session: Session) => Presence

const NOBODY: Audience = { own: [], others: [] }
const UNAVAILABLE = makePresence('unavailable', {})

export class Presences {
  readonly #rosters: Rosters
  readonly #router: Router
  readonly #events: EventTable
  readonly #hosts: readonly string[]
  readonly #log: Logger
  readonly #maxBytes: number
  /** Broadcasts of accounts, which may take several turns of the event loop. */
  readonly #sending = new Turns()

  /** `hosts` are those whose accounts are local; a client's presence stanza may have `maxBytes`. */
  constructor (
    rosters: Rosters, router: Router, events: EventTable, hosts: readonly string[], log: Logger, maxBytes = MAX_BYTES,
  ) {
    this.#rosters = rosters
    this.#router = router
    this.#events = events
    this.#hosts = hosts
    this.#log = log
    this.#maxBytes = maxBytes
  }

  /** Sends a session's own presence stanza. A promise means that the next stanza has to wait. */
  send (presence: Presence, sender: Session): void | Promise<void> {
    if (presence.weight > this.#maxBytes) return this.#router.refuse(presence, tooLarge(this.#maxBytes), sender)
    const subscription = subscriptionType(presence)
    if (subscription) return this.#sendSubscription(presence, subscription, sender)
    if (presence.to) return this.#sendDirected(presence, presence.to, sender)
    if (presence.type === 'available') return this.#announce(presence, sender)
    if (presence.type === 'unavailable') return this.#inOrder(sender.account, this.#withdraw(presence, sender))
    this.#router.refuse(presence, new StanzaError('bad-request', 'presence of this type needs a "to" address'), sender)
  }

  /** RFC 6121 §4.5.2: the stream ended without unavailable presence. */
  sessionEnded (session: Session): void {
    const sent = this.#inOrder(session.account, this.#end(session))
    inBackground(this.#log, 'unavailable presence of an ended session', sent)
  }

  #end (session: Session): Generator<void> {
    return this.#withdraw(makePresence('unavailable', { from: session.jid }), session)
  }

  /** Resolves when the account's pending presence is sent; undefined when there is none. */
  settled (account: Account): void | Promise<void> {
    const key = account.jid.toString()
    if (this.#sending.isBusy(key)) return this.#sending.inTurn(key, () => {})
  }

  // RFC 6121 §4.2 and §4.4.
  #announce (presence: Presence, session: Session): void | Promise<void> {
    const priority = priorityOf(presence)
    if (priority === undefined) {
      this.#router.refuse(presence, new StanzaError('bad-request',
        'the priority must be a number from -128 to 127'), session)
      return
    }
    const isInitial = !session.available
    const wasReachable = !isInitial && session.priority >= 0
    session.presence = presence.copy()
    session.priority = priority
    session.account.touch()
    const sent = this.#inOrder(session.account, this.#broadcast(presence, session, this.#audience(session)))
    this.#events.emit('presence.announced', session, isInitial)
    if (isInitial) inBackground(this.#log, 'presence for a session that came online', this.#greetAfter(sent, session))
    if (!wasReachable && priority >= 0) this.#events.emit('session.reachable', session)
    return sent
  }

  /** Changes the last presence of the available sessions, and sends it as they would (RFC 6121 §4.4.2). */
  change (account: Account, change: ChangePresence): void {
    const sent = this.#inOrder(account, this.#changed(account, change))
    inBackground(this.#log, 'changed presence of an account', sent)
  }

  * #changed (account: Account, change: ChangePresence): Generator<void> {
    for (const session of account.sessions) {
      const before = session.presence
      const presence = before && change(before, session)
      if (!presence || presence === before) continue
      session.presence = presence.copy()
      account.touch()
      yield * this.#broadcast(presence, session, this.#audience(session))
    }
  }

  /** Its own presence comes first. What it is still sent since it came online before ends. */
  #greetAfter (sent: void | Promise<void>, session: Session): void | Promise<void> {
    session.greeting?.return(undefined)
    const greeting = session.greeting = this.#greet(session)
    const greet = (): void | Promise<void> => pace(session, greeting)
    return sent ? sent.then(greet) : greet()
  }

  /** What a newly available session is sent, step by step: the amount is up to others. */
  * #greet (session: Session): Generator<void | Promise<void>> {
    const greetings = this.#greetings(session)
    try {
      while (session.available) {
        const step = greetings.next()
        if (step.done) return
        yield step.value
      }
    } finally {
      session.greeting = undefined
    }
  }

  * #greetings (session: Session): Generator<void | Promise<void>> {
    yield * this.#probe(session)
    for (const other of session.account.sessions) {
      if (other !== session && other.presence) yield session.deliver(other.presence.withAddress(other.jid, session.jid))
    }
    // RFC 6121 §3.1.3: again at each login until it is answered.
    for (const request of this.#rosters.requests(session.account)) yield session.deliver(storedStanza(request))
  }

  // RFC 6121 §4.2.2, §4.4.2 and §4.5.2: the user's own resources and the present subscribers.
  #audience ({ account }: Session): Audience {
    return { own: account.sessions.filter(({ available }) => available), others: this.#rosters.subscribers(account) }
  }

  * #broadcast (presence: Presence, session: Session, { own, others }: Audience): Generator<void> {
    for (const to of own) if (to.available || to === session) yield to.deliver(presence.copyFor(to.jid))
    for (const to of others) yield this.#router.sendQuietly(presence.withAddress(session.jid, to), session)
  }

  /** Sends in slices, after the account's earlier broadcasts: a promise where that takes more than this turn. */
  #inOrder (account: Account, sending: Iterator<void>): void | Promise<void> {
    return this.#sending.inTurn(account.jid.toString(), () => inSlices(sending))
  }

  // RFC 6121 §4.3.1: from the bare address. Among local accounts from the full one, as in RFC 3921: only the session
  // that probes is answered.
  * #probe (session: Session): Generator<void | Promise<void>> {
    const { account } = session
    for (const { state: { subscription }, jid: to } of this.#rosters.of(account).items.values()) {
      if (subscription !== 'to' && subscription !== 'both') continue
      const from = this.#hosts.includes(to.domain) ? session.jid : account.jid
      yield this.#router.postFor(makePresence('probe', { from, to }), session)
    }
  }

  // RFC 6121 §4.5.2 and §4.6.3: also to recipients of directed presence who are no subscribers.
  #withdraw (presence: Presence, session: Session): Generator<void> {
    const { account, directed, available } = session
    const { own, others } = available ? this.#audience(session) : NOBODY
    const strangers = [...directed?.values() ?? []].filter(to => !(available && this.#maySee(account, to)))
    session.directed = session.presence = undefined
    account.touch()
    if (available) this.#events.emit('presence.withdrawn', session, presence)
    const audience = { own, others: strangers.length === 0 ? others : [...others, ...strangers] }
    return this.#broadcast(presence, session, audience)
  }

  // RFC 6121 §4.6.
  #sendDirected (presence: Presence, to: Jid, sender: Session): void | Promise<void> {
    const key = to.toString()
    if (presence.type === 'unavailable') sender.directed?.delete(key)
    // §4.6.3: subscribers get the unavailable presence anyway.
    if (presence.type === 'available' && !(sender.available && this.#maySee(sender.account, to))) {
      sender.directed ??= new Map()
      sender.directed.set(key, to)
      const [oldest] = sender.directed.keys()
      if (sender.directed.size > MAX_DIRECTED && oldest !== undefined) sender.directed.delete(oldest)
    }
    sender.account.touch()
    const earlier = this.settled(sender.account)
    return earlier ? earlier.then(() => this.#router.route(presence)) : this.#router.route(presence)
  }

  // RFC 6121 §3, the user's side: stamped with bare addresses.
  async #sendSubscription (presence: Presence, type: SubscriptionType, sender: Session): Promise<void> {
    const contact = presence.to?.bare
    if (!contact) {
      return this.#router.refuse(presence, new StanzaError('bad-request',
        'presence of this type needs a "to" address'), sender)
    }
    const { account } = sender
    if (contact.equals(account.jid)) return
    const sent = await this.#rosters.sent(account, contact, type).catch(refusal)
    if (sent instanceof StanzaError) return this.#router.refuse(presence, sent, sender)
    const { route, before } = sent
    if (type === 'unsubscribed') await this.#tellTheEnd(account, contact, before)
    if (!route) return
    await this.#router.route(presence.withAddress(account.jid, contact))
    if (type === 'subscribed') await this.#tell(account, contact, 'available') // §3.1.5
  }

  /** RFC 6121 §2.5.2: a contact was removed from the roster. */
  async dropSubscriptions (account: Account, contact: Jid, before: SubscriptionState): Promise<void> {
    await this.#tellTheEnd(account, contact, before)
    for (const type of removal(before)) {
      this.#router.sendQuietly(makePresence(type, { from: account.jid, to: contact }), { account })
    }
  }

  /**
   * An account was removed: it is unsubscribed from and by all contacts (XEP-0077 §3.2). Resolves when all were
   * notified.
   */
  async accountRemoved (account: Account): Promise<void> {
    const heard: (void | Promise<void>)[] = []
    await this.#inOrder(account, this.#removal(account, heard))
    await Promise.all(heard)
  }

  * #removal (account: Account, heard: (void | Promise<void>)[]): Generator<void> {
    for (const session of account.sessions) yield * this.#end(session)
    for (const { jid, state } of this.#rosters.of(account).items.values()) {
      for (const type of removal(state)) {
        heard.push(this.#router.postAndWait(makePresence(type, { from: account.jid, to: jid })))
        yield
      }
    }
  }

  /**
   * Makes an account forget a removed one: its subscriptions, and directed presence to it. A promise resolves when the
   * roster has changed.
   */
  forget (account: Account, former: Jid): void | Promise<void> {
    const prefix = `${former.toString()}/`
    for (const { directed } of account.sessions) {
      for (const key of directed?.keys() ?? []) {
        if (key !== former.toString() && !key.startsWith(prefix)) continue
        directed?.delete(key)
        account.touch()
      }
    }
    return this.#rosters.forget(account, former)
  }

  // RFC 6121 §3.2.2: while the contact is still subscribed, and to nobody else.
  #tellTheEnd (account: Account, contact: Jid, before: SubscriptionState): void | Promise<void> {
    if (maySee(before)) return this.#tell(account, contact, 'unavailable')
  }

  /** Sends a contact the presence of each available session, or its end. */
  #tell (account: Account, contact: Jid, type: 'available' | 'unavailable'): void | Promise<void> {
    return this.#inOrder(account, this.#presences(account.sessions.filter(({ available }) => available), contact, type))
  }

  * #presences (sessions: readonly Session[], contact: Jid, type: 'available' | 'unavailable'): Generator<void> {
    for (const session of sessions) {
      const presence = type === 'available' ? session.presence : UNAVAILABLE
      if (presence) yield this.#router.sendQuietly(presence.withAddress(session.jid, contact), session)
    }
  }

  /** Handles presence for an account; false where it is for its sessions. */
  receive (presence: Presence, account: Account): boolean | Promise<boolean> {
    const subscription = subscriptionType(presence)
    if (subscription) return this.#receiveSubscription(presence, subscription, account).then(() => true)
    const { from, to } = presence
    if (presence.type !== 'probe') {
      this.#events.emit('presence.received', presence, account)
      return false
    }
    if (from && to) this.#answerProbe(from, to, account)
    return true
  }

  // RFC 6121 §4.3.2.
  #answerProbe (from: Jid, to: Jid, account: Account): void {
    if (!this.#maySee(account, from)) return this.#answerStranger(from, to, account)
    let isSeen = false
    for (const { jid, presence } of sessionsAt(account, to)) {
      if (!presence) continue
      isSeen = true
      this.#router.post(presence.withAddress(jid, from))
    }
    if (!isSeen) this.#router.post(makePresence('unavailable', { from: to, to: from }))
  }

  // RFC 6121 §4.6.6: a recipient of directed presence is told that it is current, and no more.
  #answerStranger (from: Jid, to: Jid, account: Account): void {
    const seen = sessionsAt(account, to).filter(session => hasDirected(session, from))
    for (const { jid } of seen) this.#router.post(makePresence('available', { from: jid, to: from }))
    if (seen.length === 0) this.#router.post(makePresence('unsubscribed', { from: account.jid, to: from.bare }))
  }

  /** RFC 6121 §8.5.3.1: whether an address may learn of the session by sending it a request. */
  isKnownTo (session: Session, from: Jid): boolean {
    return this.#maySee(session.account, from) || hasDirected(session, from) ||
      (from.isDomain && from.domain === session.jid.domain)
  }

  /** Whether an address sees the account's presence: subscribers and its own sessions do (RFC 6121 §4.2.2). */
  #maySee (account: Account, who: Jid): boolean {
    return who.bare.equals(account.jid) || this.#rosters.isSubscriber(account, who)
  }

  // RFC 6121 §3, the contact's side.
  async #receiveSubscription (presence: Presence, type: SubscriptionType, account: Account): Promise<void> {
    const contact = presence.from?.bare
    if (!contact) return
    const { reply, before } = await this.#rosters.received(account, presence, contact, type, () => {
      for (const session of account.sessions) {
        // §3.1.3: a request goes to available sessions; other types to those that follow the roster.
        if (type === 'subscribe' ? session.available : session.isInterested) session.deliver(presence)
      }
    })
    if (reply) {
      await this.#router.route(makePresence(reply, { from: account.jid, to: contact }))
      await this.#tell(account, contact, 'available') // §3.1.3 and §3.4.2
    }
    if (type === 'unsubscribe') await this.#tellTheEnd(account, contact, before) // §3.3.3
  }
}

// RFC 6120 §13.12.
function tooLarge (most: number): StanzaError {
  return new StanzaError('policy-violation', `the presence is too long: at most ${most} bytes are allowed`)
}

/** Whether the contact sees the user's presence. */
function maySee ({ subscription }: SubscriptionState): boolean {
  return subscription === 'from' || subscription === 'both'
}

function refusal (error: unknown): StanzaError {
  if (error instanceof StanzaError) return error
  throw error
}

/** The sessions of an address: all for a bare one. */
function sessionsAt (account: Account, to: Jid): readonly Session[] {
  if (to.isBare) return account.sessions
  return account.sessions.filter(session => session.jid.resource === to.resource)
}

/** Whether the session sent presence directly to this address, or to another with the same bare one, as in a room. */
function hasDirected ({ directed }: Session, who: Jid): boolean {
  if (!directed) return false
  if (directed.has(who.toString())) return true
  for (const to of directed.values()) if (to.bare.equals(who.bare)) return true
  return false
}

function subscriptionType ({ type }: Presence): SubscriptionType | undefined {
  switch (type) {
    case 'subscribe': case 'subscribed': case 'unsubscribe': case 'unsubscribed': return type
  }
}

/** RFC 6121 §4.7.2.3: 0 when there is none; nothing when it is not one. */
function priorityOf (presence: Presence): number | undefined {
  const text = presence.payload('priority', NS_CLIENT)?.text().trim()
  if (text === undefined) return 0
  const priority = /^[+-]?[0-9]{1,3}$/.test(text) ? Number(text) : NaN
  return priority >= -128 && priority <= 127 ? priority : undefined
}
