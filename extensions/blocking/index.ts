/**
 * XEP-0191: Blocking Command. Keeps an account's block list in memory with the account and stands guard with it: what
 * a blocked contact sends goes back as if nobody were there, what the user sends to one is refused.
 */
import {
  checkAddressList,
  el,
  escapeAttribute,
  extension,
  inSlices,
  iq,
  Jid,
  parseAddress,
  presence,
  randomId,
  StanzaError,
  Turns,
  Written,
} from '../../src/extension/api.ts'
import { NS_MUC_USER } from '../../src/extension/api.ts'
import type {
  AccountInfo,
  AccountView,
  AccountData,
  Element,
  ExtensionHost,
  Stanza,
  Verdict,
} from '../../src/extension/api.ts'
import { blockStore } from './store.ts'
import type { BlockList, BlockStore } from './store.ts'

const NS = 'urn:xmpp:blocking'
const NS_ERRORS = 'urn:xmpp:blocking:errors'

/** What is on one list at most. */
const MAX_ITEMS = 10_000
const MAX_BYTES = 1_000_000

export const blocking = extension({
  name: 'blocking',
  xeps: ['0191@1.3'],
  setup (host) {
    const store = blockStore(host.db)
    const lists = host.accounts.data((_db, account) => store.load(account))
    const parts = { host, store, lists }
    const turns = new Turns()
    const inTurn = ({ jid }: AccountView, change: () => Promise<void>): void | Promise<void> =>
      turns.inTurn(jid.toString(), change)

    host.disco.feature(NS)
    host.on('send', 'guard', (stanza, account) => guardSent(stanza, account, lists.of(account)))
    host.on('receive', 'guard', (stanza, account) => guardReceived(stanza, account, lists.of(account)))

    host.pubsub.withhold(async (accounts, from) => new Set(await store.whoBlocks(accounts, namesOf(from))))

    host.iq({ type: 'get', to: ['own-account'], name: 'blocklist', ns: NS }, (_request, session) => {
      session.setFlag(NS, true)
      return Written.around(el('blocklist', NS), writeItems(lists.of(session.account)))
    })
    host.iq({ type: 'set', to: ['own-account'], name: 'block', ns: NS }, ({ payload }, { account }) => {
      const named = itemsOf(payload)
      if (named.length === 0) throw new StanzaError('bad-request', 'the request names no address') // §3.3
      return inTurn(account, () => block(parts, account, named))
    })
    host.iq({ type: 'set', to: ['own-account'], name: 'unblock', ns: NS }, ({ payload }, { account }) => {
      const named = itemsOf(payload)
      return inTurn(account, () => unblock(parts, account, named))
    })
  },
})

interface BlockingParts {
  readonly host: ExtensionHost
  readonly store: BlockStore
  readonly lists: AccountData<BlockList>
}

async function block (
  { host, store, lists }: BlockingParts,
  account: AccountView,
  named: readonly Jid[],
): Promise<void> {
  const list = lists.of(account)
  const fresh = named.filter(jid => !list.has(jid.toString()))
  if (fresh.length === 0) return
  const longer = new Set([...list, ...fresh.map(String)])
  if (longer.size > MAX_ITEMS || writeItems(longer).length > MAX_BYTES) {
    throw new StanzaError('resource-constraint', 'your block list is full')
  }
  if (!account.isAnonymous) await store.add(account.jid, fresh.map(String))
  lists.set(account, longer)
  await inSlices(withdrawPresence(host, account, fresh))
  await inSlices(push(host, account, 'block', named))
}

async function unblock (
  { host, store, lists }: BlockingParts,
  account: AccountView,
  named: readonly Jid[],
): Promise<void> {
  const list = lists.of(account)
  // §3.5: none means all.
  const removed = named.length === 0
    ? [...list].map(jid => Jid.kept(jid))
    : named.filter(jid => list.has(jid.toString()))
  if (removed.length === 0) return
  const gone = new Set(removed.map(String))
  await store.remove(account.jid, [...gone])
  const left = new Set([...list].filter(jid => !gone.has(jid)))
  lists.set(account, left)
  await inSlices(showPresence(host, account, left, removed))
  await inSlices(push(host, account, 'unblock', named))
}

const written = new WeakMap<BlockList, string>()

/** An item for each address, written once for all who ask. */
function writeItems (list: BlockList): string {
  let xml = written.get(list)
  if (xml === undefined) {
    xml = ''
    for (const jid of list) xml += `<item jid='${escapeAttribute(jid)}'/>`
    written.set(list, xml)
  }
  return xml
}

/** What a list may have for that address. */
function namesOf (jid: Jid): readonly string[] {
  const { resource, domain } = jid
  return [jid.toString(), jid.bare.toString(), domain, ...resource === '' ? [] : [`${domain}/${resource}`]]
}

