/**
 * XEP-0313: Message Archive Management. Keeps what passes an account's way before anybody gets it, numbers it without
 * gaps (the numbers are the ids of XEP-0359: Unique and Stable Stanza IDs), recognises what comes again, and answers
 * its owner: by page (XEP-0059: Result Set Management), by preference (XEP-0441: Message Archive Management
 * Preferences), by word (XEP-0431: Full Text Search in MAM).
 */
import { batchedRead, extension, Jid, storedStanza } from '../../src/extension/api.ts'
import type { Account, AccountData, ExtensionHost, Message, Stored } from '../../src/extension/api.ts'
import { Archive } from './archive.ts'
import { drafter } from './draft.ts'
import { retentionOf, schema, searchable } from './options.ts'
import { outliveNodes } from './outlive.ts'
import { keepPreferences } from './preferences.ts'
import { answerQueries } from './query.ts'
import { Recovery } from './recovery.ts'
import { NS } from './request.ts'
import { removeOld } from './retention.ts'
import { provideIndex } from './search.ts'
import { EMPTY, loadTails, removeArchive } from './store.ts'
import type { Entry } from './store.ts'
import { Writer } from './writer.ts'

const NS_STANZA_ID = 'urn:xmpp:sid:0'
const NS_FULL_TEXT = 'urn:xmpp:fulltext:0'
const CLEANING_MS = 600_000

export const archive = extension({
  name: 'archive',
  xeps: ['0313@1.1.3', '0359@0.7.0', '0059@1.0', '0441@0.2.0', '0431@0.2.0'],
  config: schema,
  setup (host, options) {
    const writer = new Writer({
      db: host.db, log: host.log, patienceMs: options.patience * 1000, certain: () => host.certain(),
      lost: one => { recovery.add(one) },
    })
    const recovery = new Recovery({
      db: host.db, log: host.log,
      isOurs: ({ owner }) => host.verifyHome(Jid.parse(owner)),
      found: ({ owner }, entries) => handOver(host, owner, entries, handOverRest),
      reopen: (one, tail, found) => { writer.reopen(one, tail, found) },
    })
    host.atShutdown(() => { recovery.stop() })
    const archives = loadedArchives(host, writer)
    keepMessages(host, writer, archives)
    const handOverRest = outliveNodes(host, archives)
    host.when('account.leaving', account => archives.of(account).settled())
    host.when('account.left', account => { writer.leave(archives.of(account)) })

    for (const ns of [NS, `${NS}#extended`, `${NS}#groupchat-field`, NS_STANZA_ID]) host.feature(ns, 'account')
    answerQueries(host, { maySearch: offerSearch(host, searchable(host.hosts, options)), settled: account => archives.of(account).settled() })
    const retention = retentionOf(host.hosts, options)
    host.every(CLEANING_MS, () => removeOld(host.db, retention, Date.now()))
    host.when('account.removed', async jid => {
      const account = await host.account(jid)
      if (account) await writer.close(archives.of(account))
      await removeArchive(host.db, jid.toString())
    })
  },
})

function loadedArchives (host: ExtensionHost, writer: Writer): AccountData<Archive> {
  const readTail = batchedRead((owners: readonly string[]) => loadTails(host.db, owners))
  return host.accountData(async (_db, account) => {
    const owner = account.toString()
    const tail = writer.active(owner) ? EMPTY : await readTail(owner) ?? EMPTY
    return writer.active(owner) ?? new Archive(owner, tail)
  })
}

function keepMessages (host: ExtensionHost, writer: Writer, archives: AccountData<Archive>): void {
  const isWanted = keepPreferences(host)
  const draft = drafter(message => host.keptWith(message))
  const sentToOneself = new WeakMap<Message, Stored>()

  const keep = (message: Message, account: Account, isSent: boolean): Stored | undefined => {
    const other = (isSent ? message.to : message.from) ?? account.jid
    if (account.isAnonymous || !host.worth(message).store || !isWanted(account, other)) return
    return writer.keep(archives.of(account), draft(message, account, isSent))
  }
  host.on('send', 'store', (message, { account }) => {
    const stored = keep(message, account, true)
    if (stored && message.to?.bare.equals(account.jid)) sentToOneself.set(message, stored)
    return stored
  })
  host.on('receive', 'store', (message, account) =>
    message.from?.bare.equals(account.jid) ? sentToOneself.get(message) : keep(message, account, false))
}

/** What was written although its senders were told otherwise, and what another node has written. */
async function handOver (
  host: ExtensionHost, owner: string, entries: readonly Entry[], handOverRest?: (account: Account) => Promise<void>,
): Promise<void> {
  if (entries.length === 0 && !handOverRest) return
  const account = await host.account(Jid.parse(owner))
  if (!account) return
  if (handOverRest) return handOverRest(account)
  for (const { seq, stanza } of entries) {
    const message = storedStanza(stanza)
    if (message.kind === 'message') host.handOverLate(account, String(seq), message)
  }
}

/** Whether an account's messages can be searched: on these hosts, and not before the index is made. */
function offerSearch (host: ExtensionHost, hosts: readonly string[]): (account: Account) => boolean {
  let mayBe = false
  provideIndex(host.db, hosts.length > 0).then(() => {
    mayBe = true
    host.feature(NS_FULL_TEXT, { accountsOf: hosts })
  }, error => { host.log.error({ err: error }, 'the index for searches could not be made or dropped') })
  return ({ jid }) => mayBe && hosts.includes(jid.domain)
}
