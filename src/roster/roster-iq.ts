/** RFC 6121 §2: roster gets and sets, with versioning (§2.6). */
import type { ExtensionHost } from '../extension/host.ts'
import type { IqHandler, IqRequest } from '../extension/requests.ts'
import type { Account } from '../session/account.ts'
import type { Session } from '../session/session.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import { Written } from '../xml/written.ts'
import { parseAddress } from '../xmpp/addresses.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_PRE_APPROVAL, NS_ROSTER, NS_ROSTER_VERSIONING } from '../xmpp/ns.ts'
import { KEPT_CHANGES, rosterPush, writeRoster } from './roster.ts'
import type { Roster, Rosters } from './roster.ts'
import type { SubscriptionState } from './subscription.ts'

const MAX_NAME_BYTES = 1023
/** Limits of the groups of one contact: their number, and the bytes of their names together. */
const MAX_GROUPS = 100
const MAX_GROUPS_BYTES = 10_000

export interface RosterIqParts {
  readonly rosters: Rosters
  readonly load: (jid: Jid) => Promise<Account | undefined>
  /** Ends the subscriptions of a removed contact (RFC 6121 §2.5.2). */
  readonly dropSubscriptions: (account: Account, contact: Jid, before: SubscriptionState) => Promise<void>
  /** Whether a component may manage the accounts' rosters (XEP-0356 §4); undefined for an address of anybody else. */
  readonly mayManage: (from: Jid, type: 'get' | 'set') => boolean | undefined
}

export function registerRosterIq (host: ExtensionHost, parts: RosterIqParts): void {
  const { rosters } = parts
  host.stream.feature('after-auth', () => el('ver', NS_ROSTER_VERSIONING))
  host.stream.feature('after-auth', () => el('sub', NS_PRE_APPROVAL))

  host.iq({ type: 'get', to: ['own-account'], name: 'query', ns: NS_ROSTER }, sessionHandler(({ payload }, session) => {
    session.isInterested = true
    session.account.touch()
    return answerGet(rosters.of(session.account), payload, session)
  }))

  const set = sessionHandler(({ payload }, { account }) => answerSet(parts, payload, account))
  host.iq({ type: 'set', to: ['own-account'], name: 'query', ns: NS_ROSTER }, set)
  registerManaged(host, parts)

  host.iq({ type: 'set', to: ['address'], name: 'query', ns: NS_ROSTER }, () => {
    throw new StanzaError('forbidden', 'this is another user\'s contact list') // RFC 6121 §2.3.3
  })
}

/** XEP-0356 §4.3: a component with the privilege asks as the account's owner does. */
function registerManaged (host: ExtensionHost, parts: RosterIqParts): void {
  const managed = async ({ type, from, to }: IqRequest): Promise<Account> => {
    const may = parts.mayManage(from, type)
    if (may === undefined && type === 'get') throw new StanzaError('service-unavailable')
    const account = may && await parts.load(to)
    if (!account) throw new StanzaError('forbidden', 'this is another user\'s contact list')
    return account
  }
  host.iq({ type: 'get', to: ['account'], name: 'query', ns: NS_ROSTER }, async request =>
    wholeRoster(parts.rosters.of(await managed(request)), undefined))
  host.iq({ type: 'set', to: ['account'], name: 'query', ns: NS_ROSTER }, async request =>
    answerSet(parts, request.payload, await managed(request)))
}

type SessionHandler = (request: IqRequest, session: Session) => ReturnType<IqHandler<'own-account'>>

function sessionHandler (handle: SessionHandler): IqHandler<'own-account'> {
  return handle as IqHandler<'own-account'> // every SessionView is a Session of the core
}

/** RFC 6121 §2.1.4 and §2.6.3: the roster, or an empty result followed by pushes of the changes since that version. */
function answerGet (roster: Roster, query: Element, session: Session): Written | undefined {
  const known = query.attrs.ver
  const behind = known !== undefined && /^[0-9]{1,15}$/.test(known) ? roster.version - Number(known) : NaN
  if (behind >= 0 && behind <= KEPT_CHANGES) {
    const changed = [...roster.items.values()].filter(item => item.version > roster.version - behind)
    changed.sort((a, b) => a.version - b.version)
    queueMicrotask(() => { // after the answer
      for (const item of changed) session.deliver(rosterPush(item).withAddress(undefined, session.jid))
    })
    return
  }
  return wholeRoster(roster, known === undefined ? undefined : String(roster.version))
}

function wholeRoster (roster: Roster, ver: string | undefined): Written {
  return Written.around(el('query', NS_ROSTER, { ver }), writeRoster(roster))
}

async function answerSet (
  { rosters, dropSubscriptions }: RosterIqParts, query: Element, account: Account,
): Promise<void> {
  const { contact, isRemoval, name, groups } = readSet(query)
  if (contact.equals(account.jid)) {
    throw new StanzaError('not-allowed', 'you cannot add your own address to your contact list')
  }
  if (!isRemoval) return rosters.set(account, contact, name, groups)
  return dropSubscriptions(account, contact, await rosters.remove(account, contact))
}

interface RosterSet {
  readonly contact: Jid
  readonly isRemoval: boolean
  readonly name: string | undefined
  readonly groups: readonly string[]
}

// RFC 6121 §2.3.3.
function readSet (query: Element): RosterSet {
  const [item, ...more] = query.getChildren('item', NS_ROSTER)
  if (!item || more.length > 0) throw new StanzaError('bad-request', 'the request must contain exactly one contact')
  const elements = item.getChildren('group', NS_ROSTER)
  if (elements.length > MAX_GROUPS) throw tooManyGroups()
  const groups = elements.map(group => group.text())
  if (Buffer.byteLength(groups.join('')) > MAX_GROUPS_BYTES) throw tooManyGroups()
  if (new Set(groups).size < groups.length) throw new StanzaError('bad-request', 'the same group is given twice')
  const name = item.attrs.name
  if (groups.some(group => group === '' || isTooLong(group)) || (name !== undefined && isTooLong(name))) {
    throw new StanzaError('not-acceptable', `names of contacts and groups must have 1 to ${MAX_NAME_BYTES} bytes`)
  }
  return {
    contact: contactOf(item), isRemoval: item.attrs.subscription === 'remove', name: name === '' ? undefined : name,
    groups,
  }
}

function tooManyGroups (): StanzaError {
  return new StanzaError('not-acceptable',
    `a contact can be in at most ${MAX_GROUPS} groups, whose names have at most ${MAX_GROUPS_BYTES} bytes together`)
}

function contactOf (item: Element): Jid {
  if (item.attrs.jid === undefined) throw new StanzaError('bad-request', 'the contact has no address')
  return parseAddress(item.attrs.jid).bare
}

function isTooLong (name: string): boolean {
  return Buffer.byteLength(name) > MAX_NAME_BYTES
}
