/**
 * XEP-0163: Personal Eventing Protocol: who is told of an account's nodes without having subscribed. What is for
 * contacts of this server goes to their bare addresses, once to each node of the cluster, and is filtered where each
 * has its sessions; the last items are read where the session is that has come online.
 */
import type { ExtensionHost } from '../extension/host.ts'
import type { ContactChange } from '../extension/points.ts'
import type { AccountView, SessionView } from '../extension/views.ts'
import type { Rosters } from '../roster/roster.ts'
import type { Account } from '../session/account.ts'
import { pace } from '../session/pace.ts'
import type { Session } from '../session/session.ts'
import { inBackground } from '../util/background.ts'
import { inSlices } from '../util/slices.ts'
import type { Child } from '../xml/framer.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { isForInterested, NS_PUBSUB_EVENT } from '../xmpp/pubsub.ts'
import type { Message } from '../xmpp/stanza.ts'
import { isAllowed } from './access.ts'
import type { Contact } from './access.ts'
import type { Context } from './context.ts'
import { lastItemEvent } from './events.ts'
import type { Source } from './events.ts'
import type { Interests } from './interests.ts'
import { affiliationOf } from './node.ts'
import type { PubsubNode } from './node.ts'
import { readLastItems } from './last-items.ts'
import type { LastItem } from './last-items.ts'
import { LastItemsSent } from './last-items-sent.ts'
import { NewerEvents } from './newer-events.ts'
import { cancelRefused } from './requests/nodes.ts'
import { listSubscriptions } from './store.ts'

export interface PersonalParts {
  readonly interests: Interests
  readonly rosters: Rosters
  /** The account where it is in memory here. */
  readonly account: (jid: Jid) => Account | undefined
  readonly hosts: readonly string[]
  /** Sends a stanza to an account of this server or to anybody else. */
  readonly post: (stanza: Message) => void | Promise<void>
  readonly withholdings: readonly Withholding[]
  readonly context: Context
}

/** As `PubsubFacet.withhold`. */
export type Withholding = (accounts: readonly string[], from: Jid) => Promise<ReadonlySet<string>>

export class Personal {
  readonly #parts: PersonalParts
  /** Of sessions here, and of `this` for whoever else is sent items of accounts here. */
  readonly #newer = new NewerEvents<SessionView | Personal>()
  /** Last items on their way, by content, with the nodes that have had newer events since they were read. */
  readonly #onTheirWay = new WeakMap<readonly Child[], ReadonlySet<string>>()

  constructor (parts: PersonalParts) {
    this.#parts = parts
  }

  register (host: ExtensionHost): void {
    const { interests } = this.#parts
    host.on('receive', 'redirect', (message, account) => {
      if (message.type === 'headline' && this.#isOutdated(message)) return []
      if (!isForInterested(message)) return
      const node = nodeOf(message)
      const wanting = account.sessions.filter(session => session.available && interests.notify(session).has(node))
      for (const session of wanting) this.#newer.note(session, keyOf(message.from, node))
      return wanting
    })
    const lastItems = new LastItemsSent(host, session => { sendLastItems(session, [...interests.notify(session)]) })
    const sendLastItems = (session: SessionView, names: readonly string[]): void => {
      if (names.length === 0 || session.account.isAnonymous) return
      const sending = this.#sendToSession(this.#lastItems(host, session.jid, names), session as Session)
      inBackground(host.log, 'last items for a session', lastItems.after(session, sending))
    }
    host.when('session.interested', (session, before) => {
      sendLastItems(session, [...interests.notify(session)].filter(node => !before.has(node)))
    })
    host.when('contact.interested', (account, { jid, notify, before }) => {
      const added = [...notify].filter(node => !before.has(node))
      if (added.length === 0) return
      const pages = this.#lastItems(host, jid, added, account.jid)
      inBackground(host.log, 'last items for a contact elsewhere', this.#sendTo(pages, () => [jid]))
    })
    host.when('contact.changed', (account, change) => {
      inBackground(host.log, 'what a change of a contact means for nodes', this.#contactChanged(host, account, change))
    })
  }

  /** Whether it is a last item that has had to wait for its turn behind a newer event of its node. */
  #isOutdated (message: Message): boolean {
    return this.#onTheirWay.get(message.children)?.has(keyOf(message.from, nodeOf(message))) === true
  }

  async #contactChanged (
    host: ExtensionHost, account: AccountView, { jid, isSubscriber, wasSubscriber }: ContactChange,
  ): Promise<void> {
    if (wasSubscriber) return this.#cancelRefused(account.jid, jid)
    if (!isSubscriber) return
    const { hosts, interests } = this.#parts
    const isHere = hosts.includes(jid.domain) // there it is filtered
    await this.#sendTo(this.#lastItems(host, jid, undefined, account.jid), ({ name }) =>
      isHere ? [jid] : [...interests.remoteInterested(account, name)].filter(client => client.bare.equals(jid)))
  }

