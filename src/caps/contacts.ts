/**
 * Contacts on other servers: of which nodes their clients want notifications, by the presence that they send to an
 * account. Known of an account while it has an available session. The account's next owner is told, or probes them.
 */
import type { AccountView } from '../extension/views.ts'
import type { Logger } from '../log.ts'
import type { Roster, RosterItem } from '../roster/roster.ts'
import type { Router } from '../routing/router.ts'
import type { EventTable } from '../session/events.ts'
import { eachInSlices, neverRejects } from '../util/background.ts'
import { Jid } from '../xmpp/jid.ts'
import { NS_CLIENT } from '../xmpp/ns.ts'
import { iq, presence as makePresence } from '../xmpp/stanza.ts'
import type { Iq, Message, Presence } from '../xmpp/stanza.ts'
import { announcedIn } from './announced.ts'
import type { Announced } from './announced.ts'
import { hourly } from './known.ts'
import type { KnownCapabilities, Learnt } from './known.ts'

/** The most clients of one account's contacts: those are forgotten first that were learnt first. */
const MAX_CLIENTS = 2000
/** What is looked up for the clients of one other server. */
const LOOKUPS_PER_HOUR = 500
/** The most clients that are asked at a time. */
const MAX_ASKED = 2000

/** For the account's next owner: what is announced, and by which clients. */
export type SavedContacts = readonly { readonly announced: Announced, readonly clients: readonly string[] }[]

export interface ContactsParts {
  readonly known: KnownCapabilities
  /** The hosts whose accounts are local. */
  readonly hosts: readonly string[]
  readonly rosters: {
    of (account: AccountView): Roster
    item (account: AccountView, contact: Jid): RosterItem | undefined
  }
  readonly router: Pick<Router, 'requests' | 'post'>
  readonly events: EventTable
  readonly log: Logger
}

export class Contacts {
  readonly #parts: ContactsParts
  readonly #clients = new WeakMap<AccountView, ClientsOfContacts>()
  readonly #limit = hourly(LOOKUPS_PER_HOUR)
  #asked = 0

  constructor (parts: ContactsParts) {
    this.#parts = parts
  }

  /** The clients that want notifications of a node, of contacts who may see the account's presence. */
  * interested (account: AccountView, node: string): Iterable<Jid> {
    for (const [client, { notify }] of this.#clients.get(account) ?? []) {
      if (!notify.has(node)) continue
      const jid = Jid.kept(client)
      const { subscription } = this.#parts.rosters.item(account, jid)?.state ?? {}
      if (subscription === 'from' || subscription === 'both') yield jid
    }
  }

  /** Takes presence that has reached the account. */
  received (presence: Presence, account: AccountView): void {
    const { from, type } = presence
    if (!from || this.#parts.hosts.includes(from.domain)) return
    if (type === 'unavailable' || type === 'error') this.#forget(account, jid => isOf(jid, from))
    if (type !== 'available' || from.isBare || !this.#isWorthKnowing(from, account)) return
    const announced = announcedIn(presence)
    if (announced) this.#follow(account, from, announced)
  }

  #isWorthKnowing (from: Jid, account: AccountView): boolean {
    const { subscription = 'none' } = this.#parts.rosters.item(account, from)?.state ?? {}
    return subscription !== 'none' && account.sessions.some(({ available }) => available)
  }

  #follow (account: AccountView, from: Jid, announced: Announced): void {
    const { known, events } = this.#parts
    let clients = this.#clients.get(account)
    if (!clients) this.#clients.set(account, clients = new ClientsOfContacts())
    known.follow(clients, from.toString(), announced, {
      sender: from.domain,
      limit: this.#limit,
      ask: query => this.#asked < MAX_ASKED ? this.#ask(iq('get', { from: account.jid, to: from }, query)) : undefined,
      changed: (notify, before) => { events.emit('contact.interested', account, { jid: from, notify, before }) },
    })
  }

  async #ask (request: Iq): Promise<Iq> {
    this.#asked++
    try {
      return await this.#parts.router.requests.ask(request)
    } finally {
      this.#asked--
    }
  }

  /** A message of the account came back: where its server can't be reached, the domain's clients are forgotten. */
  cameBack (error: Message, account: AccountView): void {
    const { from } = error
    if (!from || !this.#clients.has(account)) return
    const conditions = error.payload('error', NS_CLIENT)?.getChildElements() ?? []
    if (!conditions.some(condition => condition.getName().startsWith('remote-server-'))) return
    this.#forget(account, jid => jid.domain === from.domain)
  }

  #forget (account: AccountView, isGone: (client: Jid) => boolean): void {
    const clients = this.#clients.get(account)
    for (const client of clients?.keys() ?? []) if (isGone(Jid.kept(client))) clients?.delete(client)
  }

  /** Forgets all of an account's contacts. */
  drop (account: AccountView): void {
    this.#clients.get(account)?.clear()
    this.#clients.delete(account)
  }

  /** What is known of the account's contacts, for its next owner. */
  save (account: AccountView): SavedContacts {
    const all = [...this.#clients.get(account) ?? []]
    return [...Map.groupBy(all, ([, learnt]) => learnt)].map(([{ announced }, clients]) =>
      ({ announced, clients: clients.map(([client]) => client) }))
  }

  /** Goes on with what another node has saved. */
  restore (account: AccountView, saved: SavedContacts): void {
    for (const { announced, clients } of saved) {
      for (const client of clients) this.#follow(account, Jid.kept(client), announced)
    }
  }

  /** Asks for the presence of contacts, where nothing was saved (RFC 6121 §4.3.1). */
  probe (account: AccountView): void {
    const { hosts, rosters, router, log } = this.#parts
    neverRejects(eachInSlices(log, 'probes of contacts', rosters.of(account).items.values(), ({ jid, state }) => {
      if (state.subscription !== 'both' || hosts.includes(jid.domain)) return
      router.post(makePresence('probe', { from: account.jid, to: jid }))
    })) // as it says
  }
}

/** Whether it is that client, or one of that contact. */
function isOf (client: Jid, address: Jid): boolean {
  return (address.isBare ? client.bare : client).equals(address)
}

/** By full address, in the order in which they were learnt. */
class ClientsOfContacts extends Map<string, Learnt> {
  override set (client: string, learnt: Learnt): this {
    this.delete(client)
    super.set(client, learnt)
    const [first] = this.keys()
    if (this.size > MAX_CLIENTS && first !== undefined) this.delete(first)
    return this
  }
}
