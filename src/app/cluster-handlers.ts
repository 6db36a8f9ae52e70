/**
 * The core as one node of many: takes what other nodes forward, gives up what others have become home to while it was
 * away, and becomes home to what dead nodes have left behind.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeId } from '../cluster/bus/bus.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { placeOf } from '../cluster/membership/rendezvous.ts'
import type { Asks } from '../cluster/bus/protocol.ts'
import { forwardedStanza } from '../cluster/ownership/redis-homes.ts'
import type { Core } from './core.ts'
import type { Logger } from '../log.ts'
import { inBackground } from '../util/background.ts'
import { Jid } from '../xmpp/jid.ts'
import type { Stanza } from '../xmpp/stanza.ts'

/** How often a node looks for what dead ones have left, and how long it leaves that to those who come for it. */
const LOOK_MS = 5_000
const PATIENCE_MS = 10_000
/** What is there after so many times that patience is left of accounts that have been at home elsewhere since. */
const STALE_AFTER = 6
/** Accounts that are taken over at the same time. */
const AT_ONCE = 50

export interface FailoverOptions {
  readonly lookMs?: number
  readonly patienceMs?: number
}

/** Lets the core be reached by the other nodes; what is returned ends that. */
export function serveCluster (cluster: Cluster, core: Core, log: Logger, options: FailoverOptions = {}): () => void {
  const { bus, membership, homes, records } = cluster
  bus.answer('stanza', (_from, header, body) => {
    const isHome = core.router.routeHere(forwardedStanza(body, header))
    return isHome instanceof Promise ? isHome.then(taken) : taken(isHome)
  })
  bus.answer('multicast', (_from, header, body) => takeCopies(core, log, header.to, forwardedStanza(body, header)))
  bus.answer('account.remove', async (_from, { account }) => {
    const jid = Jid.parse(account)
    const located = await core.accounts.locate(jid)
    if (located && 'node' in located) return { isHome: false }
    await core.commands.remove(jid)
    return { isHome: true }
  })
  membership.whenLeaseLost(before => {
    const accounts = new Map([...core.accounts.atHome()].map(account => [account.jid.toString(), account]))
    const rooms = new Set(core.rooms.atHome())
    homes.reclaim([...accounts.keys(), ...rooms], before, (key, isOurs) => {
      const account = accounts.get(key)
      if (rooms.has(key)) core.rooms.reclaimed(key, before, isOurs).catch(() => {}) // Redis is away again
      else if (!isOurs) core.accounts.drop(key)
      else if (account && account.sessions.length > 0) records.renamed(account, before)
    })
  })
  const failover = new Failover(cluster, core, log, options.patienceMs ?? PATIENCE_MS)
  const timer = setInterval(() => { inBackground(log, 'looking for what dead nodes have left', failover.look()) }, options.lookMs ?? LOOK_MS)
  // By then who lives has claimed what is his, also where Redis has come back empty.
  const once = setTimeout(() => {
    core.rooms.endAbandoned().catch(error => {
      log.warn({ event: 'muc.ended_rooms_not_removed', err: error }, 'muc: ended rooms not removed')
    })
  }, options.patienceMs ?? PATIENCE_MS)
  return () => {
    clearInterval(timer)
    clearTimeout(once)
  }
}

/** Answers who has forwarded a stanza: whether it has been taken. */
export function taken (isHome: boolean): Asks['stanza']['answer'] {
  return isHome ? {} : { isElsewhere: true }
}

/** Hands a stanza to many; tells who of them is not at home here, by their places. */
async function takeCopies (
  core: Core, log: Logger, to: readonly string[], stanza: Stanza,
): Promise<{ readonly moved: readonly number[] }> {
  const moved: number[] = []
  const waiting: Promise<void>[] = []
  for (const [place, address] of to.entries()) {
    const failed = (error: unknown): void => {
      log.error({ event: 'multicast.delivery_failed', err: error, stanza: stanza.summary() }, 'multicast: delivery failed')
    }
    try {
      const jid = Jid.parse(address)
      const isHome = core.router.routeHere(stanza.copyFor(jid))
      if (isHome === false) moved.push(place)
      else if (isHome instanceof Promise) waiting.push(isHome.then(is => { if (!is) moved.push(place) }).catch(failed))
    } catch (error) { // a mistake of ours costs that copy
      failed(error)
    }
  }
  await Promise.all(waiting)
  return { moved }
}