/** §6: a full address, a bare one, a domain with a resource, or a domain. */
function isBlocked (list: BlockList, jid: Jid): boolean {
  return list.size > 0 && (
    list.has(jid.toString()) || list.has(jid.bare.toString()) || list.has(jid.domain) ||
    (jid.resource !== '' && list.has(`${jid.domain}/${jid.resource}`)))
}

// §3.3: an error that says why. An account and its server can't be kept from each other.
function guardSent (stanza: Stanza, account: AccountInfo, list: BlockList): Verdict {
  if (list.size === 0 || !stanza.to || isOwn(stanza.to, account) || !isBlocked(list, stanza.to)) return
  return new StanzaError('not-acceptable', undefined, { name: 'blocked', ns: NS_ERRORS }, 'cancel')
}

// §3.3: presence is lost in silence, messages and requests are answered as if nobody were there. What a blocked
// occupant says to a room is lost too: an answer would take the user out of the room (XEP-0045 §11.1).
function guardReceived (stanza: Stanza, account: AccountInfo, list: BlockList): Verdict {
  if (list.size === 0 || !stanza.from || isOwn(stanza.from, account)) return
  if (!isBlocked(list, stanza.from)) return isFromBlockedInviter(stanza, list) ? 'drop' : undefined
  return stanza.kind === 'presence' || stanza.type === 'groupchat' ? 'drop' : new StanzaError('service-unavailable')
}

/**
 * XEP-0045 §7.8.2: what a room passes on is of who invites, or declines; the room's own address says nothing of that.
 */
function isFromBlockedInviter (stanza: Stanza, list: BlockList): boolean {
  if (stanza.kind !== 'message' || !stanza.has('x', NS_MUC_USER)) return false
  const x = stanza.payload('x', NS_MUC_USER)
  const from = (x?.getChild('invite', NS_MUC_USER) ?? x?.getChild('decline', NS_MUC_USER))?.attrs.from
  const inviter = from === undefined ? undefined : Jid.asWritten(from)
  return inviter !== undefined && isBlocked(list, inviter)
}

function isOwn (jid: Jid, account: AccountInfo): boolean {
  return jid.bare.equals(account.jid) || (jid.local === '' && jid.domain === account.jid.domain)
}

/** §3.3: those who see the user's presence and are blocked from now on see the user go. */
function * withdrawPresence (host: ExtensionHost, account: AccountView, blocked: readonly Jid[]): Generator<void> {
  const names = new Set(blocked.map(String))
  const subscribers = subscribersAmong(host, account, blocked)
  for (const { jid, available, directed } of account.sessions) {
    const seenBy = new Map(directed)
    if (available) for (const to of subscribers) seenBy.set(to.toString(), to)
    for (const to of seenBy.values()) {
      if (isBlocked(names, to)) yield host.messages.route(presence('unavailable', { from: jid, to }))
    }
  }
}

/** §3.4: those who may see the user's presence see it again, unless they are blocked in another way. */
function * showPresence (
  host: ExtensionHost, account: AccountView, list: BlockList, unblocked: readonly Jid[],
): Generator<void> {
  const shownTo = subscribersAmong(host, account, unblocked).filter(to => !isBlocked(list, to))
  for (const { jid, presence } of account.sessions) {
    if (presence) for (const to of shownTo) yield host.messages.route(presence.withAddress(jid, to))
  }
}

/** The subscribers whom a change of the list is about: a resource of one where it names no more than this. */
function subscribersAmong (host: ExtensionHost, account: AccountView, changed: readonly Jid[]): readonly Jid[] {
  const subscribers = host.accounts.subscribersOf(account)
  const bare = new Set(subscribers.map(String))
  const names = new Set(changed.map(String))
  return [
    ...subscribers.filter(jid => isBlocked(names, jid)),
    ...changed.filter(jid => jid.resource !== '' && bare.has(jid.bare.toString())),
  ]
}

/** §3.3 to §3.5: to every device that asked for the list, and written once for all. */
function * push (
  host: ExtensionHost, account: AccountView, change: 'block' | 'unblock', named: readonly Jid[],
): Generator<void> {
  const items = writeItems(new Set(named.map(String)))
  const command = iq('set', { id: randomId() }, Written.around(el(change, NS), items))
  for (const session of account.sessions.filter(({ flags }) => flags.has(NS))) {
    yield host.messages.deliver(session, command.copyFor(session.jid))
  }
}

function itemsOf (command: Element): readonly Jid[] {
  const items = command.getChildren('item', NS)
  const texts = items.flatMap(item => item.attrs.jid ?? [])
  if (texts.length < items.length) throw new StanzaError('bad-request', 'an item has no address')
  checkAddressList(texts)
  return texts.map(parseAddress) // §3.3
}
