/**
 * Replicated state of accounts, from which another node continues their sessions: a snapshot of each account with
 * sessions, and a journal of changes since. Written behind, and yet before dependent bytes are sent to clients.
 */
import type { Redis } from 'ioredis'
import type { Logger } from '../../log.ts'
import type { PersistedState, WriteBarrier } from '../../net/write-barrier.ts'
import type { Account } from '../../session/account.ts'
import type { Claim, Records, SavedAccount, SavedNote, Snapshot } from '../../session/homes.ts'
import { inBackground } from '../../util/background.ts'
import type { NodeId } from '../bus/bus.ts'
import { homeOf, RECORDS, SETTLE } from '../ownership/claims.ts'
import { decodeNotes, encodeNotes } from './journal.ts'
import type { Entry } from './journal.ts'
import { execute, Refusals } from '../redis.ts'
import { persistOrFence } from './persist-or-fence.ts'
import type { PersistParts } from './persist-or-fence.ts'

/** Changes within this time are written together; after a failure all is retried after the second. */
const SAVE_MS = 20
const RETRY_MS = 1000
/** Accounts that are written together: more at once would hold up the event loop. */
const AT_ONCE = 50
/** The journal is trimmed at this size or age. */
const JOURNAL_BYTES = 8 * 1024 * 1024
const JOURNAL_MS = 10_000
/** Time to live of a dead node's records: no session waits longer for its resumption. */
export const RECORDS_TTL_SECONDS = 7 * 86_400
const NOTHING = Buffer.alloc(0)

interface Row extends Snapshot {
  /** The number of the first note that the snapshot does not include. */
  readonly next: number
}

/** Nodes with records, dead or alive. */
export const OWNERS = 'hg:owners'

function recordsOf (node: NodeId): string { return RECORDS + node }
function journalOf (node: NodeId): string { return `hg:journal:${node}` }

export interface RecordsParts {
  /** A connection that writes at once. */
  readonly redis: Redis
  readonly id: () => NodeId
  readonly membership: PersistParts['membership']
  readonly barrier: WriteBarrier
  readonly log: Logger
}

export class RedisRecords implements Records, PersistedState {
  readonly #parts: RecordsParts
  readonly #refusals: Refusals
  #describe: (account: Account) => Snapshot = () => ({ sessions: [], states: {} })
  readonly #dirty = new Set<Account>()
  readonly #noted = new Set<Account>()
  /** Dirty accounts with notes in this tick, for which the journal alone is not enough. */
  readonly #urgent = new Set<Account>()
  readonly #forgotten = new WeakSet<Account>()
  /**
   * Accounts whose record is still under another node's id, or this node's old one: deleted once there is a new one.
   */
  readonly #inherited = new Map<string, NodeId>()
  readonly #journals = new Map<NodeId, Promise<ReadonlyMap<string, readonly Entry[]>>>()
  #notes: Entry[] = []
  #number = 0
  #journalBytes = 0
  /** A note is missing from the journal. */
  #hasGap = false
  /** Snapshots that are being written. */
  #cutting: Promise<void> | undefined
  #cutAt = performance.now()
  #lastEntry = '0-0'
  #timer: NodeJS.Timeout | undefined
  #cutTimer: NodeJS.Timeout | undefined

  constructor (parts: RecordsParts) {
    this.#parts = parts
    this.#refusals = new Refusals(parts.log, 'the records of sessions')
  }

  /** Rejects where Redis refuses the writes, before any client waits for them. Changes nothing. */
  async check (): Promise<void> {
    const { redis, id } = this.#parts
    await redis.xadd(journalOf(id()), 'NOMKSTREAM', '*', 'notes', NOTHING)
    await redis.xtrim(journalOf(id()), 'MINID', '0')
    await redis.hdel(recordsOf(id()), '')
  }

