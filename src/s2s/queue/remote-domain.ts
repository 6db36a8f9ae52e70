/** A remote domain that this node owns: its queues in memory, under a claim in the database. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../log.ts'
import type { Router } from '../../routing/router.ts'
import type { Database } from '../../storage/database.ts'
import { inBackground, neverRejects } from '../../util/background.ts'
import { Shares } from '../../util/shares.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import type { MessagePolicies } from '../../xmpp/message-policy.ts'
import { NS_MUC } from '../../xmpp/ns.ts'
import { storedStanza } from '../../xmpp/read-stanza.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import type { Counters } from '../counters.ts'
import type { Links } from '../link.ts'
import { Line } from './line.ts'
import type { Held, Kept, Passing } from './line.ts'
import { PairQueue } from './pair-queue.ts'
import type { PairStatus, RetryOptions } from './pair-queue.ts'
import { fingerprintOf, Repeats, withId } from './repeats.ts'
import { Returns } from './returns.ts'
import { claimDomain, listWaiting, readStanzas } from './store.ts'
import type { Claimed, Row } from './store.ts'
import { Unwritten } from './unwritten.ts'
import type { Batch, Unsaved } from './unwritten.ts'
import type { Owned, Writer } from './writer.ts'

/** How long what is worth nothing later waits: requests, and what nobody misses. */
const REQUEST_MS = 30_000
/** A domain for which nothing has come for this time leaves memory. */
const IDLE_MS = 300_000
/** The time for confirmations when the domain gets another owner. */
const FAREWELL_MS = 2000
const READ_AGAIN_MS = 1000
/** What a stanza costs beside its content. */
const OVERHEAD_BYTES = 500

/** What all domains of a node share. */
export interface DomainParts {
  readonly router: Pick<Router, 'bounce' | 'giveBack'>
  readonly db: Database
  readonly writer: Writer
  readonly policies: MessagePolicies
  readonly links: Links
  readonly log: Logger
  /** The most messages that wait for one domain. */
  readonly queue: number
  readonly giveUpMs: number
  readonly retry?: RetryOptions | undefined
  /** The domain in whose name everything is sent to a remote domain; undefined where each sends in its own. */
  readonly localOf?: ((remote: string) => string | undefined) | undefined
  readonly certain: () => Promise<void> | undefined
  /** Bytes that wait in the database, and in memory only. */
  readonly onDisk: Shares
  readonly inMemory: Shares
  readonly held: Held
  readonly counters: Counters
  /** The domain has another owner, or it is unknown what is in the database. */
  readonly lost: (domain: RemoteDomain) => void
}

interface Pair { readonly line: Line, readonly queue: PairQueue }

export class RemoteDomain implements Owned {
  readonly name: string
  readonly claim: number
  isFenced = false
  /** It is not in memory any more. */
  isClosed = false
  readonly #parts: DomainParts
  readonly #pairs = new Map<string, Pair>()
  readonly #repeats = new Repeats()
  readonly #places: Shares
  readonly #returns: Returns
  readonly #unwritten: Unwritten
  #seq: number
  #lastUsedAt = performance.now()
  #removing: Promise<void> | undefined

