/**
 * The bus over Redis Streams: each node reads its own mailbox and writes those of others (outbox.ts, inbox.ts). This
 * file matches answers to requests, and handles lost packets and nodes.
 */
import type { Logger } from '../../log.ts'
import type { WriteBarrier } from '../../net/write-barrier.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import { NodeGone } from './bus.ts'
import type { Bus, NodeId, Steps } from './bus.ts'
import { Inbox } from './inbox.ts'
import type { Membership } from '../membership/membership.ts'
import { Outbox } from './outbox.ts'
import { ANSWER, ASK, BROKEN, readPackets, REFUSAL, refusalOf, refusedWith, TELL } from './packets.ts'
import type { Entry, PacketVisitor, Refusal } from './packets.ts'
import type { Asks, Tells } from './protocol.ts'
import type { RedisConnections } from '../redis.ts'

const PATIENCE_MS = 10_000
/** Requests that are not repeated have no timeout: they settle when the answer arrives or the node is gone. */
const PATIENT: ReadonlySet<keyof Asks> = new Set(['multicast'])
const SWEEP_MS = 1_000
const QUEUE_BYTES = 67_108_864
const MAX_ID = 0xffffffff

export interface RedisBusOptions {
  /** The least time that an answer is waited for. */
  readonly patienceMs?: number
  /** Bytes that may wait for Redis before requests are refused. */
  readonly queueBytes?: number
}

interface Pending {
  readonly node: NodeId
  readonly until: number
  readonly resolve: (answer: never) => void
  readonly reject: (error: Error) => void
}

type Hearer = (from: NodeId, header: never, body: Buffer) => void
type Answerer = (from: NodeId, header: never, body: Buffer) => object | Promise<object> | Steps<object>

export interface RedisBusParts {
  readonly redis: RedisConnections
  readonly membership: Membership
  readonly barrier: WriteBarrier
  readonly log: Logger
}

/** Register handlers first, then open it, after `membership` has joined. */
export class RedisBus implements Bus {
  readonly #membership: Membership
  readonly #log: Logger
  readonly #patienceMs: number
  readonly #outbox: Outbox
  readonly #inbox: Inbox
  readonly #tellHandlers = new Map<string, Hearer>()
  readonly #answerers = new Map<string, Answerer>()
  readonly #broken: ((node: NodeId) => void)[] = []
  /** By request id, oldest first. */
  readonly #pending = new Map<number, Pending>()
  /** Ids that never come back. */
  readonly #gone = new Set<NodeId>()
  readonly #visit: PacketVisitor = (from, type, kind, id, header, body) =>
    this.#packet(from, type, kind, id, header, body)
  #lastId = 0
  #sweeper: NodeJS.Timeout | undefined

  constructor ({ redis, membership, barrier, log }: RedisBusParts, options: RedisBusOptions = {}) {
    this.#membership = membership
    this.#log = log
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS
    this.#outbox = new Outbox(membership.id, { redis, barrier, log }, options.queueBytes ?? QUEUE_BYTES, {
      discarded: node => { this.#break(node) },
      gone: node => { this.#forget(node) },
    })
    this.#inbox = new Inbox(redis, log, {
      confirmLease: () => membership.confirmLease(),
      take: entry => this.#take(entry),
      gap: from => { this.#missed(from) },
    })
    membership.whenGone(node => { this.#forget(node) })
    membership.whenLeaseLost(before => { this.#restart(before) })
  }

  get id (): NodeId {
    return this.#membership.id
  }

  /** Bytes that wait for Redis. */
  get queuedBytes (): number {
    return this.#outbox.queuedBytes
  }

  /** The time that the entry read last had waited in Redis. */
  get lagMs (): number {
    return this.#inbox.lagMs(this.#membership.aheadMs)
  }

  /** Begins to read the mailbox. */
  open (): void {
    this.#inbox.open(this.id)
    this.#sweeper = setInterval(() => { this.#sweep() }, Math.min(SWEEP_MS, this.#patienceMs))
  }

  /** Resolves when Redis has all packets, or is gone; pending requests are rejected, and reading ends. */
  async close (): Promise<void> {
    clearInterval(this.#sweeper)
    this.#inbox.close()
    this.#rejectAll(() => true)
    await this.#outbox.drain()
  }

  tell<K extends keyof Tells> (node: NodeId, kind: K, header: Tells[K], body?: Buffer): void {
    this.#put(node, TELL, kind, 0, header, body)
  }

  ask<K extends keyof Asks> (
    node: NodeId,
    kind: K,
    header: Asks[K]['header'],
    body?: Buffer,
  ): Promise<Asks[K]['answer']> {
    return new Promise((resolve, reject) => {
      if (this.#gone.has(node)) return reject(gone(node))
      const isPatient = PATIENT.has(kind)
      if (this.#outbox.isFull && !isPatient) {
        return reject(new StanzaError('resource-constraint', 'the server is busy: try again later'))
      }
      const id = this.#nextId()
      this.#pending.set(id, {
        node,
        until: isPatient ? Infinity : performance.now() + this.#patienceMs,
        resolve,
        reject,
      })
      this.#put(node, ASK, kind, id, header, body)
    })
  }

  persisted (): Promise<void> {
    return this.#outbox.persisted()
  }

  hear<K extends keyof Tells> (kind: K, handler: (from: NodeId, header: Tells[K], body: Buffer) => void): void {
    this.#tellHandlers.set(kind, handler)
  }

  answer<K extends keyof Asks> (
    kind: K,
    handler: (from: NodeId, header: Asks[K]['header'], body: Buffer) =>
      Asks[K]['answer'] | Promise<Asks[K]['answer']> | Steps<Asks[K]['answer']>,
  ): void {
    this.#answerers.set(kind, handler)
  }

  whenBroken (handler: (node: NodeId) => void): void {
    this.#broken.push(handler)
  }

  #put (node: NodeId, type: number, kind: string, id: number, header: object, body?: Buffer): void {
    if (node === this.id) throw new Error(`a node has nothing to tell itself: ${kind}`)
    if (this.#gone.has(node)) return
    const text = JSON.stringify(header)
    this.#outbox.put(node, type, kind, id, text === '{}' ? '' : text, body)
  }

  #nextId (): number {
    do this.#lastId = this.#lastId === MAX_ID ? 1 : this.#lastId + 1
    while (this.#pending.has(this.#lastId))
    return this.#lastId
  }

  * #take (entry: Entry): Iterable<void> {
    const packets = readPackets(entry, this.#visit)
    // Packets in flight from a node that is gone were reported as lost.
    while (!this.#gone.has(entry.from) && !packets.next().done) yield
  }

  #packet (
    from: NodeId, type: number, kind: string, id: number, header: never, body: Buffer,
  ): Iterable<void> | undefined {
    if (type === TELL) this.#hear(from, kind, header, body)
    else if (type === ASK) return this.#answer(from, kind, id, header, body)
    else if (type === ANSWER) this.#settle(from, id)?.resolve(header)
    else if (type === REFUSAL) this.#settle(from, id)?.reject(refusedWith(header))
    else if (type === BROKEN) this.#break(from)
  }

  #hear (from: NodeId, kind: string, header: never, body: Buffer): void {
    try {
      const handler = this.#tellHandlers.get(kind)
      if (!handler) throw new Error('nothing here knows that kind')
      handler(from, header, body)
    } catch (error) { // a handler's bug costs this packet only
      this.#log.error({ event: 'bus.packet_failed', err: error, from, kind }, 'bus: packet failed')
    }
  }

  #answer (from: NodeId, kind: string, id: number, header: never, body: Buffer): Iterable<void> | undefined {
    try {
      const answerer = this.#answerers.get(kind)
      if (!answerer) throw new StanzaError('feature-not-implemented', `this node does not know ${kind}`)
      const answer = answerer(from, header, body)
      if (Symbol.iterator in answer) return this.#answerInSteps(from, kind, id, answer)
      this.#reply(from, kind, id, answer)
    } catch (error) { // a refusal, or a handler's bug
      this.#refuse(from, kind, id, error)
    }
  }

  * #answerInSteps (from: NodeId, kind: string, id: number, steps: Steps<object>): Iterable<void> {
    try {
      this.#reply(from, kind, id, yield * steps)
    } catch (error) { // as in `#answer`
      this.#refuse(from, kind, id, error)
    }
  }

