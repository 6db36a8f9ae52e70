/**
 * The core as one node of many: takes what other nodes forward, gives up what others have become home to while it was
 * away, and becomes home to what dead nodes have left behind.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeId } from './cluster/bus.ts'
import type { Cluster } from './cluster/cluster.ts'
import { placeOf } from './cluster/placement.ts'
import { forwardedStanza } from './cluster/redis-homes.ts'
import type { Core } from './core.ts'
import type { Logger } from './log.ts'
import { Jid } from './xmpp/jid.ts'

/** How often a node looks for what dead ones have left, and how long it leaves that to those who come for it. */
const LOOK_MS = 5_000
const PATIENCE_MS = 10_000
/** What is there after so many times that patience is left of accounts that have been at home elsewhere since. */
const STALE_AFTER = 6
/** Accounts that are taken over at the same time. */
const AT_ONCE = 50

export interface LegacyOptions {
  readonly lookMs?: number
  readonly patienceMs?: number
}

/** Lets the core be reached by the other nodes; what is returned ends that. */
export function serveCluster (cluster: Cluster, core: Core, log: Logger, options: LegacyOptions = {}): () => void {
  const { bus, membership, homes, records } = cluster
  bus.answer('stanza', async (_from, { identity }, body) =>
    ({ isHome: await core.incoming.receiveHere(forwardedStanza(body, identity)) }))
  bus.answer('account.remove', async (_from, { account }) => {
    const jid = Jid.parse(account)
    const located = await core.accounts.locate(jid)
    if (located && 'node' in located) return { isHome: false }
    await core.commands.remove(jid)
    return { isHome: true }
  })
  membership.whenLapsed(before => {
    const accounts = new Map([...core.accounts.atHome()].map(account => [account.jid.toString(), account]))
    homes.reclaim([...accounts.keys()], before, (key, isOurs) => {
      const account = accounts.get(key)
      if (!isOurs) core.accounts.drop(key)
      else if (account && account.sessions.length > 0) records.renamed(account, before)
    })
  })
  const legacies = new Legacies(cluster, core, log, options.patienceMs ?? PATIENCE_MS)
  const timer = setInterval(() => { void legacies.look() }, options.lookMs ?? LOOK_MS)
  return () => { clearInterval(timer) }
}

/** What nodes that are gone have left: sessions whose clients have not come back, and whose contacts must hear of it. */
class Legacies {
  readonly #cluster: Pick<Cluster, 'membership' | 'records'>
  readonly #core: Core
  readonly #log: Logger
  readonly #patienceMs: number
  /** Since when a node is known to be gone. */
  readonly #goneSince = new Map<NodeId, number>()
  #isLooking = false

  constructor (cluster: Pick<Cluster, 'membership' | 'records'>, core: Core, log: Logger, patienceMs: number) {
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
      this.#log.debug({ err: error }, 'what dead nodes have left could not be looked for')
    }
    this.#isLooking = false
  }

  async #takeOver (node: NodeId): Promise<void> {
    const now = performance.now()
    const since = this.#goneSince.get(node) ?? now
    this.#goneSince.set(node, since)
    if (now - since < this.#patienceMs) return
    const { membership, records } = this.#cluster
    const left = await records.accountsOf(node)
    if (left.length === 0) return records.bury(node)
    const isStale = now - since >= STALE_AFTER * this.#patienceMs
    const ours = left.filter(account => placeOf(account, membership.nodes) === membership.id)
    for (let at = 0; at < ours.length; at += AT_ONCE) {
      await Promise.all(ours.slice(at, at + AT_ONCE).map(account => this.#bringHome(node, account, isStale)))
      await sleep(0)
    }
    if (ours.length > 0) this.#log.info({ node, accounts: ours.length }, 'the sessions of a node that is gone were taken over')
  }

  /** Whoever is home of it then has taken up what that node has left, or had no use for it. */
  async #bringHome (node: NodeId, account: string, isStale: boolean): Promise<void> {
    try {
      await this.#core.accounts.locate(Jid.parse(account))
      if (isStale) await this.#cluster.records.discard(node, account)
    } catch (error) { // Redis or the database is away: the next time
      this.#log.debug({ err: error, node, account }, 'what a dead node has left could not be taken over')
    }
  }
}
