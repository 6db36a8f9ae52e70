/**
 * What a node tells the others: all that one turn tells one node is one entry of its mailbox; while Redis has one to
 * confirm, what comes is for the next: the more there is to tell, the more an entry holds. An entry is kept until it is
 * confirmed, and sent again after Redis was away; its number tells the other node what is a repeat, and what is missing.
 */
import type { Logger } from '../../log.ts'
import { mailboxOf } from '../membership/heartbeat.ts'
import type { NodeId } from './bus.ts'
import { PacketWriter } from './packets.ts'
import { isRefusal } from '../redis.ts'
import type { RedisConnections } from '../redis.ts'

const ENTRY_BYTES = 1_048_576

/** What is for one node. */
interface Pile {
  readonly node: NodeId
  readonly mailbox: string
  readonly packets: PacketWriter
  /** Entries by their numbers, in order. */
  readonly unconfirmed: Map<number, Buffer>
  /** The number of the last entry. */
  counter: number
  isFlushed: boolean
}

export interface OutboxEvents {
  /** Nothing that was put for that node since it was last confirmed can be known to arrive. */
  cut (node: NodeId): void
  /** That node is no member any more. */
  gone (node: NodeId): void
}

export class Outbox {
  readonly #redis: RedisConnections
  readonly #log: Logger
  readonly #events: OutboxEvents
  readonly #maxBytes: number
  readonly #piles = new Map<NodeId, Pile>()
  readonly #flush = (): void => { this.flush() }
  #from: NodeId
  #unflushed: Pile[] = []
  #queuedBytes = 0
  #isUp = true

  /** Of what waits for Redis there may be `maxBytes`; who has no use for an error may put twice as much. */
  constructor (from: NodeId, redis: RedisConnections, log: Logger, maxBytes: number, events: OutboxEvents) {
    this.#from = from
    this.#redis = redis
    this.#log = log
    this.#maxBytes = maxBytes
    this.#events = events
    redis.journal.on('close', () => { this.#isUp = false })
    redis.journal.on('ready', () => { this.#sendAgain() })
  }

  /** Redis has been away or slow for so long that nothing should be added that may as well be refused. */
  get isFull (): boolean {
    return this.#queuedBytes > this.#maxBytes
  }

  get queuedBytes (): number {
    return this.#queuedBytes
  }

  /** Leaves at the end of this turn, or when what left before is confirmed, after everything put before. */
  put (node: NodeId, type: number, kind: string, id: number, header: string, body: Buffer | undefined): void {
    const pile = this.#piles.get(node) ?? this.#add(node)
    if (pile.isFlushed) {
      pile.isFlushed = false
      if (this.#unflushed.push(pile) === 1) setImmediate(this.#flush)
    }
    const before = pile.packets.length
    pile.packets.add(type, kind, id, header, body)
    this.#queuedBytes += pile.packets.length - before
    if (pile.packets.length >= ENTRY_BYTES) this.#seal(pile)
    if (this.#queuedBytes > 2 * this.#maxBytes) this.#cut(pile, `${this.#queuedBytes} bytes wait for Redis`)
  }

  /** Sends what this turn has put. */
  flush (): void {
    const piles = this.#unflushed
    this.#unflushed = []
    for (const pile of piles) {
      pile.isFlushed = true
      if (pile.unconfirmed.size === 0) this.#sealWhatIsThere(pile)
    }
  }

  #sealWhatIsThere (pile: Pile): void {
    if (pile.packets.length > 0) this.#seal(pile)
  }

  /** Resolves when all that was put has reached Redis, or Redis is gone. */
  async drain (): Promise<void> {
    for (const pile of this.#piles.values()) this.#sealWhatIsThere(pile)
    // Redis answers a connection in order.
    await this.#redis.journal.ping().catch(() => {}) // it is gone
  }

  forget (node: NodeId): void {
    const pile = this.#piles.get(node)
    if (pile) this.#empty(pile)
    this.#piles.delete(node)
  }

  /** This node is another now, and has told nobody anything. */
  restart (from: NodeId): void {
    for (const node of this.#piles.keys()) this.forget(node)
    this.#from = from
  }

  /** Whom anything was put for. */
  nodes (): Iterable<NodeId> {
    return this.#piles.keys()
  }

  #add (node: NodeId): Pile {
    const pile: Pile = {
      node, mailbox: mailboxOf(node), packets: new PacketWriter(), unconfirmed: new Map(), counter: 0, isFlushed: true,
    }
    this.#piles.set(node, pile)
    return pile
  }

  #seal (pile: Pile): void {
    const size = pile.packets.length
    const entry = pile.packets.take(this.#from, ++pile.counter)
    this.#queuedBytes += entry.length - size
    pile.unconfirmed.set(pile.counter, entry)
    if (this.#isUp) this.#send(pile, pile.counter, entry)
  }

  #send (pile: Pile, counter: number, entry: Buffer): void {
    this.#redis.journal.xadd(pile.mailbox, 'NOMKSTREAM', '*', 'd', entry).then(
      id => { this.#confirm(pile, counter, id) },
      (error: unknown) => { this.#refuse(pile, error) },
    )
  }

  #confirm (pile: Pile, counter: number, id: string | null): void {
    const entry = pile.unconfirmed.get(counter)
    if (!entry) return
    pile.unconfirmed.delete(counter)
    this.#queuedBytes -= entry.length
    if (id === null) this.#events.gone(pile.node)
    else if (pile.isFlushed && pile.unconfirmed.size === 0) this.#sealWhatIsThere(pile)
  }

  // When the connection broke the entries wait for the next one.
  #refuse (pile: Pile, error: unknown): void {
    if (!isRefusal(error) || error.message.startsWith('READONLY')) return
    if (this.#piles.get(pile.node) === pile && pile.unconfirmed.size > 0) this.#cut(pile, error.message)
  }

  // A number is left out, so that the other node learns of it too.
  #cut (pile: Pile, reason: string): void {
    this.#log.error(`what was for node ${pile.node} is thrown away: ${reason}`)
    this.#empty(pile)
    pile.counter++
    this.#events.cut(pile.node)
  }

  #empty (pile: Pile): void {
    this.#queuedBytes -= pile.packets.length
    pile.packets.drop()
    for (const entry of pile.unconfirmed.values()) this.#queuedBytes -= entry.length
    pile.unconfirmed.clear()
  }

  #sendAgain (): void {
    this.#isUp = true
    for (const pile of this.#piles.values()) {
      // With nothing to send again, an empty entry: if Redis has lost the ones before, the other node learns it now.
      if (pile.unconfirmed.size === 0) this.#seal(pile)
      else for (const [counter, entry] of pile.unconfirmed) this.#send(pile, counter, entry)
    }
  }
}