  /** XEP-0163 §7.1: subscriptions to nodes of the account that the contact may have no more. */
  async #cancelRefused (account: Jid, contact: Jid): Promise<void> {
    const { context } = this.#parts
    const nodes = await listSubscriptions(context.db, account, contact, undefined)
    for (const name of new Set(nodes.map(({ node }) => node))) {
      await context.engine.change(account, name, node => cancelRefused(context, node, [contact.toString()]))
        .catch(ignoreMissing)
    }
  }

  /** Who hears of the node, in the roster of its account, which is in memory here (`Notifier`). */
  * audienceOf (node: PubsubNode): Generator<Jid> {
    const { rosters, interests, account: find, hosts } = this.#parts
    const { owner, name } = node
    this.#newer.note(this, keyOf(owner, name))
    yield owner
    const account = find(owner)
    if (!account) return
    for (const contact of rosters.subscribers(account)) {
      if (hosts.includes(contact.domain) && this.#mayHear(node, account, contact)) yield contact
    }
    for (const client of interests.remoteInterested(account, name)) {
      if (this.#mayHear(node, account, client.bare)) yield client
    }
  }

  #mayHear (node: PubsubNode, account: Account, contact: Jid): boolean {
    const item = this.#parts.rosters.item(account, contact)
    if (!item || !this.#parts.rosters.isSubscriber(account, contact)) return false
    switch (affiliationOf(node, contact)) {
      case 'owner':
      case 'publisher':
      case 'member': return true
      case 'publish-only':
      case 'outcast': return false
      case 'none': return isAllowed(node, { isSubscriber: true, groups: item.groups } satisfies Contact)
    }
  }

  /** XEP-0163 §4.3.4: the last items of these nodes of somebody's account and of all contacts here, in pages. */
  async * #lastItems (
    host: ExtensionHost, who: Jid, names: readonly string[] | undefined, of?: Jid,
  ): AsyncGenerator<readonly LastItem[]> {
    for await (const page of readLastItems(work => host.readFor(who, work), who.bare, names, of)) {
      const accounts = [...new Set(page.map(({ node: { owner } }) => owner.toString()))]
      const withheld = await Promise.all(this.#parts.withholdings.map(withholding => withholding(accounts, who)))
      yield page.filter(({ node: { owner } }) => !withheld.some(some => some.has(owner.toString())))
    }
  }

  /**
   * As fast as it reads; false where it has gone offline or to another node meanwhile: what is newer is not heard of
   * here then.
   */
  async #sendToSession (pages: AsyncIterable<readonly LastItem[]>, session: Session): Promise<boolean> {
    const isHere = (): boolean => session.available && session.account.session(session.jid.resource) === session
    await this.#newer.during(session, async newer => {
      for await (const page of pages) {
        await pace(session, this.#steps(page, () => isHere() ? [session.jid] : [], newer))
        if (!isHere()) return
      }
    })
    return isHere()
  }

  #sendTo (pages: AsyncIterable<readonly LastItem[]>, clientsFor: (node: Source) => readonly Jid[]): Promise<void> {
    return this.#newer.during(this, async newer => {
      for await (const page of pages) await inSlices(this.#steps(page, clientsFor, newer))
    })
  }

  * #steps (
    page: readonly LastItem[], clientsFor: (node: Source) => readonly Jid[], newer: ReadonlySet<string>,
  ): Generator<void | Promise<void>> {
    for (const { node, item } of page) {
      if (newer.has(keyOf(node.owner, node.name))) continue
      const event = lastItemEvent(node, item)
      nodes.set(event.children, node.name)
      this.#onTheirWay.set(event.children, newer)
      for (const to of clientsFor(node)) yield this.#parts.post(event.copyFor(to))
    }
  }
}

function keyOf (owner: Jid | undefined, node: string): string {
  return `${owner} ${node}`
}

/** The node was deleted meanwhile. */
function ignoreMissing (error: unknown): void {
  if (!(error instanceof StanzaError)) throw error
}

/** By content, which all copies of an event share. */
const nodes = new WeakMap<readonly Child[], string>()

/** The node that an event is of. */
function nodeOf (message: Message): string {
  const known = nodes.get(message.children)
  if (known !== undefined) return known
  const event = message.children.find(({ name, ns }) => name === 'event' && ns === NS_PUBSUB_EVENT)
  const [items] = event ? message.written(event).children(1) ?? [] : []
  const node = items?.attrs['node'] ?? ''
  nodes.set(message.children, node)
  return node
}
