/**
 * The bus between nodes that are all in the test's own process: packets come later, in order, and as they were told.
 */
import { NodeGone } from '../../../src/cluster/bus/bus.ts'
import type { Bus, NodeId } from '../../../src/cluster/bus/bus.ts'
import type { Asks, Tells } from '../../../src/cluster/bus/protocol.ts'

type Hearer = (from: NodeId, header: never, body: Buffer) => void
type Answerer = (from: NodeId, header: never, body: Buffer) => object | Promise<object>

interface Asked {
  readonly node: NodeId
  readonly resolve: (answer: never) => void
  readonly reject: (error: unknown) => void
}

/** What holds the nodes' buses together. */
export class Loopback {
  readonly #buses = new Map<NodeId, LoopbackBus>()

  bus (id: NodeId): LoopbackBus {
    const bus = new LoopbackBus(id, this.#buses)
    this.#buses.set(id, bus)
    return bus
  }

  /** What is under way between them is lost, and both know; what they say from now on arrives. */
  breakBetween (a: NodeId, b: NodeId): void {
    this.#buses.get(a)?.lose(b)
    this.#buses.get(b)?.lose(a)
  }

  /** The node is gone: it hears nothing any more and the others don't hear it. */
  end (id: NodeId): void {
    const gone = this.#buses.get(id)
    this.#buses.delete(id)
    for (const bus of this.#buses.values()) bus.lose(id)
    gone?.cut()
  }
}

export class LoopbackBus implements Bus {
  readonly id: NodeId
  readonly #buses: ReadonlyMap<NodeId, LoopbackBus>
  readonly #hearers = new Map<string, Hearer>()
  readonly #answerers = new Map<string, Answerer>()
  readonly #broken: ((node: NodeId) => void)[] = []
  readonly #asked = new Map<number, Asked>()
  readonly #queues = new Map<NodeId, (() => void)[]>()
  #lastAsked = 0
  #isCut = false
  /** How many packets of each kind this node has told. */
  readonly told = new Map<string, number>()

  constructor (id: NodeId, buses: ReadonlyMap<NodeId, LoopbackBus>) {
    this.id = id
    this.#buses = buses
  }

  async persisted (): Promise<void> {}

  tell<K extends keyof Tells> (node: NodeId, kind: K, header: Tells[K], body?: Buffer): void {
    this.told.set(kind, (this.told.get(kind) ?? 0) + 1)
    const [sent, bytes] = [asSent(header), copyOf(body)]
    this.#send(node, to => { to.#hearers.get(kind)?.(this.id, sent, bytes) })
  }

  ask<K extends keyof Asks> (
    node: NodeId,
    kind: K,
    header: Asks[K]['header'],
    body?: Buffer,
  ): Promise<Asks[K]['answer']> {
    const [sent, bytes] = [asSent(header), copyOf(body)]
    return new Promise((resolve, reject) => {
      if (!this.#buses.has(node)) return reject(new NodeGone(`${node} is gone`))
      const id = ++this.#lastAsked
      this.#asked.set(id, { node, resolve, reject })
      this.#send(node, to => { void to.#answer(this.id, kind, id, sent, bytes) })
    })
  }

  hear<K extends keyof Tells> (kind: K, handler: (from: NodeId, header: Tells[K], body: Buffer) => void): void {
    this.#hearers.set(kind, handler)
  }

  answer<K extends keyof Asks> (
    kind: K,
    handler: (from: NodeId, header: Asks[K]['header'], body: Buffer) => Asks[K]['answer'] | Promise<Asks[K]['answer']>,
  ): void {
    this.#answerers.set(kind, handler)
  }

  whenBroken (handler: (node: NodeId) => void): void {
    this.#broken.push(handler)
  }

  async #answer (from: NodeId, kind: string, id: number, header: never, body: Buffer): Promise<void> {
    try {
      const answerer = this.#answerers.get(kind)
      if (!answerer) throw new Error(`${this.id} does not answer ${kind}`)
      const answer = asSent(await answerer(from, header, body))
      this.#send(from, to => { to.#settle(id)?.resolve(answer) })
    } catch (error) { // the answer too
      this.#send(from, to => { to.#settle(id)?.reject(error) })
    }
  }

  #settle (id: number): Asked | undefined {
    const asked = this.#asked.get(id)
    this.#asked.delete(id)
    return asked
  }

  #send (node: NodeId, deliver: (to: LoopbackBus) => void): void {
    const to = this.#buses.get(node)
    if (!to || this.#isCut) return
    const queue = this.#queues.get(node) ?? []
    this.#queues.set(node, queue)
    if (queue.push(() => { deliver(to) }) === 1) setImmediate(() => { for (const packet of queue.splice(0)) packet() })
  }

  /** For the loopback: what is under way to and from that node is lost. */
  lose (node: NodeId): void {
    this.#queues.get(node)?.splice(0)
    for (const [id, asked] of this.#asked) {
      if (asked.node !== node) continue
      this.#asked.delete(id)
      asked.reject(new NodeGone(`${node} is gone`))
    }
    for (const handler of this.#broken) handler(node)
  }

  /** For the loopback: this node says nothing any more. */
  cut (): void {
    this.#isCut = true
    for (const queue of this.#queues.values()) queue.splice(0)
  }
}

/** What is left of a header when it was text. */
function asSent (header: object): never {
  return JSON.parse(JSON.stringify(header)) as never
}

function copyOf (body: Buffer | undefined): Buffer {
  return Buffer.from(body ?? '')
}
