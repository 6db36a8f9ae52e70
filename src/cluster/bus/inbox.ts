/**
 * Reads this node's mailbox in Redis, in order, a slice in each turn of the event loop. Entries that are sent again
 * after a Redis outage are taken once; a missing entry is reported as a gap.
 */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../../log.ts'
import { inBackground } from '../../util/background.ts'
import { SLICE_MS } from '../../util/slices.ts'
import { mailboxOf } from '../membership/heartbeat.ts'
import type { NodeId } from './bus.ts'
import { readEntry } from './packets.ts'
import type { Entry } from './packets.ts'
import { isRefusal, READ_WAIT_MS } from '../redis.ts'
import type { RedisConnections } from '../redis.ts'

const READ_COUNT = 100
const UNTRIMMED_BYTES = 1_048_576
const AGAIN_MS = 50
const FIRST = '0-0'

export interface InboxEvents {
  /** Resolves when this node is known to own the mailbox still. */
  confirmLease (): Promise<void> | undefined
  /** Takes a few packets a step. */
  take (entry: Entry): Iterable<void>
  /** A packet that was sent before is missing. */
  gap (from: NodeId): void
}

type Read = readonly [id: Buffer, fields: readonly Buffer[]]

export class Inbox {
  readonly #redis: RedisConnections
  readonly #log: Logger
  readonly #events: InboxEvents
  readonly #counters = new Map<NodeId, number>()
  #mailbox: string | undefined
  #last = FIRST
  #trimmed = FIRST
  #untrimmedBytes = 0
  #lagMs = 0
  #isRefused = false

  constructor (redis: RedisConnections, log: Logger, events: InboxEvents) {
    this.#redis = redis
    this.#log = log
    this.#events = events
  }

  /** Reads the mailbox of this node's id from its beginning. */
  open (node: NodeId): void {
    const isReading = this.#mailbox !== undefined
    this.#mailbox = mailboxOf(node)
    this.#counters.clear()
    this.#last = this.#trimmed = FIRST
    if (!isReading) inBackground(this.#log, 'packets of other nodes', this.#read())
  }

  close (): void {
    this.#mailbox = undefined
  }

  forget (node: NodeId): void {
    this.#counters.delete(node)
  }

  /** Nodes that have sent an entry. */
  nodes (): Iterable<NodeId> {
    return this.#counters.keys()
  }

  /** The time that the entry read last had waited, by Redis's clock, which is `aheadMs` ahead of this machine's. */
  lagMs (aheadMs: number): number {
    return Math.max(0, this.#lagMs + aheadMs)
  }

  /** Lets Redis drop the entries that were read. */
  trim (): void {
    if (this.#mailbox === undefined || this.#trimmed === this.#last) return
    this.#trimmed = this.#last
    this.#untrimmedBytes = 0
    // Where Redis is gone, the next call does it.
    this.#redis.commands.xtrim(this.#mailbox, 'MINID', this.#last).catch(() => {})
  }

  async #read (): Promise<void> {
    while (this.#mailbox !== undefined) {
      const mailbox = this.#mailbox
      const entries = await this.#next(mailbox)
      if (entries.length > 0) await this.#takeInSlices(this.#take(entries), mailbox)
    }
  }

  /** A slice of its own in each turn: many clients wait for what comes here. */
  async #takeInSlices (steps: Iterator<void>, mailbox: string): Promise<void> {
    for (;;) {
      // A process that was frozen may have been evicted meanwhile; its mailbox is then void.
      await this.#events.confirmLease()
      if (this.#mailbox !== mailbox) return
      const until = performance.now() + SLICE_MS
      while (performance.now() < until) if (steps.next().done) return
      await nextTurn()
    }
  }

  async #next (mailbox: string): Promise<readonly Read[]> {
    const { reader } = this.#redis
    try {
      const read = await reader.xreadBuffer('COUNT', READ_COUNT, 'BLOCK', READ_WAIT_MS, 'STREAMS', mailbox, this.#last)
      this.#isRefused = false
      return read?.[0]?.[1] ?? []
    } catch (error) { // Redis is gone, or refuses
      if (isRefusal(error) && !this.#isRefused) {
        this.#isRefused = true
        this.#log.error({ event: 'bus.read_refused', err: error }, 'bus: Redis refuses reads of the mailbox')
      }
      // A connection that is about to end still counts as ready.
      if (reader.status === 'ready') await delay(AGAIN_MS)
      else await new Promise<void>(resolve => { reader.once('ready', resolve) })
      return []
    }
  }

  * #take (entries: readonly Read[]): Iterator<void> {
    for (const [id, fields] of entries) {
      this.#last = id.toString('latin1')
      const bytes = fields[1]
      if (!bytes || bytes.length === 0) continue // it came with the mailbox
      this.#lagMs = Date.now() - Number.parseInt(this.#last, 10)
      this.#untrimmedBytes += bytes.length
      try {
        yield * this.#takeOnce(readEntry(bytes))
      } catch (error) { // a bug, here or there, costs that entry
        this.#log.error({ event: 'bus.entry_failed', err: error }, 'bus: mailbox entry failed')
      }
    }
    if (this.#untrimmedBytes > UNTRIMMED_BYTES) this.trim()
  }

  * #takeOnce (entry: Entry): Iterable<void> {
    const { from, counter } = entry
    const before = this.#counters.get(from) ?? 0
    if (counter <= before) return
    this.#counters.set(from, counter)
    if (counter > before + 1) this.#events.gap(from)
    yield * this.#events.take(entry)
  }
}