/**
 * What nodes that are gone have left: rooms with who is in them, and sessions whose clients have not come back, and
 * whose contacts must hear of it.
 */
class Failover {
  readonly #cluster: Pick<Cluster, 'membership' | 'records' | 'roomRecords'>
  readonly #core: Core
  readonly #log: Logger
  readonly #patienceMs: number
  /** Since when a node is known to be gone. */
  readonly #goneSince = new Map<NodeId, number>()
  #isLooking = false

  constructor (cluster: Pick<Cluster, 'membership' | 'records' | 'roomRecords'>, core: Core, log: Logger, patienceMs: number) {
    this.#cluster = cluster
    this.#core = core
    this.#log = log
    this.#patienceMs = patienceMs
  }

  async look (): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    try {
      const { membership, records } = this.#cluster
      const gone = (await records.owners()).filter(node => !membership.isAlive(node))
      for (const node of this.#goneSince.keys()) if (!gone.includes(node)) this.#goneSince.delete(node)
      for (const node of gone) await this.#takeOver(node)
    } catch (error) { // Redis is away: the next time
      this.#log.debug({ event: 'failover.scan_failed', err: error }, 'failover: scan for orphaned state failed')
    }
    this.#isLooking = false
  }

  async #takeOver (node: NodeId): Promise<void> {
    const now = performance.now()
    const since = this.#goneSince.get(node) ?? now
    this.#goneSince.set(node, since)
    const hasRooms = await this.#takeOverRooms(node)
    if (now - since < this.#patienceMs) return
    const { membership, records } = this.#cluster
    const left = await records.accountsOf(node)
    if (left.length === 0 && !hasRooms) return records.expireNode(node)
    const isStale = now - since >= STALE_AFTER * this.#patienceMs
    const ours = left.filter(account => placeOf(account, membership.nodes) === membership.id)
    for (let at = 0; at < ours.length; at += AT_ONCE) {
      await Promise.all(ours.slice(at, at + AT_ONCE).map(account => this.#attempt(node, account, async () => {
        // Whoever is home of it then has taken up what that node has left, or had no use for it.
        await this.#core.accounts.locate(Jid.parse(account))
        if (isStale) await records.discard(node, account)
      })))
      await sleep(0)
    }
    if (ours.length === 0) return
    this.#log.info({ event: 'failover.sessions_taken_over', node, accounts: ours.length }, 'failover: took over sessions')
  }

  /**
   * Nobody need come for a room: its occupants may wait for each other. True where some are left, for this node or
   * others.
   */
  async #takeOverRooms (node: NodeId): Promise<boolean> {
    const { membership, roomRecords } = this.#cluster
    const left = await roomRecords.roomsOf(node)
    const ours = left.filter(room => placeOf(room, membership.nodes) === membership.id)
    for (let at = 0; at < ours.length; at += AT_ONCE) {
      await Promise.all(ours.slice(at, at + AT_ONCE).map(room => this.#attempt(node, room, async () => {
        await this.#core.rooms.takeOver(Jid.parse(room))
        await roomRecords.discard(node, room)
      })))
    }
    return left.length > 0
  }

  /** What can't be taken over now, since the database is away for instance, holds up nothing else until the next time. */
  async #attempt (node: NodeId, jid: string, takeOver: () => Promise<void>): Promise<void> {
    try {
      await takeOver()
    } catch (error) { // Redis's or the database's
      this.#log.debug({ event: 'failover.takeover_failed', err: error, node, jid }, 'failover: takeover failed')
    }
  }
}
