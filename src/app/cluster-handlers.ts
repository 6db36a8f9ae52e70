/**
 * The core as a node of a cluster: handles stanzas that other nodes forward, hands on answers to their requests,
 * reclaims its accounts and rooms after a lost lease, and takes over the orphaned state of dead nodes.
 */
import type { NodeId, Steps } from '../cluster/bus/bus.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Asks } from '../cluster/bus/protocol.ts'
import { forwardedStanza } from '../cluster/ownership/redis-homes.ts'
import type { Core } from './core.ts'
import { Failover } from './failover.ts'
import type { Logger } from '../log.ts'
import type { RemoteDomains } from '../s2s/queue/remote-domains.ts'
import { inBackground } from '../util/background.ts'
import { Jid } from '../xmpp/jid.ts'
import { storedStanza } from '../xmpp/read-stanza.ts'
import type { Iq, Stanza } from '../xmpp/stanza.ts'

/** The interval of the scans for orphaned state. */
const SCAN_MS = 5_000
/** The time for clients to resume at any node, before the remaining accounts of a dead node are taken over. */
const FAILOVER_GRACE_MS = 10_000

export interface ClusterOptions {
  readonly scanMs?: number
  readonly graceMs?: number
  /** Undefined where no other server is talked to. */
  readonly remotes?: Pick<RemoteDomains, 'atHome' | 'reclaimed'> | undefined
}

/** Serves the other nodes; the returned function stops the timers. */
export function serveCluster (
  cluster: Cluster, core: Core, log: Logger,
  { scanMs = SCAN_MS, graceMs = FAILOVER_GRACE_MS, remotes }: ClusterOptions = {},
): () => void {
  const { bus, membership } = cluster
  bus.answer('stanza', (from, header, body) => {
    const isHome = core.router.routeHere(forwardedStanza(body, header), from)
    return isHome instanceof Promise ? isHome.then(taken) : taken(isHome)
  })
  bus.answer('multicast', (from, header, body) =>
    takeCopies(core.router, log, from, header.to, forwardedStanza(body, header)))
  bus.answer('account.remove', async (_from, { account }) => {
    const jid = Jid.parse(account)
    const located = await core.accounts.locate(jid)
    if (located && 'node' in located) return { isHome: false }
    await core.commands.remove(jid)
    return { isHome: true }
  })
  passAnswersOn(cluster, core, log)
  membership.whenLeaseLost(before => { reclaim(cluster, core, log, remotes, before) })
  const failover = new Failover(cluster, core, log, graceMs)
  const timer = setInterval(() => { inBackground(log, 'scanning for orphaned state', failover.scan()) }, scanMs)
  // By then every member has claimed its rooms, also where Redis has lost its data.
  const once = setTimeout(() => {
    core.rooms.endAbandoned().catch(error => {
      log.warn({ event: 'muc.ended_rooms_not_removed', err: error }, 'muc: ended rooms not removed')
    })
  }, graceMs)
  return () => {
    clearInterval(timer)
    clearTimeout(once)
  }
}

/** Answers to requests of the server arrive at any node. */
function passAnswersOn ({ homes }: Cluster, core: Core, log: Logger): void {
  const { requests } = core.router
  const others = core.part('requests').cluster
  others?.answer<readonly []>((_node, _told, body) => {
    requests.take(storedStanza(body) as Iq) // as it was told
    return ''
  })
  requests.node = others && {
    get id () { return homes.incarnation },
    tell (node, answer) {
      if (!others.nodes.includes(node)) return false // others choose what answers are called
      inBackground(log, 'answer for another node', others.ask(node, [], answer.toBytes()))
      return true
    },
  }
}

/** After a lost lease: keeps under the new incarnation what no other node owns, and drops the rest. */
function reclaim (
  { homes, records }: Cluster, core: Core, log: Logger, remotes: ClusterOptions['remotes'], before: NodeId,
): void {
  const accounts = [...core.accounts.atHome()].map(({ jid }) => jid.toString())
  const rooms = new Set(core.rooms.atHome())
  const domains = new Set(remotes?.atHome())
  const services = new Set(core.pubsub.service.atHome())
  homes.reclaim([...accounts, ...rooms, ...domains, ...services], before, (key, isOurs) => {
    if (domains.has(key)) {
      inBackground(log, 'keeping the queue of another server', remotes?.reclaimed(key, isOurs))
      return
    }
    if (services.has(key)) return core.pubsub.service.reclaimed(key, isOurs)
    const account = core.accounts.peek(Jid.kept(key))
    if (rooms.has(key)) core.rooms.reclaimed(key, before, isOurs).catch(() => {}) // Redis is away again
    else if (!isOurs) core.accounts.drop(key)
    else if (account && account.sessions.length > 0) records.renamed(account, before)
  })
}

/** The answer to a node that has forwarded a stanza. */
export function taken (isHome: boolean): Asks['stanza']['answer'] {
  return isHome ? {} : { isElsewhere: true }
}

/** Routes a stanza to many recipients, one a step; resolves with the indices of those that this node does not own. */
export function * takeCopies (
  router: Pick<Core['router'], 'routeHere'>, log: Logger, from: NodeId, to: readonly string[], stanza: Stanza,
): Steps<Asks['multicast']['answer']> {
  const moved: number[] = []
  const waiting: Promise<void>[] = []
  const failed = (err: unknown): void => {
    log.error({ event: 'multicast.delivery_failed', err, stanza: stanza.summary() }, 'multicast: delivery failed')
  }
  for (const [place, address] of to.entries()) {
    try {
      const jid = Jid.parse(address)
      const isHome = router.routeHere(stanza.copyFor(jid), from)
      if (isHome === false) moved.push(place)
      else if (isHome instanceof Promise) waiting.push(isHome.then(is => { if (!is) moved.push(place) }).catch(failed))
    } catch (error) { // a bug: it costs this copy only
      failed(error)
    }
    yield
  }
  return Promise.all(waiting).then(() => ({ moved }))
}
