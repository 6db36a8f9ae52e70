/**
 * Batches packets per peer: everything queued for a node during one turn of the event loop becomes one entry of its
 * mailbox. Only one unconfirmed entry is in flight; later packets accumulate in the next, so batches grow under load.
 * Entries are kept until Redis confirms them and sent again after an outage; their numbers show the receiver repeats
 * and gaps.
 */
import type { Logger } from '../../log.ts'
import type { Flushable, WriteBarrier } from '../../net/write-barrier.ts'
import { mailboxOf } from '../membership/heartbeat.ts'
import type { NodeId } from './bus.ts'
import { PacketWriter } from './packets.ts'
import { isRefusal } from '../redis.ts'
import type { RedisConnections } from '../redis.ts'

const ENTRY_BYTES = 1_048_576

/** Who waits until Redis has the entry of that number. */
interface Waiter { readonly counter: number, readonly resolve: () => void }

/** The packets for one node. */
interface PeerQueue {
  readonly node: NodeId
  readonly mailbox: string
  readonly packets: PacketWriter
  /** Entries by their numbers, in order. */
  readonly unconfirmed: Map<number, Buffer>
  /** In the order of their numbers. */
  readonly waiters: Waiter[]
  /** The number of the last entry, and of the last one that was sent. */
  counter: number
  sent: number
  isFlushed: boolean
}

export interface OutboxEvents {
  /** Packets for that node since its last confirmation may be lost. */
  discarded (node: NodeId): void
  /** That node has left the cluster. */
  gone (node: NodeId): void
}

export interface OutboxParts {
  readonly redis: RedisConnections
  readonly barrier: WriteBarrier
  readonly log: Logger
}

export class Outbox implements Flushable {
  readonly #redis: RedisConnections
  readonly #barrier: WriteBarrier
  readonly #log: Logger
  readonly #events: OutboxEvents
  readonly #maxBytes: number
  readonly #queues = new Map<NodeId, PeerQueue>()
  #from: NodeId
  #unflushed: PeerQueue[] = []
  #queuedBytes = 0
  #isUp = true

