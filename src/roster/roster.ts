/**
 * Rosters and subscriptions (RFC 6121 §2 and §3): what an account's roster holds, how sets, removals and subscription
 * stanzas change it, and the pushes that tell its sessions. A change is committed before anybody hears of it.
 */
import type { DataSlot } from '../session/account.ts'
import { dataOf } from '../session/account.ts'
import type { Account } from '../session/account.ts'
import { Turns } from '../util/turns.ts'
import { randomId } from '../util/ids.ts'
import { el } from '../xml/element.ts'
import { escapeAttribute, escapeText } from '../xml/write.ts'
import { Written } from '../xml/written.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT, NS_ROSTER } from '../xmpp/ns.ts'
import { iq } from '../xmpp/stanza.ts'
import type { Iq, Presence } from '../xmpp/stanza.ts'
import { DEFAULT_ROSTER_LIMITS } from './limits.ts'
import type { RosterLimits } from './limits.ts'
import { tooManyRequests } from './requests.ts'
import type { RosterStore } from './store.ts'
import { receiveSubscription, sendSubscription } from './subscription.ts'
import type { SubscriptionState, SubscriptionType } from './subscription.ts'

export interface RosterItem {
  readonly jid: Jid
  /** Whether the user sees it; a mere request to the user, or what was removed, is not listed. */
  readonly isListed: boolean
  readonly name: string | undefined
  readonly groups: readonly string[]
  readonly state: SubscriptionState
  /** The request that waits for the user's answer, as XML (RFC 6121 §3.1.3). */
  readonly request: string | undefined
  /** RFC 6121 §2.6: the roster's version when the item last changed for the user's eyes. */
  readonly version: number
}

export interface Roster {
  readonly items: Map<string, RosterItem>
  version: number
  /** What is listed, as XML, until something changes: a roster that is asked for again is not written again. */
  listing?: string | undefined
  /** Who may see the account's presence, until something changes. */
  subscribers?: readonly Jid[] | undefined
  /** What is listed, counted when somebody wants to know, and kept up to date from then on. */
  totals?: { items: number, bytes: number } | undefined
  /** The same for the few that a change may have to look at, whatever it changes: no change walks the whole roster. */
  aside?: Aside | undefined
}

/** By their addresses: items with a request that waits, and removals that are remembered. */
interface Aside { readonly waiting: Map<string, RosterItem>, readonly removed: Map<string, RosterItem> }

const NO_SUBSCRIPTION: SubscriptionState = {
  subscription: 'none', pendingOut: false, pendingIn: false, approved: false,
}

const NOBODY: readonly Jid[] = []

/** A client that is further behind gets the whole roster; removals are remembered for so long (RFC 6121 §2.6). */
export const KEPT_CHANGES = 100

/** What an inbound subscription stanza leads to, besides the roster's change. */
export interface Received { readonly reply: 'subscribed' | undefined, readonly before: SubscriptionState }

export class Rosters {
  readonly slot: DataSlot<Roster>
  readonly #of: (account: Account) => Roster
  readonly #store: RosterStore
  readonly #turns = new Turns()
  readonly #limits: RosterLimits

  constructor (store: RosterStore, limits: RosterLimits = DEFAULT_ROSTER_LIMITS) {
    this.#store = store
    this.#limits = limits
    this.slot = { key: Symbol('roster'), load: jid => store.load(jid) }
    this.#of = dataOf(this.slot).of
  }

  of (account: Account): Roster {
    return this.#of(account)
  }

  item (account: Account, contact: Jid): RosterItem | undefined {
    return this.#of(account).items.get(contact.bare.toString())
  }

  /** Whether the contact may see the account's presence. */
  isSubscriber (account: Account, contact: Jid): boolean {
    const item = this.item(account, contact)
    return item !== undefined && isSubscriber(item)
  }

  /** Who may see the account's presence: a list that does not change, and is made anew only where it would be another. */
  subscribers (account: Account): readonly Jid[] {
    const roster = this.#of(account)
    return roster.subscribers ??= listSubscribers(roster)
  }

