/**
 * Rosters and subscriptions (RFC 6121 §2 and §3): an account's roster, its changes by sets, removals and subscription
 * stanzas, and the pushes to its sessions. A change is committed before it is pushed or acted on.
 */
import type { ContactChange } from '../extension/points.ts'
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
  /** Whether it is in the roster that clients get; an unanswered request or a removed contact is not. */
  readonly isListed: boolean
  readonly name: string | undefined
  readonly groups: readonly string[]
  readonly state: SubscriptionState
  /** The unanswered subscription request, as XML (RFC 6121 §3.1.3). */
  readonly request: string | undefined
  /** RFC 6121 §2.6: the roster's version at the last change that clients see. */
  readonly version: number
}

export interface Roster {
  readonly items: Map<string, RosterItem>
  version: number
  /** A large roster's listed items as XML, until something changes: it is written once for all who ask. */
  listing?: string | undefined
  /** Cache of the contacts that may see the account's presence. */
  subscribers?: readonly Jid[] | undefined
  /** Totals of the listed items, counted at the first use and then kept up to date. */
  totals?: { items: number, bytes: number } | undefined
  /** An index of the items that any change may affect, so that no change walks the whole roster. */
  aside?: Aside | undefined
}

/** By address: items with an unanswered request, and removed items that versioning still needs. */
interface Aside { readonly waiting: Map<string, RosterItem>, readonly removed: Map<string, RosterItem> }

const NO_SUBSCRIPTION: SubscriptionState = {
  subscription: 'none', pendingOut: false, pendingIn: false, approved: false,
}

const NOBODY: readonly Jid[] = []

/** The length in characters from which on a roster is kept as XML: a shorter one is not worth its memory. */
const MIN_KEPT_LISTING = 16_384

/** The versions for which removals are remembered; a client further behind gets the whole roster (RFC 6121 §2.6). */
export const KEPT_CHANGES = 100

/** The outcome of an inbound subscription stanza, besides the roster's change. */
export interface Received { readonly reply: 'subscribed' | undefined, readonly before: SubscriptionState }

type Pushed = (account: Account, push: Iq, change: ContactChange) => void

export class Rosters {
  readonly slot: DataSlot<Roster>
  readonly #of: (account: Account) => Roster
  readonly #store: RosterStore
  readonly #turns = new Turns()
  readonly #limits: RosterLimits
  readonly #pushed: Pushed

  /** `pushed` is called with each push, which is without addresses, and with what it says of the contact. */
  constructor (
    store: RosterStore, limits: RosterLimits = DEFAULT_ROSTER_LIMITS,
    pushed: Pushed = () => {},
  ) {
    this.#store = store
    this.#pushed = pushed
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

  /** The contacts that may see the account's presence: an immutable list, the same one until they change. */
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

  /** RFC 6121 §2.5: removes an item, and resolves with its subscription state before. */
  async remove (account: Account, contact: Jid): Promise<SubscriptionState> {
    let before = NO_SUBSCRIPTION
    await this.#change(account, contact, item => {
      if (!item?.isListed) throw new StanzaError('item-not-found') // RFC 6121 §2.5.3
      before = item.state
      return { ...newItem(contact), isListed: false }
    })
    return before
  }

  /** RFC 6121 §3, outbound: resolves with whether to route the stanza to the contact, and the state before it. */
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
   * RFC 6121 §3, inbound: a request also stays in the roster until it is answered. `deliver` is called where the stanza
   * is for the account's sessions, before the push that it causes (§3.1.6).
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
      // RFC 6121 §3.1.3: a repeated request replaces the waiting one.
      const request = state.pendingIn ? (type === 'subscribe' ? stanza.toXml(NS_CLIENT) : item?.request) : undefined
      if (!push && request === item?.request && state === before) return
      return { ...(item ?? newItem(contact)), state, request }
    }, () => { if (isDelivered) deliver() })
    const { waiting } = asideOf(this.#of(account))
    for (const { jid } of tooManyRequests(waiting.values())) await this.#dropRequest(account, jid)
    return received
  }

  /** Ends all subscriptions with a removed account. Returns undefined where there are none. */
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

  /** The account's unanswered subscription requests, as XML. */
  requests (account: Account): readonly string[] {
    const requests: string[] = []
    for (const { request } of this.#of(account).items.values()) if (request !== undefined) requests.push(request)
    return requests
  }

  /** Throws where a change adds a contact, or bytes, to a full roster. */
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
   * Applies a change to one item, in the account's turn: in the database, then in memory, then calls `announce`, and
   * then pushes it if clients see it.
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
      if (isVisible) this.#push(account, kept, item)
    })
  }

  /** Stores the item, and removes those that are no longer needed; an anonymous account's are in memory only. */
  async #keep (account: Account, roster: Roster, item: RosterItem): Promise<void> {
    const version = Math.max(roster.version, item.version)
    const before = roster.items.get(item.jid.toString())
    const gone: Jid[] = isGone(item, version) ? [item.jid] : []
    for (const other of asideOf(roster).removed.values()) {
      if (other !== before && isGone(other, version)) gone.push(other.jid)
    }
    if (!account.isAnonymous) {
      if (!isGone(item, version)) await this.#store.store(account.jid, item)
      if (gone.length > 0) await this.#store.remove(account.jid, gone)
    }
    roster.version = version
    replaceItem(roster, before, item)
    for (const jid of gone) removeItem(roster, jid.toString())
  }

  /** RFC 6121 §2.1.6: pushes an item to every session that asked for the roster; serialised once for all. */
  #push (account: Account, item: RosterItem, before: RosterItem | undefined): void {
    const push = rosterPush(item)
    for (const session of account.sessions) {
      if (session.isInterested) session.deliver(push.copyFor(session.jid))
    }
    this.#pushed(account, push, {
      jid: item.jid, isSubscriber: isSubscriber(item), wasSubscriber: before !== undefined && isSubscriber(before),
    })
  }
}

