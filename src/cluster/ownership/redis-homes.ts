/**
 * Ownership by claims: an account's owner is the node whose id is in `hg:home:<account>`. A claim of a dead node is
 * void: the next node that needs the account takes it, with the state that the node left.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { Redis } from 'ioredis'
import type { Claim, Found, Homes } from '../../session/homes.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import { storedStanza } from '../../xmpp/read-stanza.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { MEMBERS } from '../membership/heartbeat.ts'
import type { Bus, NodeId } from '../bus/bus.ts'
import { CLAIM, FIND, homeOf, RECLAIM, RELEASE, RELEASED, RETURN } from './claims.ts'
import type { Logger } from '../../log.ts'
import type { WriteBarrier } from '../../net/write-barrier.ts'
import { eachInSlices } from '../../util/background.ts'
import { MulticastBatch } from '../bus/multicast.ts'
import type { Membership } from '../membership/membership.ts'
import { placeOf } from '../membership/rendezvous.ts'
import type { StanzaHeader } from '../bus/protocol.ts'

/** Owners at other nodes that are cached. */
const MAX_KNOWN = 100_000

/** In place of a node's id where this node is the only one, and leaves. */
const NOBODY = ''

const RETRY_MS = 100
/** When Redis has lost its data nodes reclaim what they have in memory; for this time nothing else is claimed. */
const RECLAIM_MS = 2_000
/** Accounts that are claimed again at the same time. */
const RECLAIMED_AT_ONCE = 300

export interface HomesParts {
  readonly redis: Redis
  readonly bus: Bus
  readonly membership: Membership
  readonly barrier: WriteBarrier
  readonly log: Logger
}

/** Another node, as the owner of accounts. */
interface Owner {
  readonly node: NodeId
  /** Packets of it or for it were lost, or it is gone: nothing that is known of it counts any more. */
  isBroken: boolean
}

export class RedisHomes implements Homes {
  /** Scripts go with their text: one that Redis has forgotten would run again behind what was asked later. */
  readonly #redis: Redis
  readonly #bus: Bus
  readonly #membership: Membership
  readonly #barrier: WriteBarrier
  #isLeaving = false
  #mayClaimAt = 0
  #reclaiming: Promise<void> | undefined
  /** The batch for each node, sent at the end of this turn of the event loop. */
  readonly #batches = new Map<NodeId, MulticastBatch>()
  readonly #known = new LRUCache<string, Owner>({ max: MAX_KNOWN })
  readonly #owners = new Map<NodeId, Owner>()
  readonly #heard: ((node: NodeId, key: string) => void)[] = []
  readonly #log: Logger

  constructor ({ redis, bus, membership, barrier, log }: HomesParts) {
    this.#redis = redis
    this.#bus = bus
    this.#membership = membership
    this.#barrier = barrier
    this.#log = log
    membership.whenLeaseLost((_before, isForgotten) => {
      if (isForgotten) this.#mayClaimAt = performance.now() + RECLAIM_MS
    })
    bus.whenBroken(node => {
      const owner = this.#owners.get(node)
      if (owner) owner.isBroken = true
      this.#owners.delete(node)
    })
    bus.hear('stanza.refusal-heard', (node, { key }) => { for (const heard of this.#heard) heard(node, key) })
  }

  get incarnation (): string {
    return this.#membership.id
  }

  elsewhere (account: string): NodeId | undefined {
    const owner = this.#known.get(account)
    return owner?.isBroken ? undefined : owner?.node
  }

  /** From now on this node claims nothing. */
  leave (): void {
    this.#isLeaving = true
  }

  async claim (account: string): Promise<Claim> {
    if (this.#isLeaving) return { node: await this.#another(account) }
    for (;;) {
      const tooEarlyMs = this.#mayClaimAt - performance.now()
      if (tooEarlyMs > 0) await sleep(tooEarlyMs)
      const [home, before] = await this.#ask(
        () => this.#redis.eval(CLAIM, 2, homeOf(account), MEMBERS, this.incarnation) as Promise<[string, string]>,
        account,
      )
      if (home === 'lapsed') await (this.#membership.confirmLease() ?? sleep(RETRY_MS))
      else if (home !== '') return { node: home }
      else if (before === '') return {}
      else if (before.startsWith(RELEASED)) return { before: { node: before.slice(RELEASED.length), isInOrder: true } }
      else return { before: { node: before, isInOrder: false } }
    }
  }

  /** The owner, or the node that should be: if nobody owns the account, the node that is asked claims it. */
  async #another (account: string): Promise<NodeId> {
    this.#redis.eval(RETURN, 1, homeOf(account), this.incarnation).catch(() => {}) // claimed, and not loaded
    const { node } = await this.find(account)
    return node ?? placeOf(account, this.#membership.nodes.filter(one => one !== this.incarnation)) ?? NOBODY
  }

  /** A node that leaves is nothing's place, unless it is the only one. */
  place (key: string): NodeId {
    const { nodes } = this.#membership
    return placeOf(key, this.#isLeaving ? nodes.filter(one => one !== this.incarnation) : nodes) ?? this.incarnation
  }

  async find (account: string): Promise<Found> {
    const [home, hasOrphanedState] = await this.#ask(
      () => this.#redis.eval(FIND, 2, homeOf(account), MEMBERS, this.incarnation, account) as Promise<[string, number]>,
      account,
    )
    return home === '' ? { hasOrphanedState: hasOrphanedState === 1 } : { node: home }
  }

  async #ask<T> (question: () => Promise<[string, T]>, account: string): Promise<readonly [string, T]> {
    try {
      const answer = await question()
      const [home] = answer
      if (home !== '' && home !== 'lapsed') this.#known.set(account, this.#owner(home))
      return answer
    } catch { // Redis is away
      throw new StanzaError('remote-server-timeout', 'the account cannot be reached now: try again later')
    }
  }

  #owner (node: NodeId): Owner {
    let owner = this.#owners.get(node)
    if (!owner) this.#owners.set(node, owner = { node, isBroken: false })
    return owner
  }

  forget (account: string): void {
    this.#known.delete(account)
  }

  release (account: string, hasRecord: boolean, heir?: NodeId): void {
    const released = hasRecord ? RELEASED + this.incarnation : ''
    // Redis is away: another node claims it when it is needed, as this node answers that it does not own it.
    const value = heir === undefined ? released : `${released || RELEASED}\n${heir}`
    this.#redis.eval(RELEASE, 1, homeOf(account), this.incarnation, value).catch(() => {})
  }

  /**
   * After a lost lease: claims accounts again, and reports for each whether it is ours; others own the rest by now. All
   * that time the lease is not confirmed.
   */
  reclaim (accounts: readonly string[], before: NodeId, tell: (account: string, isOurs: boolean) => void): void {
    const reclaiming = this.#reclaimAll(accounts, before, tell).finally(() => {
      if (this.#reclaiming === reclaiming) this.#reclaiming = undefined
    })
    this.#reclaiming = reclaiming
  }

  async #reclaimAll (
    accounts: readonly string[],
    before: NodeId,
    tell: (account: string, isOurs: boolean) => void,
  ): Promise<void> {
    const { incarnation: run } = this
    for (let at = 0; at < accounts.length; at += RECLAIMED_AT_ONCE) {
      const group = accounts.slice(at, at + RECLAIMED_AT_ONCE)
      const replies = await Promise.allSettled(
        group.map(account => this.#redis.eval(RECLAIM, 1, homeOf(account), run, before)),
      )
      if (this.incarnation !== run) return // the lease was lost again, and all is claimed under yet another id
      await eachInSlices(this.#log, 'accounts that are claimed again', group.entries(), ([index, account]) => {
        const reply = replies[index]
        tell(account, reply?.status === 'fulfilled' && reply.value === 1) // rejected: Redis is away again
      })
    }
  }