  #reply (from: NodeId, kind: string, id: number, answer: object | Promise<object>): void {
    if (answer instanceof Promise) {
      answer.then(later => { this.#put(from, ANSWER, '', id, later) })
        .catch((error: unknown) => { this.#refuse(from, kind, id, error) })
    } else this.#put(from, ANSWER, '', id, answer)
  }

  #refuse (from: NodeId, kind: string, id: number, error: unknown): void {
    if (error instanceof StanzaError) return this.#put(from, REFUSAL, '', id, refusalOf(error))
    this.#log.error({ event: 'bus.request_failed', err: error, from, kind }, 'bus: request failed')
    this.#put(from, REFUSAL, '', id, { condition: 'internal-server-error', type: 'wait' } satisfies Refusal)
  }

  #settle (from: NodeId, id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    if (pending?.node !== from) return undefined // too late, or for an earlier incarnation of this node
    this.#pending.delete(id)
    return pending
  }

  #missed (from: NodeId): void {
    if (this.#gone.has(from)) return
    this.#log.warn({ event: 'bus.sequence_gap', from }, 'bus: sequence gap from node')
    this.#put(from, BROKEN, '', 0, {})
    this.#break(from)
  }

  #forget (node: NodeId): void {
    if (this.#gone.has(node)) return
    this.#gone.add(node)
    this.#outbox.forget(node)
    this.#inbox.forget(node)
    this.#break(node)
  }

  #restart (before: NodeId): void {
    const nodes = new Set([...this.#outbox.nodes(), ...this.#inbox.nodes(), ...this.#membership.nodes])
    for (const self of [before, this.id]) nodes.delete(self)
    this.#outbox.restart(this.id)
    this.#inbox.open(this.id)
    for (const node of nodes) this.#break(node)
  }

  #break (node: NodeId): void {
    this.#rejectAll(asked => asked === node)
    for (const handler of this.#broken) {
      try {
        handler(node)
      } catch (error) { // one handler's bug must not affect the others
        this.#log.error({ event: 'bus.node_gone_handler_failed', err: error, node }, 'bus: node-gone handler failed')
      }
    }
  }

  #rejectAll (isMeant: (node: NodeId) => boolean): void {
    for (const [id, { node, reject }] of this.#pending) {
      if (!isMeant(node)) continue
      this.#pending.delete(id)
      reject(gone(node))
    }
  }

  #sweep (): void {
    this.#inbox.trim()
    const now = performance.now()
    for (const [id, { node, until, reject }] of this.#pending) {
      if (until > now) continue
      this.#pending.delete(id)
      reject(new StanzaError('remote-server-timeout', `node ${node} did not answer in time`))
    }
  }
}

function gone (node: NodeId): NodeGone {
  return new NodeGone(`node ${node} is gone, or something that it was told or has said`)
}
