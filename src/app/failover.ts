/** Takes over what dead nodes have left: rooms at once, accounts when their clients had time to resume elsewhere. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodeId } from '../cluster/bus/bus.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { placeOf } from '../cluster/membership/rendezvous.ts'
import type { Logger } from '../log.ts'
import { Jid } from '../xmpp/jid.ts'
import type { Core } from './core.ts'

/** After this many grace periods remaining records are stale: their accounts have another owner. */
const STALE_AFTER = 6
/** Accounts or rooms taken over concurrently. */
const AT_ONCE = 50
/** A takeover that fails is tried again after pauses that double up to the longest, and is warned of in between. */
const MAX_PAUSE_MS = 3_600_000
const TRIES_TO_WARN = 5
const MAX_TRIES = 20

/** A node that is gone and has left state. */
interface Orphan {
  /** When this node first saw it gone, in milliseconds of the monotonic clock. */
  readonly since: number
  /** Accounts and rooms that could not be taken over. */
  readonly failures: Map<string, { readonly tries: number, readonly nextAt: number }>
}

/**
 * Takes over the orphaned state of nodes that are no longer members: rooms with their occupants, and sessions whose
 * clients have not resumed, so that they end and their contacts see them go offline.
 */
export class Failover {
  readonly #cluster: Pick<Cluster, 'membership' | 'records' | 'roomRecords'>
  readonly #core: Core
  readonly #log: Logger
  readonly #graceMs: number
  readonly #orphans = new Map<NodeId, Orphan>()
  #isScanning = false

  constructor (
    cluster: Pick<Cluster, 'membership' | 'records' | 'roomRecords'>, core: Core, log: Logger, graceMs: number,
  ) {
    this.#cluster = cluster
    this.#core = core
    this.#log = log
    this.#graceMs = graceMs
  }

  async scan (): Promise<void> {
    if (this.#isScanning) return
    this.#isScanning = true
    try {
      const { membership, records } = this.#cluster
      const gone = (await records.owners()).filter(node => !membership.isAlive(node))
      for (const node of this.#orphans.keys()) if (!gone.includes(node)) this.#orphans.delete(node)
      for (const node of gone) await this.#takeOver(node)
    } catch (error) { // Redis can't be reached: the next scan tries again
      this.#log.debug({ event: 'failover.scan_failed', err: error }, 'failover: scan for orphaned state failed')
    }
    this.#isScanning = false
  }

  async #takeOver (node: NodeId): Promise<void> {
    const now = performance.now()
    const orphan = this.#orphans.get(node) ?? { since: now, failures: new Map() }
    this.#orphans.set(node, orphan)
    const { since } = orphan
    const hasRooms = await this.#takeOverRooms(node, orphan)
    if (now - since < this.#graceMs) return
    const { membership, records } = this.#cluster
    const left = await records.accountsOf(node)
    if (!hasRooms && left.every(account => isGivenUp(orphan, account))) return this.#expire(node)
    const isStale = now - since >= STALE_AFTER * this.#graceMs
    const ours = left.filter(account => placeOf(account, membership.nodes) === membership.id)
    for (let at = 0; at < ours.length; at += AT_ONCE) {
      await Promise.all(ours.slice(at, at + AT_ONCE).map(account => this.#attempt(node, orphan, account, async () => {
        // Ensures that the account has an owner, which restores the dead node's record of it.
        await this.#core.accounts.locate(Jid.parse(account))
        if (isStale) await records.discard(node, account)
      })))
      await sleep(0)
    }
    const accounts = ours.length
    if (accounts === 0) return
    this.#log.info({ event: 'failover.sessions_taken_over', node, accounts }, 'failover: took over sessions')
  }

  /**
   * Takes over rooms at once: their occupants may all be connected to other nodes, and send nothing. True if the node
   * has left any room that is still to be taken over, by this node or another.
   */
  async #takeOverRooms (node: NodeId, orphan: Orphan): Promise<boolean> {
    const { membership, roomRecords } = this.#cluster
    const left = await roomRecords.roomsOf(node)
    const ours = left.filter(room => placeOf(room, membership.nodes) === membership.id)
    for (let at = 0; at < ours.length; at += AT_ONCE) {
      await Promise.all(ours.slice(at, at + AT_ONCE).map(room => this.#attempt(node, orphan, room, async () => {
        await this.#core.rooms.takeOver(Jid.parse(room))
        await roomRecords.discard(node, room)
      })))
    }
    return left.some(room => !isGivenUp(orphan, room))
  }

  /** What is left of the node waits for whoever needs it, and is deleted after a while. */
  async #expire (node: NodeId): Promise<void> {
    await this.#cluster.roomRecords.expireNode(node)
    await this.#cluster.records.expireNode(node)
  }

  /** Logs the failure of one takeover, so that it delays no other; one of the next scans tries again. */
  async #attempt (node: NodeId, { failures }: Orphan, jid: string, takeOver: () => Promise<void>): Promise<void> {
    const { tries, nextAt } = failures.get(jid) ?? { tries: 0, nextAt: 0 }
    if (tries >= MAX_TRIES || performance.now() < nextAt) return
    try {
      await takeOver()
      failures.delete(jid)
    } catch (error) { // the database can't be reached, or has or gets something that it should not
      this.#failed(node, failures, jid, tries + 1, error)
    }
  }

  #failed (node: NodeId, failures: Orphan['failures'], jid: string, tries: number, error: unknown): void {
    const pauseMs = Math.min(this.#graceMs * 2 ** (tries - 2), MAX_PAUSE_MS)
    failures.set(jid, { tries, nextAt: performance.now() + pauseMs })
    const level = tries === TRIES_TO_WARN || tries === MAX_TRIES ? 'warn' : 'debug'
    this.#log[level]({ event: 'failover.takeover_failed', err: error, node, jid, tries }, 'failover: takeover failed')
  }
}

function isGivenUp ({ failures }: Orphan, jid: string): boolean {
  return (failures.get(jid)?.tries ?? 0) >= MAX_TRIES
}
