/**
 * The way to other servers and components (RFC 6120 §10.4): each remote domain has a queue at the node that owns the
 * domain. In a cluster the node at the domain's place (rendezvous hashing) claims it, and goes on with what a previous
 * owner has left in the database.
 */
import type { Logger } from '../../log.ts'
import type { Destination, Router } from '../../routing/router.ts'
import type { Undelivered } from '../../session/forwarding.ts'
import type { Homes } from '../../session/homes.ts'
import { OwnedInbox } from '../../session/owned-inbox.ts'
import type { Arrival, Outcome } from '../../session/owned-inbox.ts'
import type { Database } from '../../storage/database.ts'
import { eachInSlices, inBackground, neverRejects } from '../../util/background.ts'
import { randomId } from '../../util/ids.ts'
import { Shares } from '../../util/shares.ts'
import { Turns } from '../../util/turns.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import type { MessagePolicies } from '../../xmpp/message-policy.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { Counters } from '../counters.ts'
import type { Links } from '../link.ts'
import type { FederationSettings } from '../settings.ts'
import type { Passing } from './line.ts'
import type { PairStatus, RetryOptions } from './pair-queue.ts'
import { RemoteDomain } from './remote-domain.ts'
import type { DomainParts } from './remote-domain.ts'
import type { Unsaved } from './unwritten.ts'
import { findOrphaned, leaveDomain, removeOrphaned, renameOwner } from './store.ts'
import { Writer } from './writer.ts'

/** The interval of the checks of all domains: requests that wait too long, domains that nobody needs. */
const CHECK_MS = 1000
/** The interval at which what nobody sends is looked for. */
const SCAN_MS = 5000
/** Limits of what waits for all domains, and per sender: in the database, and in memory only. */
const MAX_ON_DISK = 4 * 1024 ** 3
const MAX_ON_DISK_OF_ONE = 256 * 1024 ** 2
const MAX_IN_MEMORY = 128 * 1024 ** 2
const MAX_IN_MEMORY_OF_ONE = 8 * 1024 ** 2
const HOUR_MS = 3_600_000

/** In place of a node's id where the domain has no owner. */
const NOBODY = ''

/** The cluster, as remote domains need it. */
export interface RemoteDomainsCluster {
  readonly homes: Homes
  /** All nodes that live, this one included. */
  readonly nodes: () => readonly string[]
}

export interface RemoteDomainsParts {
  readonly router: Pick<Router, 'bounce' | 'giveBack' | 'isServed'>
  readonly db: Database
  /** The same database through the connections for messages. */
  readonly messageDb: Database
  readonly policies: MessagePolicies
  readonly links: Links
  readonly log: Logger
  readonly settings: Pick<FederationSettings, 'queue' | 'giveUpHours'>
  /** Whether stanzas may be sent to the domain. */
  readonly isAllowed: (domain: string) => boolean
  /** Undefined on a server that is not part of a cluster. */
  readonly cluster?: RemoteDomainsCluster | undefined
  /** A component has one queue for all who send to it: the domain that it is named for. */
  readonly localOf?: ((remote: string) => string | undefined) | undefined
  /** In a cluster: the node that should own the domain because it is connected to it, a component's. */
  readonly placeOf?: ((domain: string) => string | undefined) | undefined
  readonly counters?: Counters | undefined
  readonly retry?: RetryOptions | undefined
  /** How long messages wait for the database, in milliseconds. */
  readonly patienceMs?: number | undefined
}

export class RemoteDomains implements Destination {
  readonly #parts: RemoteDomainsParts
  readonly #domainParts: DomainParts
  readonly #domains = new Map<string, RemoteDomain>()
  readonly #turns = new Turns()
  readonly #inbox: OwnedInbox
  readonly #timers: NodeJS.Timeout[] = []
  /** The id of this node where it is the only one. */
  readonly #alone = randomId()
  /** The database may hold what no domain in memory sends. */
  #mayBeOrphaned = true
  #isScanning = false
  #isStopping = false