  private constructor (name: string, { claim, firstSeq }: Claimed, parts: DomainParts) {
    this.name = name
    this.claim = claim
    this.#seq = firstSeq
    this.#parts = parts
    // One sender alone takes about half of the places.
    this.#places = new Shares(parts.queue - 1, Math.floor(parts.queue / 4))
    this.#unwritten = new Unwritten({
      append: kept => parts.writer.append(this, rowOf(kept)),
      appended: batch => this.#appended(batch),
      failed: () => { parts.lost(this) },
    })
    this.#returns = new Returns({
      log: parts.log,
      read: kept => this.#readAll(kept),
      tell: (stanza, kept, error) => this.#tell(stanza, kept, error),
      done: kept => {
        parts.counters.givenBack++
        this.#unwritten.settle(kept)
        this.#remove([kept], false)
      },
    })
  }

  /** Claims the domain for `node`, and reads what waits for it. Rejects with the database's error. */
  static async open (name: string, node: string, parts: DomainParts): Promise<RemoteDomain> {
    const claimed = await claimDomain(parts.db, name, node)
    const domain = new RemoteDomain(name, claimed, parts)
    for await (const rows of listWaiting(parts.db, name)) {
      for (const { bytes, fingerprint, ...row } of rows) {
        domain.#restore({
          ...row, fingerprint: fingerprint ?? undefined, bytes: 0, place: { bytes: 0 }, batch: undefined,
          stanza: undefined, refusals: 0,
        }, bytes)
      }
    }
    return domain
  }

  /** Sends what waits. */
  start (): void {
    for (const { queue } of this.#pairs.values()) queue.wake()
  }

  /** Takes a stanza for the domain. A promise means: not on disk yet, nor confirmed, nor given back. */
  receive (stanza: Stanza): void | Promise<void> {
    if (!stanza.from) return
    this.#lastUsedAt = performance.now()
    const pair = this.#pair(this.#localOf(stanza.from))
    return this.#isKept(stanza) ? this.#keep(stanza, stanza.from, pair) : this.#pass(stanza, stanza.from, pair)
  }

  /** What must not be lost: messages that are worth something later, and changes of subscriptions. */
  #isKept (stanza: Stanza): boolean {
    if (stanza.kind === 'message') return !this.#parts.policies.isWorthless(stanza)
    return stanza.kind === 'presence' && SUBSCRIPTIONS.has(stanza.type)
  }

  #keep (said: Stanza, from: Jid, { line, queue }: Pair): void | Promise<void> {
    const stanza = said.kind === 'message' ? withId(said) : said
    const fingerprint = stanza.kind === 'message' ? fingerprintOf(stanza) : undefined
    if (fingerprint !== undefined && this.#repeats.has(fingerprint)) return this.#unwritten.settled()
    const { router, onDisk } = this.#parts
    const who = from.bare.toString()
    if (!this.#places.hasRoom(who) || !onDisk.hasRoom(who)) return router.bounce(stanza, tooMuch(this.name))
    const isForRoom = stanza.isMulticast && stanza.type === 'groupchat'
    const kept: Kept = {
      local: this.#localOf(from), seq: ++this.#seq, sender: isForRoom ? who : from.toString(), queuedAt: Date.now(),
      fingerprint, place: { bytes: 0 }, bytes: 0, batch: undefined, stanza: stanza.copy(), refusals: 0,
    }
    this.#count(kept, stanza.weight)
    line.keep(kept)
    const done = this.#unwritten.add(kept)
    queue.wake()
    if (!queue.confirmsSoon) this.#unwritten.writeSoon()
    return done
  }

  #count (kept: Kept, bytes: number): void {
    const who = bareOf(kept.sender)
    this.#places.add(kept.place, who, 1)
    this.#parts.onDisk.add(kept, who, bytes + OVERHEAD_BYTES)
    if (kept.fingerprint !== undefined) this.#repeats.add(kept.fingerprint)
  }

  #restore (kept: Kept, bytes: number): void {
    this.#count(kept, bytes)
    this.#pair(kept.local).line.restore(kept)
    this.#seq = Math.max(this.#seq, kept.seq)
  }

  #appended (batch: Batch): void | Promise<void> {
    return this.isFenced ? this.#move(batch) : this.#committed(batch.unsettled)
  }

  /** Resolves when the domain's next owner has what is neither committed nor settled. */
  async #move (batch: Batch): Promise<void> {
    batch.unsaved = batch.unsettled.flatMap(({ seq, stanza }) =>
      stanza ? { seq, stanza, done: Promise.withResolvers<void>() } : [])
    this.#parts.lost(this)
    await Promise.all(batch.unsaved.map(({ done }) => done.promise))
  }

  #committed (all: readonly Kept[]): void {
    if (this.isClosed) return
    const upTo = all.at(-1)?.seq ?? 0
    for (const { line, queue } of this.#pairs.values()) {
      line.commit(upTo)
      queue.wake()
      line.trim()
    }
  }

  #pass (stanza: Stanza, from: Jid, { line, queue }: Pair): void | Promise<void> {
    const { inMemory, router, giveUpMs } = this.#parts
    const who = from.bare.toString()
    if (line.isFull || !inMemory.hasRoom(who)) {
      return isAwaited(stanza) ? router.bounce(stanza, tooMuch(this.name)) : undefined
    }
    const ms = stanza.kind === 'presence' && !isAwaited(stanza) ? giveUpMs : REQUEST_MS
    const passing = { stanza: stanza.copy(), after: line.last, until: performance.now() + ms, bytes: 0 }
    inMemory.add(passing, who, stanza.weight + OVERHEAD_BYTES)
    const before = line.pass(passing)
    if (before) inMemory.remove(before)
    queue.wake()
  }

  #localOf ({ domain }: Jid): string {
    return this.#parts.localOf?.(this.name) ?? domain
  }

  #pair (local: string): Pair {
    let pair = this.#pairs.get(local)
    if (!pair) this.#pairs.set(local, pair = this.#newPair(local))
    return pair
  }

  #newPair (local: string): Pair {
    const { links, log, giveUpMs, retry, certain, held, counters } = this.#parts
    const line = new Line(held)
    const queue = new PairQueue({
      local, remote: this.name, line, links, log, giveUpMs, retry, certain,
      read: () => this.#readInto(line),
      asking: () => { this.#unwritten.closeBatch() },
      confirmed: all => {
        counters.confirmed += all.length
        for (const kept of all) this.#unwritten.settle(kept)
        this.#remove(all, true)
      },
      lost: () => { this.#unwritten.write() },
      giveBack: (kept, error) => { this.#returns.add(kept, error) },
      refuse: (all, error) => { this.#refuse(all, error) },
      passed: passing => { this.#parts.inMemory.remove(passing) },
    })
    return { line, queue }
  }

  async #readInto (line: Line): Promise<void> {
    const { unread } = line
    try {
      for (const missing of line.fill(unread, await this.#readAll(unread))) this.#remove([missing], false)
    } catch (err) { // the database's
      this.#parts.log.warn({ event: 'federation.read_delayed', err, domain: this.name }, 'federation: queue not read')
      await sleep(READ_AGAIN_MS)
    }
  }

  async #readAll (all: readonly Kept[]): Promise<ReadonlyMap<Kept, Stanza>> {
    const found = new Map<Kept, Stanza>()
    const unread = new Map<number, Kept>()
    for (const kept of all) {
      if (kept.stanza) found.set(kept, kept.stanza)
      else unread.set(kept.seq, kept)
    }
    for (const [local, some] of Map.groupBy(unread.values(), kept => kept.local)) {
      for (const { seq, stanza } of await readStanzas(this.#parts.db, this.name, local, some.map(kept => kept.seq))) {
        const kept = unread.get(seq)
        if (kept) found.set(kept, storedStanza(stanza))
      }
    }
    return found
  }

  /** Neighbours in their line: what was given back stood before all that was confirmed later. */
  #remove (all: readonly Kept[], isConfirmed: boolean): void {
    const { onDisk, writer, log } = this.#parts
    for (const kept of all) {
      this.#places.remove(kept.place)
      onDisk.remove(kept)
      if (kept.fingerprint !== undefined) this.#repeats[isConfirmed ? 'confirm' : 'forget'](kept.fingerprint)
    }
    const written = all.filter(({ batch }) => batch?.isWritten ?? true)
    const [first, last] = [written[0], written.at(-1)]
    if (!first || !last) return
    const rows = { domain: this.name, local: first.local, first: first.seq, last: last.seq }
    const removing = last.batch?.writing?.then(() => writer.remove(rows)) ?? writer.remove(rows)
    if (removing === this.#removing) return
    this.#removing = removing
    inBackground(log, 'deletion of delivered messages', removing) // a row that stays is sent again after a restart
  }

  #tell (stanza: Stanza, kept: Kept, error: StanzaError): void | Promise<void> {
    if (stanza.kind !== 'message') return
    return this.#parts.router.giveBack(stanza, error, Jid.kept(kept.sender), `${this.name}/${kept.seq}`)
  }

  #refuse (all: readonly Passing[], error: StanzaError): void {
    for (const passing of all) {
      this.#parts.inMemory.remove(passing)
      if (isAwaited(passing.stanza)) neverRejects(this.#parts.router.bounce(passing.stanza, error)) // as it says
    }
  }

  get status (): readonly PairStatus[] {
    return [...this.#pairs.values()].map(({ queue }) => queue.status)
  }

  /** Messages and subscriptions that are not confirmed. */
  get waiting (): number {
    return this.status.reduce((sum, { waiting }) => sum + waiting, 0)
  }

  /** Tries now to reach the domain. */
  retry (): void {
    for (const { queue } of this.#pairs.values()) queue.retry()
  }

  /** Gives back all that waits. */
  drop (error: StanzaError): void {
    for (const { queue } of this.#pairs.values()) queue.drop(error)
  }

  /** Refuses requests that have waited too long; `now` is of the monotonic clock. */
  check (now: number): void {
    for (const { queue } of this.#pairs.values()) queue.check(now)
  }

  /** Whether nothing waits, nothing has come for a while, and there is no link. */
  isIdle (now: number): boolean {
    if (!this.#unwritten.isEmpty || !this.#returns.isEmpty || now - this.#lastUsedAt < IDLE_MS) return false
    return [...this.#pairs.values()].every(({ queue }) => queue.isIdle)
  }

  /** Sends nothing more. Resolves when what was sent is confirmed, or can't be for now, and all is on disk. */
  async settle (): Promise<void> {
    await Promise.all([...this.#pairs.values()].map(({ queue }) => queue.settle(FAREWELL_MS)))
    await this.#unwritten.unsaved()
    await this.#removing?.catch(() => {}) // logged
  }

  /** Takes it out of memory; returns what was waiting in memory only. */
  close (): readonly Passing[] {
    this.isClosed = true
    this.#unwritten.write()
    const { onDisk, inMemory } = this.#parts
    const left: Passing[] = []
    for (const kept of this.#returns.close()) onDisk.remove(kept)
    for (const { line, queue } of this.#pairs.values()) {
      queue.close()
      for (const passing of line.takePassing()) {
        inMemory.remove(passing)
        left.push(passing)
      }
      for (const kept of line.dispose()) onDisk.remove(kept)
    }
    return left
  }

  /** Resolves, when it is known of all that was taken whether it is on disk, with what is not, and was not refused. */
  unsaved (): Promise<readonly Unsaved[]> {
    return this.#unwritten.unsaved()
  }
}

const SUBSCRIPTIONS: ReadonlySet<string> = new Set(['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed'])

/** Whether somebody waits for the answer: requests, and presence that enters a room (XEP-0045 §7.2). */
function isAwaited (stanza: Stanza): boolean {
  if (stanza.kind === 'iq') return stanza.type === 'get' || stanza.type === 'set'
  return stanza.kind === 'presence' && stanza.type === 'available' && stanza.has('x', NS_MUC)
}

function tooMuch (domain: string): StanzaError {
  return new StanzaError('resource-constraint', `too much waits for ${domain}: try again later`)
}

/** The bare form of an address. */
function bareOf (address: string): string {
  const slash = address.indexOf('/')
  return slash < 0 ? address : address.slice(0, slash)
}

function rowOf ({ local, seq, sender, queuedAt, fingerprint, stanza }: Kept): Row {
  if (!stanza) throw new Error('a message that is not on disk is not in memory')
  return { local, seq, sender, queuedAt, fingerprint, stanza: stanza.toBytes() }
}
