/**
 * XEP-0441: Message Archive Management Preferences: which conversations a user archives: all, none or those with
 * contacts, with exceptions. In memory with the account, so that each message is decided at once.
 */
import { batchedRead, checkAddressList, el, parseAddress, StanzaError } from '../../src/extension/api.ts'
import type { AccountView, Database, Element, ExtensionHost, Jid } from '../../src/extension/api.ts'

const NS = 'urn:xmpp:mam:2'
const MAX_LISTED = 1000

/** Which conversations are archived, the listed addresses aside. */
type Default = 'always' | 'never' | 'roster'

interface Preferences {
  readonly byDefault: Default
  readonly always: ReadonlySet<string>
  readonly never: ReadonlySet<string>
}

const NONE: ReadonlySet<string> = new Set()
const UNSET: Preferences = { byDefault: 'always', always: NONE, never: NONE }

/**
 * Answers preference requests; the function that is returned decides whether a message to or from an address is
 * archived.
 */
export function keepPreferences (host: ExtensionHost): (account: AccountView, other: Jid) => boolean {
  const read = preferenceReader(host.db)
  const preferences = host.accounts.data(async (_db, account) => await read(account.toString()) ?? UNSET)

  host.iq(
    { type: 'get', to: ['own-account'], name: 'prefs', ns: NS },
    (_request, { account }) => describe(preferences.of(account)),
  )
  host.iq({ type: 'set', to: ['own-account'], name: 'prefs', ns: NS }, async ({ payload }, { account }) => {
    const wanted = parse(payload)
    if (account.isAnonymous) throw new StanzaError('not-allowed', 'you have no archive')
    await savePreferences(host.db, account.jid.toString(), wanted)
    preferences.set(account, wanted)
    return describe(wanted)
  })

  return (account, other) => {
    const { byDefault, always, never } = preferences.of(account)
    if (lists(never, other)) return false
    return byDefault === 'always' || lists(always, other) ||
      (byDefault === 'roster' && host.accounts.isContact(account, other))
  }
}

/** §2.3.1: a listed address with a resource is that resource, one without it is the account. */
function lists (list: ReadonlySet<string>, jid: Jid): boolean {
  return list.size > 0 && (list.has(jid.toString()) || list.has(jid.bare.toString()))
}

// §2.1: both lists, also where they are empty.
function describe ({ byDefault, always, never }: Preferences): Element {
  const list = (name: string, jids: ReadonlySet<string>): Element =>
    el(name, undefined, {}, [...jids].map(jid => el('jid', undefined, {}, jid)))
  return el('prefs', NS, { default: byDefault }, list('always', always), list('never', never))
}

function parse (prefs: Element): Preferences {
  const byDefault = prefs.attrs.default
  if (byDefault !== 'always' && byDefault !== 'never' && byDefault !== 'roster') {
    throw new StanzaError('bad-request', 'the default must be "always", "never" or "roster"')
  }
  return { byDefault, always: listed(prefs.getChild('always', NS)), never: listed(prefs.getChild('never', NS)) }
}

function listed (list: Element | undefined): ReadonlySet<string> {
  const jids = list?.getChildren('jid', NS) ?? []
  if (jids.length > MAX_LISTED) {
    throw new StanzaError('resource-constraint', `the list is too long: at most ${MAX_LISTED} addresses are allowed`)
  }
  const texts = jids.map(jid => jid.text())
  checkAddressList(texts)
  return new Set(texts.map(text => parseAddress(text).toString()))
}

interface Row {
  readonly owner: string
  readonly by_default: Default
  readonly always: string[]
  readonly never: string[]
}

/** A reader of an account's preferences that batches concurrent look-ups; undefined where none are set. */
function preferenceReader (db: Database): (owner: string) => Promise<Preferences | undefined> {
  return batchedRead(async (owners: readonly string[]) => {
    const rows = await db.query<Row>('select * from archive_preference where owner = any($1)', [owners])
    return new Map(rows.map(({ owner, by_default: byDefault, always, never }): [string, Preferences] =>
      [owner, { byDefault, always: new Set(always), never: new Set(never) }]))
  })
}

async function savePreferences (
  db: Database, owner: string, { byDefault, always, never }: Preferences,
): Promise<void> {
  await db.query(
    `insert into archive_preference (owner, by_default, always, never) values ($1, $2, $3, $4)
     on conflict (owner) do update set by_default = $2, always = $3, never = $4`,
    [owner, byDefault, [...always], [...never]])
}