  async removeAt (node: NodeId, account: string): Promise<boolean> {
    const { isHome } = await this.#bus.ask(node, 'account.remove', { account })
    return isHome
  }

  /** Undefined while this node's claims are valid for sure; otherwise resolves once that is known. */
  confirmLease (): Promise<void> | undefined {
    return this.#reclaiming ?? this.#membership.confirmLease()?.then(() => this.#reclaiming)
  }

  async forward (node: NodeId, stanza: Stanza): Promise<boolean> {
    if (node === NOBODY) throw new StanzaError('remote-server-timeout', 'the server is shutting down: connect again')
    const batch = this.#batches.get(node)
    if (batch?.isFor(stanza)) return batch.add(stanza)
    batch?.flush() // keeps the order of packets
    if (stanza.isMulticast && stanza.to) return this.#startBatch(node, stanza)
    const { isElsewhere } = await this.#bus.ask(node, 'stanza', headerOf(stanza), stanza.toBytes())
    return !isElsewhere
  }

  async forwarded (): Promise<void> {
    // Behind the batches of this turn.
    await new Promise<void>(resolve => { this.#barrier.afterPersisted({ flush: resolve }) })
    await this.#bus.persisted()
  }

  confirmRefusal (node: NodeId, key: string): void {
    this.#batches.get(node)?.flush() // it was forwarded before
    this.#bus.tell(node, 'stanza.refusal-heard', { key })
  }

  whenRefusalHeard (heard: (node: NodeId, key: string) => void): void {
    this.#heard.push(heard)
  }

  #startBatch (node: NodeId, stanza: Stanza): Promise<boolean> {
    const batch = new MulticastBatch(stanza, this.#barrier, to => {
      this.#batches.delete(node)
      return this.#bus.ask(node, 'multicast', { ...headerOf(stanza), dedupKey: undefined, to }, stanza.toBytes())
    })
    this.#batches.set(node, batch)
    return batch.add(stanza)
  }
}

/** The properties of a stanza that cross the bus beside its XML. */
export function headerOf ({ dedupKey, isRedelivery, author }: Stanza): StanzaHeader {
  return { dedupKey, isRedelivery: isRedelivery || undefined, author: author?.toString() }
}

/** A stanza that another node has forwarded. */
export function forwardedStanza (bytes: Buffer, { dedupKey, isRedelivery, author }: StanzaHeader): Stanza {
  let stanza = storedStanza(bytes)
  if (dedupKey !== undefined) stanza = stanza.withDedupKey(dedupKey)
  if (author !== undefined) stanza = stanza.authoredBy(Jid.kept(author))
  return isRedelivery ? stanza.asRedelivery() : stanza
}