  /** RFC 6121 §2.3 and §2.4: adds an item, or changes its name and groups. */
  async set (account: Account, contact: Jid, name: string | undefined, groups: readonly string[]): Promise<void> {
    await this.#change(account, contact, item => {
      const changed = { ...(item ?? newItem(contact)), isListed: true, name, groups }
      this.#checkRoom(account, item, changed)
      return changed
    })
  }

  /** RFC 6121 §2.5: takes an item off the roster, and gives the state that its subscription was in. */
  async remove (account: Account, contact: Jid): Promise<SubscriptionState> {
    let before = NO_SUBSCRIPTION
    await this.#change(account, contact, item => {
      if (!item?.isListed) throw new StanzaError('item-not-found') // RFC 6121 §2.5.3
      before = item.state
      return { ...newItem(contact), isListed: false }
    })
    return before
  }

  /** RFC 6121 §3, the user's side: whether the stanza is to be routed to the contact, and the state before it. */
  async sent (
    account: Account, contact: Jid, type: SubscriptionType,
  ): Promise<{ readonly route: boolean, readonly before: SubscriptionState }> {
    let route = false
    let before = NO_SUBSCRIPTION
    await this.#change(account, contact, item => {
      before = item?.state ?? NO_SUBSCRIPTION
      const outcome = sendSubscription(before, type)
      route = outcome.route
      const request = outcome.state.pendingIn ? item?.request : undefined
      const changed = { ...(item ?? newItem(contact)), state: outcome.state, request }
      if (outcome.push) {
        const listed = { ...changed, isListed: true }
        this.#checkRoom(account, item, listed)
        return listed
      }
      return request !== item?.request ? changed : undefined
    })
    return { route, before }
  }

  /**
   * RFC 6121 §3, the contact's side, where a request also waits in the roster until it is answered. `deliver` is called
   * when the stanza is for the sessions, before the push that it causes (§3.1.6).
   */
  async received (
    account: Account, stanza: Presence, contact: Jid, type: SubscriptionType, deliver: () => void,
  ): Promise<Received> {
    let isDelivered = false
    let received: Received = { reply: undefined, before: NO_SUBSCRIPTION }
    await this.#change(account, contact, item => {
      const before = item?.state ?? NO_SUBSCRIPTION
      const { state, reply, push, deliver: isForSessions } = receiveSubscription(before, type)
      isDelivered = isForSessions
      received = { reply, before }
      // RFC 6121 §3.1.3: a request that comes again takes the place of the one that waits.
      const request = state.pendingIn ? (type === 'subscribe' ? stanza.toXml(NS_CLIENT) : item?.request) : undefined
      if (!push && request === item?.request && state === before) return
      return { ...(item ?? newItem(contact)), state, request }
    }, () => { if (isDelivered) deliver() })
    for (const { jid } of tooManyRequests(asideOf(this.#of(account)).waiting.values())) await this.#dropRequest(account, jid)
    return received
  }

  /** An account is no more: nothing is left between it and this one. Nothing to wait for where nothing is. */
  forget (account: Account, former: Jid): void | Promise<void> {
    const isBusy = this.#turns.isBusy(account.jid.toString())
    if (!isBusy && !refersTo(this.item(account, former))) return
    return this.#change(account, former, item =>
      refersTo(item) ? { ...item, state: NO_SUBSCRIPTION, request: undefined } : undefined)
  }

  async #dropRequest (account: Account, contact: Jid): Promise<void> {
    await this.#change(account, contact, item =>
      item && { ...item, state: { ...item.state, pendingIn: false }, request: undefined })
  }

  /** The requests that wait for the account's answer. */
  requests (account: Account): readonly string[] {
    const requests: string[] = []
    for (const { request } of this.#of(account).items.values()) if (request !== undefined) requests.push(request)
    return requests
  }

  /** Throws where the roster is full: with one contact more, or with more said of one. */
  #checkRoom (account: Account, before: RosterItem | undefined, after: RosterItem): void {
    const more = weightOf(after) - weightOf(before)
    if (before?.isListed && more <= 0) return
    const { items, bytes } = totalsOf(this.#of(account))
    if (items >= this.#limits.items && !before?.isListed) {
      throw new StanzaError('not-allowed', 'your contact list is full')
    }
    if (bytes + more > this.#limits.bytes) {
      throw new StanzaError('not-allowed', 'your contact list is full: shorten names and groups of contacts')
    }
  }

  /**
   * Applies a change to one item, in the account's turn: stored, then in memory, then announced, then pushed where it
   * shows.
   */
  async #change (
    account: Account, contact: Jid, change: (item: RosterItem | undefined) => RosterItem | undefined,
    announce: () => void = () => {},
  ): Promise<void> {
    await this.#turns.inTurn(account.jid.toString(), async () => {
      const roster = this.#of(account)
      const item = roster.items.get(contact.bare.toString())
      const changed = change(item)
      if (!changed) return announce()
      const isVisible = shows(changed) !== shows(item)
      const kept = isVisible ? { ...changed, version: roster.version + 1 } : changed
      await this.#keep(account, roster, kept)
      announce()
      if (isVisible) this.#push(account, kept)
    })
  }

  /** Keeps the item, and drops those that nobody needs any more; an anonymous account's are in memory only. */
  async #keep (account: Account, roster: Roster, item: RosterItem): Promise<void> {
    const version = Math.max(roster.version, item.version)
    const key = item.jid.toString()
    const before = roster.items.get(key)
    const aside = asideOf(roster)
    const gone: Jid[] = isGone(item, version) ? [item.jid] : []
    for (const other of aside.removed.values()) if (other !== before && isGone(other, version)) gone.push(other.jid)
    if (!account.isAnonymous) {
      if (!isGone(item, version)) await this.#store.store(account.jid, item)
      if (gone.length > 0) await this.#store.remove(account.jid, gone)
    }
    roster.version = version
    roster.listing = undefined
    if (isSubscriber(item) !== (before !== undefined && isSubscriber(before))) roster.subscribers = undefined
    if (roster.totals) {
      roster.totals.items += Number(item.isListed) - Number(before?.isListed === true)
      roster.totals.bytes += weightOf(item) - weightOf(before)
    }
    roster.items.set(key, item)
    putAside(aside, key, item)
    for (const jid of gone) {
      roster.items.delete(jid.toString())
      aside.removed.delete(jid.toString())
    }
  }

  /** RFC 6121 §2.1.6: to every session that asked for the roster, and written once for all. */
  #push (account: Account, item: RosterItem): void {
    const push = rosterPush(item)
    for (const session of account.sessions) {
      if (session.isInterested) session.deliver(push.copyFor(session.jid))
    }
  }
}

