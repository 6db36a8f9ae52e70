/**
 * XEP-0115: Entity Capabilities, of which the server needs one thing: of which nodes a client wants notifications
 * (XEP-0163 §4.2). Its own clients announce it in their presence, contacts' in what they send to an account.
 */
import type { ExtensionHost } from '../extension/host.ts'
import type { AccountView, SessionView } from '../extension/views.ts'
import type { EventTable } from '../session/events.ts'
import { Jid } from '../xmpp/jid.ts'
import { iq } from '../xmpp/stanza.ts'
import { announcedIn } from './announced.ts'
import { Contacts } from './contacts.ts'
import type { ContactsParts, SavedContacts } from './contacts.ts'
import { hourly, KnownCapabilities, NONE } from './known.ts'
import type { Learnt } from './known.ts'

/** What is looked up for the sessions of one account. */
const LOOKUPS_PER_HOUR = 60
/** The interval at which the database is brought below its limit. */
const CLEAN_MS = 3_600_000

export interface CapsParts extends Pick<ContactsParts, 'rosters' | 'router'> {
  readonly host: ExtensionHost
  readonly events: EventTable
}

export class Caps {
  readonly #parts: CapsParts
  readonly #known: KnownCapabilities
  readonly #clients = new WeakMap<SessionView, Learnt>()
  readonly #contacts: Contacts
  readonly #limit = hourly(LOOKUPS_PER_HOUR)
  /** Accounts whose next owner is told what is known of contacts; no other needs it while this one lives. */
  readonly #leaving = new WeakSet<AccountView>()

  constructor (parts: CapsParts) {
    this.#parts = parts
    const { host } = parts
    this.#known = new KnownCapabilities(host.db, host.log)
    this.#contacts = new Contacts({ ...parts, known: this.#known, hosts: host.hosts, log: host.log })
    host.when('presence.announced', session => {
      this.#leaving.delete(session.account)
      this.#announced(session)
    })
    host.when('presence.withdrawn', session => {
      this.#clients.delete(session)
      if (!session.account.sessions.some(({ available }) => available)) this.#contacts.drop(session.account)
    })
    host.when('presence.received', (presence, account) => { this.#contacts.received(presence, account) })
    host.on('receive', 'fanout', (message, account) => {
      if (message.type === 'error') this.#contacts.cameBack(message, account)
    })
    host.every(CLEAN_MS, () => this.#known.removeUnused())
    this.#replicate(host)
  }

  /** The nodes of which the session's client wants notifications: none while that is unknown. */
  notify (session: SessionView): ReadonlySet<string> {
    return this.#clients.get(session)?.notify ?? NONE
  }

  /** The clients on other servers that want notifications of a node, of contacts who may see the account's presence. */
  remoteInterested (account: AccountView, node: string): Iterable<Jid> {
    return this.#contacts.interested(account, node)
  }

  #announced (session: SessionView): void {
    const announced = session.presence && announcedIn(session.presence)
    if (!announced) return
    const { router, events } = this.#parts
    const { jid, account } = session
    this.#known.follow(this.#clients, session, announced, {
      sender: account.jid.toString(),
      limit: this.#limit,
      ask: query => router.requests.askOn(request => { session.deliver(request) },
        iq('get', { from: Jid.of('', jid.domain), to: jid }, query)),
      changed: (_notify, before) => { events.emit('session.interested', session, before) },
    })
  }

  /** The account's next owner knows sessions by their presence, and contacts by what is saved, or probes them. */
  #replicate (host: ExtensionHost): void {
    const saves = new WeakMap<AccountView, SavedContacts>()
    host.when('account.beforeMove', async account => { this.#leaving.add(account) })
    host.when('account.movedAway', account => { this.#contacts.drop(account) })
    host.cluster?.replicate<SavedContacts, readonly []>({
      save: account => this.#leaving.has(account) ? this.#contacts.save(account) : undefined,
      restore: async (account, saved) => {
        if (saved) saves.set(account, saved)
        await Promise.all(account.sessions.map(session => this.#restore(session)))
      },
      onRestored: account => {
        const saved = saves.get(account)
        for (const session of account.sessions) this.#announced(session)
        if (saved) this.#contacts.restore(account, saved)
        else if (account.sessions.some(({ available }) => available)) this.#contacts.probe(account)
      },
    })
  }

  async #restore (session: SessionView): Promise<void> {
    const announced = session.presence && announcedIn(session.presence)
    const learnt = announced && await this.#known.find(announced)
    if (learnt) this.#clients.set(session, learnt)
  }
}
