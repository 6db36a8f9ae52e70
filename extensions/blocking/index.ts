/**
 * XEP-0191: Blocking Command. Keeps an account's block list in memory with the account and stands guard with it: what
 * a blocked contact sends goes back as if nobody were there, what the user sends to one is refused.
 */
import { el, extension, iq, Jid, JidError, presence, randomId, StanzaError } from '../../src/extension/api.ts'
import type { Account, Element, ExtensionHost, Stanza, Verdict } from '../../src/extension/api.ts'
import { blockStore } from './store.ts'
import type { BlockList } from './store.ts'

const NS = 'urn:xmpp:blocking'
const NS_ERRORS = 'urn:xmpp:blocking:errors'

/** More than that on one list is somebody's mistake. */
const MAX_ITEMS = 10_000

export const blocking = extension({
  name: 'blocking',
  xeps: ['0191@1.3'],
  setup (host) {
    const store = blockStore(host.db)
    const lists = host.accountData((_db, account) => store.load(account))

    host.feature(NS)
    host.on('send', 'guard', (stanza, { account }) => guardSent(stanza, account, lists.of(account)))
    host.on('receive', 'guard', (stanza, account) => guardReceived(stanza, account, lists.of(account)))

    host.iq({ type: 'get', to: ['own-account'], name: 'blocklist', ns: NS }, (_request, session) => {
      session.setFlag(NS, true)
      return el('blocklist', NS, {}, [...lists.of(session.account)].map(jid => el('item', NS, { jid })))
    })
    host.iq({ type: 'set', to: ['own-account'], name: 'block', ns: NS }, async ({ payload }, { account }) => {
      const named = itemsOf(payload)
      if (named.length === 0) throw new StanzaError('bad-request', 'whom?') // §3.3
      const fresh = named.filter(jid => !lists.of(account).has(jid.toString()))
      if (lists.of(account).size + fresh.length > MAX_ITEMS) {
        throw new StanzaError('resource-constraint', 'the list is full')
      }
      if (!account.isAnonymous) await store.add(account.jid, fresh.map(String))
      withdrawPresence(host, account, fresh)
      lists.set(account, new Set([...lists.of(account), ...fresh.map(String)]))
      push(host, account, 'block', named)
    })
    host.iq({ type: 'set', to: ['own-account'], name: 'unblock', ns: NS }, async ({ payload }, { account }) => {
      const named = itemsOf(payload)
      // §3.5: none means all.
      const removed = named.length === 0 ? [...lists.of(account)].map(jid => Jid.parse(jid)) : named
      const gone = new Set(removed.map(String))
      await store.remove(account.jid, [...gone])
      const before = lists.of(account)
      lists.set(account, new Set([...before].filter(jid => !gone.has(jid))))
      showPresence(host, account, lists.of(account), removed.filter(jid => before.has(jid.toString())))
      push(host, account, 'unblock', named)
    })
  },
})

/** §6: a full address, a bare one, a domain with a resource, or a domain. */
function isBlocked (list: BlockList, jid: Jid): boolean {
  return list.size > 0 && (
    list.has(jid.toString()) || list.has(jid.bare.toString()) || list.has(jid.domain) ||
    (jid.resource !== '' && list.has(`${jid.domain}/${jid.resource}`)))
}

// §3.3: an error that says why. An account and its server can't be kept from each other.
function guardSent (stanza: Stanza, account: Account, list: BlockList): Verdict {
  if (list.size === 0 || !stanza.to || isOwn(stanza.to, account) || !isBlocked(list, stanza.to)) return
  return new StanzaError('not-acceptable', undefined, { name: 'blocked', ns: NS_ERRORS }, 'cancel')
}

// §3.3: presence is lost in silence, messages and requests are answered as if nobody were there. What a blocked occupant
// says to a room is lost too: an answer would take the user out of the room (XEP-0045 §11.1).
function guardReceived (stanza: Stanza, account: Account, list: BlockList): Verdict {
  if (list.size === 0 || !stanza.from || isOwn(stanza.from, account) || !isBlocked(list, stanza.from)) return
  return stanza.kind === 'presence' || stanza.type === 'groupchat' ? 'drop' : new StanzaError('service-unavailable')
}

function isOwn (jid: Jid, account: Account): boolean {
  return jid.bare.equals(account.jid) || (jid.local === '' && jid.domain === account.jid.domain)
}

/** §3.3: those who see the user's presence and are blocked from now on see the user go. */
function withdrawPresence (host: ExtensionHost, account: Account, blocked: readonly Jid[]): void {
  const names = new Set(blocked.map(String))
  for (const { jid, available, directed } of account.sessions) {
    const seenBy = new Map(directed)
    if (available) for (const to of subscribersAmong(host, account, blocked)) seenBy.set(to.toString(), to)
    for (const to of seenBy.values()) {
      if (isBlocked(names, to)) host.route(presence('unavailable', { from: jid, to }))
    }
  }
}

/** §3.4: those who may see the user's presence see it again, unless they are blocked in another way. */
function showPresence (host: ExtensionHost, account: Account, list: BlockList, unblocked: readonly Jid[]): void {
  const shownTo = subscribersAmong(host, account, unblocked).filter(to => !isBlocked(list, to))
  for (const { jid, presence } of account.sessions) {
    if (presence) for (const to of shownTo) host.route(presence.withAddress(jid, to))
  }
}

/** The subscribers whom a change of the list is about: a resource of one where it names no more than this. */
function subscribersAmong (host: ExtensionHost, account: Account, changed: readonly Jid[]): readonly Jid[] {
  const subscribers = host.subscribersOf(account)
  const names = new Set(changed.map(String))
  return [
    ...subscribers.filter(jid => isBlocked(names, jid)),
    ...changed.filter(jid => jid.resource !== '' && subscribers.some(subscriber => subscriber.equals(jid.bare))),
  ]
}

/** §3.3 to §3.5: to every device that asked for the list. */
function push (host: ExtensionHost, account: Account, change: 'block' | 'unblock', named: readonly Jid[]): void {
  const command = el(change, NS, {}, named.map(jid => el('item', NS, { jid: jid.toString() })))
  for (const session of account.sessions) {
    if (session.flags.has(NS)) host.deliver(session, iq('set', { to: session.jid, id: randomId() }, command))
  }
}

function itemsOf (command: Element): readonly Jid[] {
  return command.getChildren('item', NS).map(item => {
    if (item.attrs.jid === undefined) throw new StanzaError('bad-request', 'an item has no jid')
    try {
      return Jid.parse(item.attrs.jid)
    } catch (error) {
      if (error instanceof JidError) throw new StanzaError('jid-malformed', error.message) // §3.3
      throw error
    }
  })
}
