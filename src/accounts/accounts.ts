/**
 * The accounts whose home is here: who is in memory, and which sessions are bound. An account is loaded when it is
 * first needed, after this node has become its home, and kept while it is in use; its home may move with its sessions.
 */
import { LRUCache } from 'lru-cache'
import type { StageTable } from '../extension/stages.ts'
import type { Logger } from '../log.ts'
import type { Presences } from '../presence/presence.ts'
import { Account } from '../session/account.ts'
import type { DataSlot } from '../session/account.ts'
import type { Claim, Homes, Located, Records, SavedAccount } from '../session/homes.ts'
import { Session } from '../session/session.ts'
import type { SessionStream } from '../session/session.ts'
import { addTo } from '../util/add-to.ts'
import { inBackground } from '../util/background.ts'
import { inSlices } from '../util/slices.ts'
import { Turns } from '../util/turns.ts'
import type { ArchiveKeys, Life } from '../xmpp/archive-ids.ts'
import { StanzaError, StreamError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'

/** Accounts without a session that stay in memory, so that what comes next for them needs no database. */
const MAX_IDLE = 5000

export interface AccountsParts {
  readonly stages: StageTable
  /** Nothing where there is no such account. */
  readonly lifeOf: (jid: Jid) => Promise<Life | undefined>
  readonly archiveKeys: ArchiveKeys
  readonly log: Logger
  /** Told of each session that ended. */
  readonly ended: (session: Session) => void
  /** What there is besides where this is one node of many. */
  readonly cluster?: AccountsCluster | undefined
}

export interface AccountsCluster {
  readonly homes: Homes
  readonly records: Records
  /** Lets everybody keep what is to be kept of an account that goes out of memory here. */
  readonly beforeMove: (account: Account) => Promise<void>
  /** Told of an account whose home is elsewhere from now on, and of its sessions, which go on there. */
  readonly movedAway: (account: Account, sessions: readonly Session[]) => void
  /**
   * Brings an account's sessions back. What it gives is called when the account is in memory, and gives those that
   * nobody can go on with.
   */
  readonly restore: (account: Account, saved: SavedAccount) => Promise<() => readonly Session[]>
}

export class Accounts {
  readonly #parts: AccountsParts
  readonly #inUse = new Map<string, Account>()
  readonly #idle = new LRUCache<string, Account>({
    max: MAX_IDLE, dispose: (account, _key, reason) => { if (reason === 'evict') this.#letGo(account) },
  })
  readonly #loading = new Map<string, Promise<Located>>()
  readonly #slots: DataSlot<unknown>[] = []
  /** What happens to an account that is not simply there happens in turn. */
  readonly turns = new Turns()
  #presences: Presences | undefined

  constructor (parts: AccountsParts) {
    this.#parts = parts
  }

  setPresences (presences: Presences): void {
    this.#presences = presences
  }

  /** What is to be loaded with every account from now on; what is returned ends that. */
  addData (slot: DataSlot<unknown>): () => void {
    return addTo(this.#slots, slot)
  }

  /** The account if it is in memory. */
  peek (jid: Jid): Account | undefined {
    const key = jid.bare.toString()
    return this.#inUse.get(key) ?? this.#idle.get(key)
  }

  get sessionCount (): number {
    let count = 0
    for (const account of this.#inUse.values()) count += account.sessions.length
    return count
  }

  /** How many accounts are in memory. */
  get homeCount (): number {
    return this.#inUse.size + this.#idle.size
  }

  /** Every session bound here. */
  * sessions (): Iterable<Session> {
    for (const account of this.#inUse.values()) yield * account.sessions
  }

  /** The account with its data, in memory from now on; nothing when there is none, or its home is another node. */
  async load (jid: Jid): Promise<Account | undefined> {
    const located = await this.locate(jid)
    return located && 'account' in located ? located.account : undefined
  }

  /** Where the account is: here, with its data in memory, unless another node is its home. */
  async locate ({ bare }: Jid): Promise<Located> {
    const account = this.peek(bare)
    if (account) return { account }
    const key = bare.toString()
    const before = this.#loading.get(key)
    if (before) return before
    const { cluster } = this.#parts
    const located = cluster ? this.#claim(cluster, bare, key) : this.#bringIn(bare, key)
    const loading = located.finally(() => { this.#loading.delete(key) })
    this.#loading.set(key, loading)
    return loading
  }

  async #bringIn (bare: Jid, key: string): Promise<Located> {
    const account = await this.#read(bare, key)
    if (!account) return
    this.#keep(account, key)
    return { account }
  }

  /** As `#bringIn`, where the account may be another node's, or have been. */
  async #claim (cluster: AccountsCluster, bare: Jid, key: string): Promise<Located> {
    const { homes, records } = cluster
    const run = homes.incarnation
    const { node, before } = await homes.claim(key)
    if (node !== undefined) return { node }
    const account = await this.#read(bare, key)
    if (!account) {
      if (before) await records.discard(before.node, key)
      homes.release(key, false)
      return
    }
    const goOn = before && await this.#inherit(cluster, account, before)
    if (homes.incarnation !== run) { // it was taken for dead: that claim is void
      this.#remove(account)
      return this.#claim(cluster, bare, key)
    }
    this.#keep(account, key)
    for (const session of goOn?.() ?? []) this.end(session)
    return { account }
  }

  /** The account with its data, from the database. */
  async #read (bare: Jid, key: string): Promise<Account | undefined> {
    const { lifeOf, archiveKeys } = this.#parts
    const account = new Account(bare)
    const [life] = await Promise.all([lifeOf(bare), this.#loadData(account)])
    if (life === undefined) return
    account.life = life
    account.archiveIds = archiveKeys.ofAccount(key, life)
    return account
  }

  /** Takes up what the account's home before has left, if it has. */
  async #inherit (
    { records, restore, movedAway }: AccountsCluster, account: Account, before: NonNullable<Claim['before']>,
  ): Promise<(() => readonly Session[]) | undefined> {
    try {
      const saved = await records.takeOver(before, account.jid.toString())
      // The sessions of who had the name before have ended with that account, though its node died before it could say
      // so.
      const isFormer = saved?.madeAt !== undefined && saved.madeAt !== account.life?.madeAt
      const goOn = saved && !isFormer ? await restore(account, saved) : undefined
      // Nothing comes of it before: the home after this node finds it here, or where it was.
      await records.save(account)
      return goOn
    } catch (error) { // the database's or Redis's: with the next attempt, then
      records.forget(account)
      movedAway(account, account.clear())
      throw error
    }
  }

  #keep (account: Account, key: string): void {
    const records = this.#parts.cluster?.records
    if (records && !account.isAnonymous) { // nobody comes back to an anonymous account
      account.touch = () => { records.touch(account) }
      if (account.sessions.length > 0) account.touch()
    }
    if (account.sessions.length > 0) this.#inUse.set(key, account)
    else if (!account.isAnonymous) this.#idle.set(key, account)
  }

  async #loadData (account: Account): Promise<void> {
    await Promise.all(this.#slots.map(async slot => {
      account.setData(slot.key, await slot.load(account.jid))
    }))
  }

  /**
   * The account that logged in, or a new one for who has none; throws `item-not-found` when it was removed since, also
   * where the name is another's by now: what logged in is not the account that was made at another time than `madeAt`.
   */
  async open (jid: Jid, isAnonymous: boolean, madeAt?: string): Promise<Account> {
    if (isAnonymous) return this.#openAnonymous(jid)
    // A search that is shared may have begun before the account was made: one of its own knows.
    const located = await this.locate(jid) ?? await this.locate(jid)
    if (!located) throw gone()
    if ('node' in located) {
      throw new StanzaError('resource-constraint',
        'the account is being moved to another node: try again', undefined, 'wait')
    }
    if (madeAt !== undefined && located.account.life?.madeAt !== madeAt) throw gone()
    return located.account
  }

  async #openAnonymous (jid: Jid): Promise<Account> {
    const account = new Account(jid.bare, true)
    await Promise.all([this.#parts.cluster?.homes.claim(account.jid.toString()), this.#loadData(account)])
    this.#keep(account, account.jid.toString())
    return account
  }

  /** Binds a resource of an account that was opened; a session that has it already ends (RFC 6120 §7.7.2.2). */
  bind (opened: Account, full: Jid, stream: SessionStream): Session {
    const key = full.bare.toString()
    const account = this.peek(full) ?? opened
    const before = account.session(full.resource)
    if (before) {
      before.close(new StreamError('conflict', 'replaced by a new session'))
      this.end(before)
    }
    const session = new Session(full, account, this.#parts.stages, stream)
    account.add(session)
    this.#idle.delete(key)
    this.#inUse.set(key, account)
    account.touch()
    return session
  }

  /** Ends a session: its presence, its place in the account, its account's place in memory. Once is enough. */
  end (session: Session): void {
    const { account } = session
    if (!account.sessions.includes(session)) return
    this.#presences?.sessionEnded(session)
    account.remove(session)
    account.touch()
    const key = account.jid.toString()
    if (account.sessions.length === 0 && this.#inUse.get(key) === account) {
      this.#inUse.delete(key)
      if (account.isAnonymous) this.#letGo(account)
      else this.#idle.set(key, account)
    }
    this.#parts.ended(session)
  }

  /** Ends the streams of a removed account, in slices; the next look for it then asks the database. */
  async forget (jid: Jid): Promise<void> {
    const key = jid.bare.toString()
    const account = this.peek(jid)
    if (account) await inSlices(this.#endAll(account))
    this.#idle.delete(key)
    this.#inUse.delete(key)
    this.#parts.cluster?.homes.release(key, false)
  }

  /** Also the sessions that are bound meanwhile. */
  * #endAll (account: Account): Generator<void> {
    for (let [session] = account.sessions; session; [session] = account.sessions) {
      session.close(new StreamError('not-authorized', 'the account was removed'))
      yield this.end(session)
    }
  }

  #letGo (account: Account): void {
    inBackground(this.#parts.log, 'removal of an account from memory', this.#leave(account))
  }

  /** The account is out of memory: whoever needs it next may be its home. */
  async #leave (account: Account): Promise<void> {
    const { cluster } = this.#parts
    if (!cluster) return
    const key = account.jid.toString()
    await this.#presences?.settled(account)
    await cluster.beforeMove(account)
    if (!this.peek(account.jid) && !this.#loading.has(key)) cluster.homes.release(key, false)
  }

  /**
   * Lets another node be the account's home, with its sessions, of which none has a stream; does nothing where one has.
   * Without an `heir` it is whoever needs the account next: that may be this one again.
   */
  async giveUp (account: Account, heir?: string): Promise<void> {
    const { cluster } = this.#parts
    if (!cluster) return
    const key = account.jid.toString()
    const isLeft = (): boolean => this.peek(account.jid) === account && account.sessions.every(({ stream }) => !stream)
    await this.turns.inTurn(key, async () => {
      if (!isLeft()) return
      await Promise.all(account.sessions.map(session => session.inFlight.settled()))
      await this.#presences?.settled(account)
      await cluster.beforeMove(account)
      const isSaved = await cluster.records.save(account).then(() => true, () => false) // Redis is away: it stays here
      if (!isSaved || !isLeft()) return
      const hasRecord = account.sessions.length > 0
      this.#remove(account)
      cluster.homes.release(key, hasRecord, heir)
    })
  }

  /** Whether this is the account's home for sure; where another node is, it is over here. */
  async verify (jid: Jid): Promise<boolean> {
    const key = jid.bare.toString()
    const found = await this.#parts.cluster?.homes.find(key).catch(() => undefined) // Redis is away: for everybody
    if (found?.node === undefined) return true
    this.drop(key)
    return false
  }

  /** Another node is the account's home: here it is over at once, and nobody is told but the clients. */
  drop (key: string): void {
    const account = this.#inUse.get(key) ?? this.#idle.get(key)
    if (!account) return
    const streams = this.#remove(account)
    const { homes, records } = this.#parts.cluster ?? {}
    if (homes) records?.discard(homes.incarnation, key).catch(() => {}) // Redis is away
    // The error with which clients come back and go on: see the edge's, when a home is gone.
    const moved = 'your session continues on another node: connect again'
    for (const stream of streams) stream.close(new StreamError('internal-server-error', moved))
  }

  /** Takes the account out of memory as if it had never been there, and gives the streams that are left. */
  #remove (account: Account): readonly SessionStream[] {
    account.touch = () => {}
    const key = account.jid.toString()
    this.#inUse.delete(key)
    this.#idle.delete(key)
    const sessions = account.clear()
    this.#parts.cluster?.records.forget(account)
    this.#parts.cluster?.movedAway(account, sessions)
    return sessions.flatMap(session => {
      const { stream } = session
      session.detach()
      return stream ?? []
    })
  }

  /** Every account whose home this is. */
  * atHome (): Iterable<Account> {
    yield * this.#inUse.values()
    yield * this.#idle.values()
  }

  /** The same, with those that are being loaded now, as soon as they are. */
  async allAtHome (): Promise<readonly Account[]> {
    await Promise.allSettled(this.#loading.values())
    return [...this.atHome()]
  }
}

function gone (): StanzaError {
  return new StanzaError('item-not-found', 'the account no longer exists')
}