/** Whether an item is neither seen nor waits for an answer, nor has a removal to tell of (RFC 6121 §2.6). */
function isGone ({ isListed, request, version }: RosterItem, current: number): boolean {
  return !isListed && request === undefined && (version === 0 || version <= current - KEPT_CHANGES)
}

function refersTo (item: RosterItem | undefined): item is RosterItem {
  if (!item) return false
  const { state: { subscription, pendingOut, pendingIn, approved } } = item
  return subscription !== 'none' || pendingOut || pendingIn || approved
}

function isSubscriber ({ state: { subscription } }: RosterItem): boolean {
  return subscription === 'from' || subscription === 'both'
}

function listSubscribers ({ items }: Roster): readonly Jid[] {
  const subscribers: Jid[] = []
  for (const item of items.values()) if (isSubscriber(item)) subscribers.push(item.jid)
  return subscribers.length === 0 ? NOBODY : subscribers
}

/** What the user sees of the roster, as XML. */
export function writeRoster (roster: Roster): string {
  if (roster.listing !== undefined) return roster.listing
  let listing = ''
  for (const item of roster.items.values()) if (item.isListed) listing += writeItem(item)
  return roster.listing = listing
}

/** RFC 6121 §2.1.6: says what has become of an item. */
export function rosterPush (item: RosterItem): Iq {
  const query = el('query', NS_ROSTER, { ver: String(item.version) })
  return iq('set', { id: randomId() }, Written.around(query, writeItem(item)))
}

function newItem (contact: Jid): RosterItem {
  return {
    jid: contact.bare, isListed: false, name: undefined, groups: [], state: NO_SUBSCRIPTION, request: undefined,
    version: 0,
  }
}

/** What the user sees of an item, to tell whether a change is one. */
function shows (item: RosterItem | undefined): string {
  return item?.isListed ? writeItem(item) : ''
}

function totalsOf (roster: Roster): { readonly items: number, readonly bytes: number } {
  if (!roster.totals) {
    const totals = { items: 0, bytes: 0 }
    for (const item of roster.items.values()) {
      if (item.isListed) totals.items++
      totals.bytes += weightOf(item)
    }
    roster.totals = totals
  }
  return roster.totals
}

function asideOf (roster: Roster): Aside {
  if (!roster.aside) {
    roster.aside = { waiting: new Map(), removed: new Map() }
    for (const [key, item] of roster.items) putAside(roster.aside, key, item)
  }
  return roster.aside
}

function putAside ({ waiting, removed }: Aside, key: string, item: RosterItem): void {
  if (item.request === undefined) waiting.delete(key)
  else waiting.set(key, item)
  if (!item.isListed && item.request === undefined) removed.set(key, item)
  else removed.delete(key)
}

/**
 * About how many bytes there are of an item when it is written, without its subscription, which others change, too;
 * none of one that is not listed.
 */
function weightOf (item: RosterItem | undefined): number {
  if (!item?.isListed) return 0
  const { jid, name = '', groups } = item
  let bytes = "<item jid='' name='' subscription='both'></item>".length + jid.attribute.length + escapeAttribute(name).length
  for (const group of groups) bytes += '<group></group>'.length + escapeText(group).length
  return bytes
}

/** RFC 6121 §2.1.2: an item as a client is shown it; one that is not listed (any more) is a removal. */
function writeItem ({ jid, isListed, name, groups, state: { subscription, pendingOut, approved } }: RosterItem): string {
  if (!isListed) return `<item jid='${jid.attribute}' subscription='remove'/>`
  const tag = `<item jid='${jid.attribute}'${name === undefined ? '' : ` name='${escapeAttribute(name)}'`}` +
    ` subscription='${subscription}'${pendingOut ? " ask='subscribe'" : ''}${approved ? " approved='true'" : ''}`
  if (groups.length === 0) return `${tag}/>`
  return `${tag}>${groups.map(group => `<group>${escapeText(group)}</group>`).join('')}</item>`
}