  /** `maxBytes` bounds the bytes that wait for Redis; senders that can't handle a refusal may use twice as much. */
  constructor (from: NodeId, { redis, barrier, log }: OutboxParts, maxBytes: number, events: OutboxEvents) {
    this.#from = from
    this.#redis = redis
    this.#barrier = barrier
    this.#log = log
    this.#maxBytes = maxBytes
    this.#events = events
    redis.journal.on('close', () => {
      this.#isUp = false
      for (const queue of this.#queues.values()) release(queue, Infinity)
    })
    redis.journal.on('ready', () => { this.#sendAgain() })
  }

  /** Redis has been away or slow for so long that optional requests should be refused. */
  get isFull (): boolean {
    return this.#queuedBytes > this.#maxBytes
  }

  get queuedBytes (): number {
    return this.#queuedBytes
  }

  /**
   * Sent at the end of this turn, behind its state: an answer says that what it answers will outlive this node. Or once
   * the entry before is confirmed; in the order of `put`.
   */
  put (node: NodeId, type: number, kind: string, id: number, header: string, body: Buffer | undefined): void {
    const queue = this.#queues.get(node) ?? this.#add(node)
    if (queue.isFlushed) {
      queue.isFlushed = false
      if (this.#unflushed.push(queue) === 1) this.#barrier.afterPersisted(this)
    }
    const before = queue.packets.length
    queue.packets.add(type, kind, id, header, body)
    this.#queuedBytes += queue.packets.length - before
    if (queue.packets.length >= ENTRY_BYTES) this.#seal(queue)
    if (this.#queuedBytes > 2 * this.#maxBytes) this.#discardQueue(queue, `${this.#queuedBytes} bytes wait for Redis`)
  }

  /** Sends the packets of this turn. */
  flush (): void {
    const queues = this.#unflushed
    this.#unflushed = []
    for (const queue of queues) {
      queue.isFlushed = true
      if (queue.unconfirmed.size === 0) this.#sealPending(queue)
      this.#sendSealed(queue)
    }
  }

  #sealPending (queue: PeerQueue): void {
    if (queue.packets.length > 0) this.#seal(queue)
  }

  #sendSealed (queue: PeerQueue): void {
    if (!this.#isUp) return
    for (const [counter, entry] of queue.unconfirmed) if (counter > queue.sent) this.#send(queue, counter, entry)
    queue.sent = queue.counter
  }

  /** Resolves when Redis has everything that was put, or is gone. */
  async drain (): Promise<void> {
    for (const queue of this.#queues.values()) {
      this.#sealPending(queue)
      this.#sendSealed(queue)
    }
    // Redis answers a connection in order.
    await this.#redis.journal.ping().catch(() => {}) // it is gone
  }

  /** Resolves when Redis has all packets that were put so far; at once, or then, where it can't be reached. */
  async persisted (): Promise<void> {
    if (!this.#isUp) return
    await Promise.all(Array.from(this.#queues.values(), async queue => {
      const { packets, unconfirmed, waiters, counter } = queue
      if (packets.length === 0 && unconfirmed.size === 0) return
      await new Promise<void>(resolve => {
        waiters.push({ counter: packets.length > 0 ? counter + 1 : counter, resolve })
      })
    }))
  }

  forget (node: NodeId): void {
    const queue = this.#queues.get(node)
    if (queue) this.#empty(queue)
    this.#queues.delete(node)
  }

  /** After a rejoin: another id, and no packets in flight. */
  restart (from: NodeId): void {
    for (const node of this.#queues.keys()) this.forget(node)
    this.#from = from
  }

  /** Nodes with a queue. */
  nodes (): Iterable<NodeId> {
    return this.#queues.keys()
  }

  #add (node: NodeId): PeerQueue {
    const queue: PeerQueue = {
      node, mailbox: mailboxOf(node), packets: new PacketWriter(), unconfirmed: new Map(), waiters: [], counter: 0,
      sent: 0, isFlushed: true,
    }
    this.#queues.set(node, queue)
    return queue
  }

  #seal (queue: PeerQueue): void {
    const size = queue.packets.length
    const entry = queue.packets.take(this.#from, ++queue.counter)
    this.#queuedBytes += entry.length - size
    queue.unconfirmed.set(queue.counter, entry)
  }

  #send (queue: PeerQueue, counter: number, entry: Buffer): void {
    this.#redis.journal.xadd(queue.mailbox, 'NOMKSTREAM', '*', 'd', entry).then(
      id => { this.#confirm(queue, counter, id) },
      (error: unknown) => { this.#refuse(queue, error) },
    )
  }

  #confirm (queue: PeerQueue, counter: number, id: string | null): void {
    const entry = queue.unconfirmed.get(counter)
    if (!entry) return
    queue.unconfirmed.delete(counter)
    release(queue, counter)
    this.#queuedBytes -= entry.length
    if (id === null) this.#events.gone(queue.node)
    else if (queue.isFlushed && queue.unconfirmed.size === 0) {
      this.#sealPending(queue)
      this.#sendSealed(queue)
    }
  }

  // After a connection error the entries wait for the next connection.
  #refuse (queue: PeerQueue, error: unknown): void {
    if (!isRefusal(error) || error.message.startsWith('READONLY')) return
    if (this.#queues.get(queue.node) === queue && queue.unconfirmed.size > 0) this.#discardQueue(queue, error.message)
  }

  // Skips a number, so that the receiver notices the gap.
  #discardQueue (queue: PeerQueue, reason: string): void {
    this.#log.error({ event: 'bus.queue_dropped', node: queue.node, reason }, 'bus: dropped the queue for a node')
    this.#empty(queue)
    queue.counter++
    this.#events.discarded(queue.node)
  }

  #empty (queue: PeerQueue): void {
    this.#queuedBytes -= queue.packets.length
    queue.packets.drop()
    for (const entry of queue.unconfirmed.values()) this.#queuedBytes -= entry.length
    queue.unconfirmed.clear()
    release(queue, Infinity)
  }

  #sendAgain (): void {
    this.#isUp = true
    for (const queue of this.#queues.values()) {
      for (const [counter, entry] of queue.unconfirmed) if (counter <= queue.sent) this.#send(queue, counter, entry)
      if (!queue.isFlushed) continue // the rest belongs to this turn
      // An empty entry if there is none to repeat: should Redis have lost earlier ones, the receiver notices it now.
      if (queue.unconfirmed.size === 0) this.#seal(queue)
      this.#sendSealed(queue)
    }
  }
}

/** Those that wait for entries up to that number wait no longer. */
function release ({ waiters }: PeerQueue, counter: number): void {
  const later = waiters.findIndex(waiter => waiter.counter > counter)
  for (const { resolve } of waiters.splice(0, later === -1 ? waiters.length : later)) resolve()
}