  constructor (parts: RemoteDomainsParts) {
    this.#parts = parts
    const { db, messageDb, router, policies, links, log, settings, retry, patienceMs, cluster, localOf } = parts
    this.#domainParts = {
      router, db, policies, links, log, retry, localOf,
      writer: new Writer({ db: messageDb, log, patienceMs }),
      queue: settings.queue, giveUpMs: settings.giveUpHours * HOUR_MS,
      certain: () => cluster?.homes.confirmLease(),
      onDisk: new Shares(MAX_ON_DISK, MAX_ON_DISK_OF_ONE), inMemory: new Shares(MAX_IN_MEMORY, MAX_IN_MEMORY_OF_ONE),
      held: { bytes: 0 }, counters: parts.counters ?? new Counters(),
      lost: domain => { this.#lose(domain) },
    }
    this.#inbox = new OwnedInbox({
      turns: this.#turns,
      mayHandOn: true,
      keyOf: ({ domain }) => keyOf(domain),
      takeNow: (stanza, { domain }) => {
        const open = this.#domains.get(domain)
        return open ? open.receive(stanza) : false
      },
      elsewhere: key => this.#domains.has(domainOf(key)) ? undefined : cluster?.homes.elsewhere(key),
      takeInTurn: arrival => this.#takeInTurn(arrival),
    }, cluster?.homes, (stanza, error) => router.bounce(stanza, error))
  }

  /** Goes on with what waits in the database. */
  start (): void {
    const { log } = this.#parts
    this.#timers.push(
      setInterval(() => { this.check() }, CHECK_MS),
      setInterval(() => { inBackground(log, 'scan of what waits for other servers', this.scan()) }, SCAN_MS),
    )
    inBackground(log, 'scan of what waits for other servers', this.scan())
  }

  /** Sends nothing more; resolves when what was sent is confirmed, or can't be for now. What waits stays on disk. */
  async stop (): Promise<void> {
    this.#isStopping = true
    for (const timer of this.#timers) clearInterval(timer)
    await Promise.all([...this.#domains.keys()].map(domain => this.giveUp(keyOf(domain))))
  }

  /** The keys under which this node owns domains. */
  atHome (): readonly string[] {
    return [...this.#domains.keys()].map(keyOf)
  }

  /** A stanza for another server. A promise means: not on disk yet, or not handed over. */
  receive (stanza: Stanza): void | Promise<void> {
    const { to, from } = stanza
    const { router, isAllowed } = this.#parts
    if (!to || !from || !(router.isServed(from.domain) || router.isServed(to.domain))) return
    if (isAllowed(to.domain)) return this.#inbox.receive(stanza, to)
    return router.bounce(stanza, new StanzaError('not-allowed', `this server exchanges nothing with ${to.domain}`))
  }

  /** As `receive`, for the other node: false where this node does not own the domain. */
  receiveHere (stanza: Stanza, node: string): boolean | Promise<boolean> {
    return stanza.to && stanza.from ? this.#inbox.receiveHere(stanza, stanza.to, node) : true
  }

  async #takeInTurn ({ stanza, to, isForwarded, refusedBy }: Arrival): Promise<Outcome> {
    try {
      const asked = isForwarded ? undefined : { refusedBy }
      let located = await this.#locate(to.domain, asked)
      while (typeof located !== 'string' && located.isClosed) located = await this.#locate(to.domain, asked)
      return typeof located === 'string' ? { node: located } : { handedOver: located.receive(stanza) }
    } catch (error) { // Redis's or the database's
      await this.#parts.router.bounce(stanza, this.#refusal(error, to.domain))
      return {}
    }
  }

  #refusal (error: unknown, domain: string): StanzaError {
    if (error instanceof StanzaError) return error
    this.#parts.log.warn({ event: 'federation.read_delayed', err: error, domain }, 'federation: queue not read')
    return new StanzaError('internal-server-error', 'the message could not be stored: try again', undefined, 'wait')
  }

  /**
   * In the domain's turn: the domain, loaded, or the node that owns it or should. Without `asked` this node claims it
   * wherever its place is.
   */
  async #locate (domain: string, asked?: { readonly refusedBy: string | undefined }): Promise<RemoteDomain | string> {
    const open = this.#domains.get(domain)
    if (open) return open
    const homes = this.#parts.cluster?.homes
    if (!homes) return this.#open(domain, this.#alone)
    const key = keyOf(domain)
    const place = this.#placeOf(domain, homes)
    if (asked && place !== homes.incarnation && place !== asked.refusedBy) {
      const { node } = await homes.find(key)
      return node ?? place
    }
    const { node } = await homes.claim(key)
    if (node !== undefined) return node
    const { incarnation } = homes
    const opened = await this.#open(domain, incarnation, homes)
    if (homes.incarnation === incarnation) return opened
    this.#lose(opened) // the lease was lost: that claim is void
    return this.#locate(domain, asked)
  }

  #placeOf (domain: string, homes: Homes): string {
    return this.#parts.placeOf?.(domain) ?? homes.place(keyOf(domain))
  }

  async #open (name: string, node: string, homes?: Homes): Promise<RemoteDomain> {
    try {
      const domain = await RemoteDomain.open(name, node, this.#domainParts)
      this.#domains.set(name, domain)
      domain.start()
      return domain
    } catch (error) { // the database's
      homes?.release(keyOf(name), false)
      throw error
    }
  }

  /** The domain is another node's, or has to be read again. */
  #lose (domain: RemoteDomain): void {
    if (this.#domains.get(domain.name) !== domain) return
    this.#domains.delete(domain.name)
    this.#mayBeOrphaned = true
    this.#handOver(domain)
  }

  /** Takes anew what is not in the database, before what comes meanwhile. */
  #handOver (domain: RemoteDomain): void {
    const key = keyOf(domain.name)
    const passing = domain.close()
    this.#turns.first(key, [async () => {
      const unsaved = await domain.unsaved()
      this.#inbox.receiveAgain(key, this.#isStopping ? unsaved : this.#inOrder(unsaved, passing))
    }])
  }

  #inOrder (unsaved: readonly Unsaved[], passing: readonly Passing[]): readonly Undelivered[] {
    const others = passing.map(({ stanza, after }) => ({ stanza, seq: after, done: Promise.withResolvers<void>() }))
    for (const { done } of others) inBackground(this.#parts.log, 'handing over to another owner', done.promise)
    return [...unsaved, ...others].sort((one, other) => one.seq - other.seq)
  }

  /** Loads the domains for which something waits, and which no node owns. */
  async scan (): Promise<void> {
    if (this.#isScanning || !this.#mayBeOrphaned) return
    const { cluster, db } = this.#parts
    this.#isScanning = true
    this.#mayBeOrphaned = cluster !== undefined
    try {
      const nodes = cluster?.nodes() ?? [this.#alone]
      const others = nodes.filter(node => node !== this.#id)
      for (const { domain, node } of await findOrphaned(db, others)) {
        if (this.#isStopping) return
        if (!this.#isOurs(domain, node)) continue
        await this.#turns.inTurn(keyOf(domain), async () => { await this.#locate(domain) })
      }
      await removeOrphaned(db, nodes)
    } catch (error) { // Redis or the database is away: the next scan tries again
      this.#mayBeOrphaned = true
      this.#parts.log.debug({ event: 'federation.scan_failed', err: error }, 'federation: scan of queues failed')
    }
    this.#isScanning = false
  }

  get #id (): string {
    return this.#parts.cluster?.homes.incarnation ?? this.#alone
  }

  /** Whether this node is to load a domain that is not in memory: its own, or one without an owner at its place. */
  #isOurs (domain: string, owner: string): boolean {
    const homes = this.#parts.cluster?.homes
    return !homes || owner === this.#id || this.#placeOf(domain, homes) === this.#id
  }

  /** Refuses requests that have waited too long, and lets go of domains; `now` is of the monotonic clock. */
  check (now = performance.now()): void {
    const { log } = this.#parts
    neverRejects(eachInSlices(log, 'check of another server', [...this.#domains.values()], domain => { // as it says
      domain.check(now)
      if (domain.isIdle(now)) inBackground(log, 'removal of a domain from memory', this.#leave(domain, now))
    }))
  }

  async #leave (domain: RemoteDomain, now: number): Promise<void> {
    const { db, cluster } = this.#parts
    await this.#turns.inTurn(keyOf(domain.name), async () => {
      if (!domain.isIdle(now) || this.#domains.get(domain.name) !== domain) return
      this.#domains.delete(domain.name)
      domain.close()
      await leaveDomain(db, domain.name, domain.claim)
      cluster?.homes.release(keyOf(domain.name), false)
    })
  }

  owns (domain: string): boolean {
    return this.#domains.has(domain)
  }

  /** Makes this node the owner of the domain unless another is, wherever its place is. */
  async own (domain: string): Promise<void> {
    await this.#turns.inTurn(keyOf(domain), async () => { await this.#locate(domain) })
  }

  /** As `giveUp`. */
  async giveUpDomain (domain: string): Promise<void> {
    await this.giveUp(keyOf(domain))
  }

  /** Releases the ownership of a domain for another node, which goes on with what waits. */
  async giveUp (key: string): Promise<void> {
    await this.#turns.inTurn(key, async () => {
      const domain = this.#domains.get(domainOf(key))
      if (!domain) return
      await domain.settle()
      if (domain.isClosed) return
      this.#domains.delete(domain.name)
      this.#handOver(domain)
      const { cluster, db } = this.#parts
      await renameOwner(db, domain.name, domain.claim, NOBODY).catch(() => {}) // it takes the others longer
      cluster?.homes.release(key, false)
    })
  }

  /** After a lost lease: keeps the domain under the new incarnation, or drops it where another node owns it. */
  async reclaimed (key: string, isOurs: boolean): Promise<void> {
    const domain = this.#domains.get(domainOf(key))
    const { cluster, db } = this.#parts
    if (!domain || !cluster) return
    if (isOurs) await renameOwner(db, domain.name, domain.claim, cluster.homes.incarnation)
    else this.#lose(domain)
  }

  /** Tries now to reach a domain. Returns how many messages wait for it; undefined where this node does not own it. */
  retry (name: string): number | undefined {
    const domain = this.#domains.get(name)
    domain?.retry()
    return domain?.waiting
  }

  /** Gives back all that waits for a domain, and returns as `retry` does. */
  drop (name: string): number | undefined {
    const domain = this.#domains.get(name)
    const waiting = domain?.waiting
    domain?.drop(
      new StanzaError('remote-server-timeout', `${name} could not be reached, and the administrator has given it up`,
        undefined, 'cancel'))
    return waiting
  }

  /** The domains that this node owns. */
  status (): readonly PairStatus[] {
    return [...this.#domains.values()].flatMap(domain => domain.status)
  }
}

function keyOf (domain: string): string {
  return `s2s:${domain}`
}

function domainOf (key: string): string {
  return key.slice('s2s:'.length)
}
