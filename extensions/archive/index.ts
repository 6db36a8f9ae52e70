/**
 * XEP-0313: Message Archive Management. Archives messages of accounts and rooms before they are delivered, numbered
 * without gaps (clients see ids instead, XEP-0359: Unique and Stable Stanza IDs), recognises duplicates, and answers
 * queries: by page (XEP-0059: Result Set Management), by preference (XEP-0441: Message Archive Management Preferences),
 * by word (XEP-0431: Full Text Search in MAM), and of nodes (XEP-0442: Pubsub Message Archive Management).
 */
import { batchedRead, extension, Jid, NS_MUC_USER, NS_STANZA_ID, storedStanza } from '../../src/extension/api.ts'
import type { AccountView, AccountData, ExtensionHost, Message, Stored } from '../../src/extension/api.ts'
import { Archive } from './archive.ts'
import { drafter } from './draft.ts'
import { retentionOf, roomRetentionOf, schema, searchable } from './options.ts'
import { replicateArchive } from './replicate.ts'
import { keepPreferences } from './preferences.ts'
import { answerQueries } from './own.ts'
import { Recovery } from './recovery.ts'
import { NS } from './request.ts'
import { removeOld } from './retention.ts'
import { keepRooms, sendLate } from './rooms.ts'
import { offerSearch } from './search.ts'
import { archiveService } from './service.ts'
import { BUSY_MS, EMPTY, loadTails, removeArchive } from './store.ts'
import type { Entry } from './store.ts'
import { Writer } from './writer.ts'

const CLEANING_MS = 600_000

export const archive = extension({
  name: 'archive',
  xeps: ['0313@1.1.3', '0359@0.7.0', '0059@1.0', '0441@0.2.0', '0431@0.2.0', '0442@0.2.0'],
  config: schema,
  setup (host, options) {
    const writer = new Writer({
      db: host.messageDb, log: host.log,
      patienceMs: options.patience * 1000, certain: () => host.cluster?.confirmLease(),
      lost: one => { recovery.add(one) },
    })
    const recovery = new Recovery({
      db: host.db, log: host.log,
      isOurs: async ({ owner }) => await host.cluster?.verifyHome(Jid.parse(owner)) ?? true,
      found: (one, entries) =>
        isOfRoom(one.owner) ? sendLate(host, one) : handOver(host, one.owner, entries, handOverRest),
      reopen: (one, tail, found) => { writer.reopen(one, tail, found) },
    })
    const isOfRoom = (owner: string): boolean => host.rooms.domains.includes(owner.slice(owner.indexOf('@') + 1))
    host.atShutdown(() => { recovery.stop() })
    const load = loader(host, writer, owner => isOfRoom(owner) ? BUSY_MS : 0)
    const archives = host.accounts.data((_db, account) => load(account.toString()))
    keepMessages(host, writer, archives)
    const handOverRest = replicateArchive(host, archives)
    host.when('account.beforeMove', account => archives.of(account).settled())
    host.when('account.movedAway', account => { writer.leave(archives.of(account)) })

    for (const ns of [NS, `${NS}#extended`, `${NS}#groupchat-field`, NS_STANZA_ID]) host.disco.feature(ns, 'account')
    const maySearch = offerSearch(host, searchable(host.hosts, options))
    answerQueries(host, { maySearch, settled: account => archives.of(account).settled() })
    host.messages.declarePolicy(NS, { archive: false, carbon: false, push: false }) // results are archived already
    const roomArchives = keepRooms(host, { writer, load, maySearch })
    host.messages.provideArchive(archiveService(host.db, room => roomArchives.of(room).last))
    const retention = retentionOf(host.hosts, options)
    const { domains } = host.rooms
    const roomRetention = new Map(roomRetentionOf(host.hosts, options).map((one, n) => [domains[n] ?? '', one]))
    host.every(CLEANING_MS, async () => {
      await removeOld(host.db, retention, Date.now())
      await removeOld(host.db, roomRetention, Date.now(), 'room')
    })
    host.when('account.removed', async jid => {
      const account = await host.accounts.load(jid)
      if (account) await writer.close(archives.of(account))
      await removeArchive(host.db, jid.toString())
    })
  },
})

/** Finds an archive in memory, or loads it from the database. */
function loader (
  host: ExtensionHost, writer: Writer, reachOf: (owner: string) => number,
): (owner: string) => Promise<Archive> {
  const readTail = batchedRead((owners: readonly string[]) => loadTails(host.db, owners, reachOf))
  return async owner => {
    const tail = writer.active(owner) ? EMPTY : await readTail(owner) ?? EMPTY
    return writer.active(owner) ?? new Archive(owner, tail, reachOf(owner))
  }
}

function keepMessages (host: ExtensionHost, writer: Writer, archives: AccountData<Archive>): void {
  const isWanted = keepPreferences(host)
  const draft = drafter(message => host.messages.archiveWriterFor(message))
  const sentToOneself = new WeakMap<Message, Stored>()
  const toDevices = new WeakMap<Buffer, Stored>()

  const keep = (message: Message, account: AccountView, isSent: boolean): Stored | undefined => {
    const other = (isSent ? message.to : message.from) ?? account.jid
    if (account.isAnonymous || !host.messages.policy(message).archive || !isWanted(account, other)) return
    return writer.keep(archives.of(account), draft(message, account, isSent))
  }
  host.on('send', 'store', (message, { account }) => {
    const stored = keep(message, account, true)
    if (stored && message.to?.bare.equals(account.jid)) sentToOneself.set(message, stored)
    return stored
  })
  host.on('receive', 'store', (message, account) => {
    if (message.from?.bare.equals(account.jid)) return sentToOneself.get(message)
    // XEP-0045 §7.5: a private message reaches each of the recipient's sessions in the room, and is archived once.
    if (!message.has('x', NS_MUC_USER) || message.to?.isBare) return keep(message, account, false)
    const stored = toDevices.get(message.inner) ?? keep(message, account, false)
    if (stored) toDevices.set(message.inner, stored)
    return stored
  })
}

/** Messages committed although we had reported failure, or committed by another node. */
async function handOver (
  host: ExtensionHost, owner: string, entries: readonly Entry[], handOverRest?: (account: AccountView) => Promise<void>,
): Promise<void> {
  if (entries.length === 0 && !handOverRest) return
  const account = await host.accounts.load(Jid.parse(owner))
  if (!account) return
  if (handOverRest) return handOverRest(account)
  for (const { seq, stanza } of entries) {
    const message = storedStanza(stanza)
    if (message.kind === 'message') host.messages.deliverRecovered(account, String(seq), message)
  }
}