/** Replaces an item in memory, with the caches that depend on it. */
function replaceItem (roster: Roster, before: RosterItem | undefined, item: RosterItem): void {
  const key = item.jid.toString()
  roster.listing = undefined
  if (isSubscriber(item) !== (before !== undefined && isSubscriber(before))) roster.subscribers = undefined
  if (roster.totals) {
    roster.totals.items += Number(item.isListed) - Number(before?.isListed === true)
    roster.totals.bytes += weightOf(item) - weightOf(before)
  }
  roster.items.set(key, item)
  putAside(asideOf(roster), key, item)
}

function removeItem (roster: Roster, key: string): void {
  roster.items.delete(key)
  roster.aside?.removed.delete(key)
}

/** Whether an item is neither listed nor has a request, and versioning needs it no more (RFC 6121 §2.6). */
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

/** The listed items, as XML. */
export function writeRoster (roster: Roster): string {
  if (roster.listing !== undefined) return roster.listing
  let listing = ''
  for (const item of roster.items.values()) if (item.isListed) listing += writeItem(item)
  if (listing.length >= MIN_KEPT_LISTING) roster.listing = listing
  return listing
}

/** RFC 6121 §2.1.6: a roster push of one item. */
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

/** The item as clients see it; two versions that differ here need a push. */
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
 * About the bytes of a listed item as XML, 0 for any other. The subscription counts as constant, since contacts change
 * it, too.
 */
function weightOf (item: RosterItem | undefined): number {
  if (!item?.isListed) return 0
  const { jid, name = '', groups } = item
  const empty = "<item jid='' name='' subscription='both'></item>"
  let bytes = empty.length + jid.attribute.length + escapeAttribute(name).length
  for (const group of groups) bytes += '<group></group>'.length + escapeText(group).length
  return bytes
}

/** RFC 6121 §2.1.2: an item as XML; one that is not listed is written as removed. */
function writeItem ({ jid, isListed, name, groups, state }: RosterItem): string {
  const { subscription, pendingOut, approved } = state
  if (!isListed) return `<item jid='${jid.attribute}' subscription='remove'/>`
  const tag = `<item jid='${jid.attribute}'${name === undefined ? '' : ` name='${escapeAttribute(name)}'`}` +
    ` subscription='${subscription}'${pendingOut ? " ask='subscribe'" : ''}${approved ? " approved='true'" : ''}`
  if (groups.length === 0) return `${tag}/>`
  return `${tag}>${groups.map(group => `<group>${escapeText(group)}</group>`).join('')}</item>`
}