  /** From now on `describe` gives the snapshot of an account. */
  start (describe: (account: Account) => Snapshot): void {
    this.#describe = describe
    this.#cutTimer = setInterval(() => {
      inBackground(this.#parts.log, 'trimming of the session journal', this.#cutIfDue())
    }, RETRY_MS).unref()
  }

  /** Resolves when all changes are written, or can't be. */
  async stop (): Promise<void> {
    clearInterval(this.#cutTimer)
    clearTimeout(this.#timer)
    await this.#write([...this.#dirty]).catch(() => {}) // Redis is away
  }

  touch (account: Account): void {
    this.#dirty.add(account)
    this.#saveIn(SAVE_MS)
  }

  #saveIn (ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      inBackground(this.#parts.log, 'session records', this.#saveAllDirty())
    }, ms)
  }

  /** This node has a new id, and still owns the account. */
  renamed (account: Account, before: NodeId): void {
    this.#inherited.set(account.jid.toString(), before)
    this.touch(account)
  }

  forget (account: Account): void {
    this.#forgotten.add(account)
    this.#dirty.delete(account)
    this.#noted.delete(account)
    this.#urgent.delete(account)
    this.#inherited.delete(account.jid.toString())
  }

  append (account: Account, extension: string, about: string, body: Buffer = NOTHING): void {
    const entry = { number: this.#number++, account: account.jid.toString(), extension, about, body }
    this.#noted.add(account)
    if (this.#dirty.has(account)) this.#urgent.add(account)
    if (this.#notes.push(entry) === 1) this.#parts.barrier.beforeClientWrites(this)
  }

  /** Appends the notes to the journal. */
  flush (): Promise<boolean> {
    // All of them before the notes, to which they belong.
    if (this.#urgent.size > 0) inBackground(this.#parts.log, 'session records', this.#saveDirty([...this.#urgent]))
    this.#urgent.clear()
    const notes = this.#notes
    this.#notes = []
    const bytes = encodeNotes(notes)
    this.#journalBytes += bytes.length
    const { membership } = this.#parts
    return persistOrFence(
      { membership, refusals: this.#refusals },
      () => this.#appendToJournal(bytes),
      () => this.#closeGap(),
    )
  }

  async #appendToJournal (notes: Buffer): Promise<void> {
    const { redis, id } = this.#parts
    try {
      this.#lastEntry = await redis.xadd(journalOf(id()), '*', 'notes', notes) ?? this.#lastEntry
      this.#refusals.over()
    } catch (error) { // Redis is away, or says no
      this.#hasGap = true
      throw error
    }
  }

  /** Snapshots will have to do in place of notes. One that began before these were noted does not have them. */
  async #closeGap (): Promise<void> {
    await this.#cutting?.catch(() => {})
    if (this.#hasGap) await this.#cut()
    else await this.#cutting
  }

  async save (account: Account): Promise<void> {
    this.#dirty.delete(account)
    await this.#write([account])
  }

  async #saveAllDirty (): Promise<void> {
    for (const accounts of inGroups([...this.#dirty])) {
      if (!await this.#saveDirty(accounts.filter(account => this.#dirty.has(account)))) return
    }
  }

  /** False where Redis is away: they are written later. */
  async #saveDirty (accounts: readonly Account[]): Promise<boolean> {
    for (const account of accounts) this.#dirty.delete(account)
    try {
      await this.#write(accounts)
      return true
    } catch (error) { // Redis is away
      for (const account of accounts) this.#dirty.add(account)
      this.#saveIn(RETRY_MS)
      this.#parts.log.debug(
        { event: 'replication.write_failed', err: error, accounts: accounts.length },
        'replication: session records not written',
      )
      return false
    }
  }

  async #write (changed: readonly Account[]): Promise<void> {
    const accounts = changed.filter(account => !this.#forgotten.has(account))
    if (accounts.length === 0) return
    const { redis, id } = this.#parts
    const batch = redis.pipeline().sadd(OWNERS, id())
    for (const account of accounts) {
      const key = account.jid.toString()
      if (account.sessions.length === 0) batch.hdel(recordsOf(id()), key)
      else batch.hset(
        recordsOf(id()),
        key,
        JSON.stringify({ ...this.#describe(account), next: this.#number } satisfies Row),
      )
      const before = this.#inherited.get(key)
      if (before !== undefined) batch.eval(SETTLE, 2, homeOf(key), recordsOf(before), id(), key)
    }
    await execute(batch)
    for (const account of accounts) this.#inherited.delete(account.jid.toString())
  }

  /** Replaces the journal by snapshots from time to time. */
  async #cutIfDue (): Promise<void> {
    const isDue = this.#hasGap || this.#journalBytes > JOURNAL_BYTES || performance.now() - this.#cutAt > JOURNAL_MS
    if (isDue) await this.#cut().catch(error => this.#refusals.heard(error))
  }

  /** Rejects where Redis is away, or says no. */
  #cut (): Promise<void> {
    return this.#cutting ??= this.#writeSnapshots().finally(() => { this.#cutting = undefined })
  }

  async #writeSnapshots (): Promise<void> {
    this.#hasGap = false
    if (this.#noted.size === 0) return
    const accounts = [...this.#noted]
    const upTo = this.#lastEntry
    this.#noted.clear()
    this.#journalBytes = 0
    this.#cutAt = performance.now()
    try {
      for (const some of inGroups(accounts.filter(account => account.sessions.length > 0))) await this.#write(some)
    } catch (error) { // Redis is away, or says no
      for (const account of accounts) this.#noted.add(account)
      this.#hasGap = true
      throw error
    }
    // Older notes do no harm: a snapshot says which follow it.
    await this.#parts.redis.xtrim(journalOf(this.#parts.id()), 'MINID', upTo).catch(error =>
      this.#refusals.heard(error)
    )
  }

  async takeOver (
    { node, isInOrder }: NonNullable<Claim['before']>,
    account: string,
  ): Promise<SavedAccount | undefined> {
    const { redis } = this.#parts
    const text = await redis.hget(recordsOf(node), account)
    this.#inherited.set(account, node)
    if (text === null) return
    const { next, ...snapshot } = JSON.parse(text) as Row // written by `#write`
    const entries = isInOrder ? [] : (await this.#journalLeftBy(node)).get(account) ?? []
    const notes: Record<string, SavedNote[]> = {}
    for (const { number, extension, about, body } of entries) {
      if (number >= next) (notes[extension] ??= []).push({ about, body })
    }
    return { ...snapshot, notes }
  }

  /** The journal of a dead node, read once. */
  #journalLeftBy (node: NodeId): Promise<ReadonlyMap<string, readonly Entry[]>> {
    let journal = this.#journals.get(node)
    if (!journal) {
      journal = this.#readJournal(node)
      this.#journals.set(node, journal)
      const forget = (): void => { this.#journals.delete(node) }
      journal.then(() => { setTimeout(forget, JOURNAL_MS).unref() }, forget)
    }
    return journal
  }

  async #readJournal (node: NodeId): Promise<ReadonlyMap<string, readonly Entry[]>> {
    const byAccount = new Map<string, Entry[]>()
    for (let from = '-'; ;) {
      const entries = await this.#parts.redis.xrangeBuffer(journalOf(node), from, '+', 'COUNT', 500)
      for (const [, [, bytes]] of entries) {
        for (const entry of decodeNotes(bytes ?? NOTHING)) {
          const list = byAccount.get(entry.account)
          if (list) list.push(entry)
          else byAccount.set(entry.account, [entry])
        }
      }
      const last = entries.at(-1)
      if (!last || entries.length < 500) return byAccount
      from = `(${last[0].toString()}`
    }
  }

  async discard (node: NodeId, account: string): Promise<void> {
    this.#inherited.delete(account)
    await this.#parts.redis.hdel(recordsOf(node), account)
  }

  /** The accounts of which a dead node left records. */
  accountsOf (node: NodeId): Promise<string[]> {
    return this.#parts.redis.hkeys(recordsOf(node))
  }

  /** Nodes that have records, or left some. */
  owners (): Promise<string[]> {
    return this.#parts.redis.smembers(OWNERS)
  }

  /** Deletes all records of a dead node. */
  async expireNode (node: NodeId): Promise<void> {
    await this.#parts.redis.pipeline()
      .expire(recordsOf(node), RECORDS_TTL_SECONDS).del(journalOf(node)).srem(OWNERS, node).exec()
  }
}

function * inGroups (accounts: readonly Account[]): Iterable<readonly Account[]> {
  for (let at = 0; at < accounts.length; at += AT_ONCE) yield accounts.slice(at, at + AT_ONCE)
}
