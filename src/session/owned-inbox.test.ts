/** Whoever owns what stanzas are for, and whatever becomes of owners meanwhile: nothing is lost or overtaken. */
import { setImmediate } from 'node:timers/promises'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { NodeGone } from '../cluster/bus/bus.ts'
import { Turns } from '../util/turns.ts'
import { el } from '../xml/element.ts'
import { Jid } from '../xmpp/jid.ts'
import { message } from '../xmpp/stanza.ts'
import type { Stanza } from '../xmpp/stanza.ts'
import type { Homes } from './homes.ts'
import { OwnedInbox } from './owned-inbox.ts'

const JULIET = Jid.parse('juliet@localhost')
const KEY = JULIET.toString()

type Step =
  | { readonly does: 'say', readonly count: number }
  | { readonly does: 'wait', readonly count: number }
  | { readonly does: 'own' | 'give up' | 'kill', readonly node: number }

const STEP: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ does: fc.constant('say' as const), count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ does: fc.constant('wait' as const), count: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ does: fc.constantFrom('own' as const, 'give up' as const), node: fc.nat(2) }),
  fc.record({ does: fc.constant('kill' as const), node: fc.integer({ min: 1, max: 2 }) }),
)

/** What one node has told another, in order, and what it waits for. */
interface Way {
  readonly packets: ((target: Node) => void | Promise<void>)[]
  readonly pending: Set<PromiseWithResolvers<boolean>>
}

class Node {
  readonly id: string
  readonly inbox: OwnedInbox
  readonly ways = new Map<string, Way>()
  readonly #turns = new Turns()
  readonly #cluster: Cluster
  #known: string | undefined
  heard: ((node: string, key: string) => void) | undefined
  isDead = false
  isHome = false

  constructor (id: string, cluster: Cluster) {
    this.id = id
    this.#cluster = cluster
    this.inbox = new OwnedInbox({
      turns: this.#turns,
      takeNow: stanza => this.isHome ? cluster.takes(stanza) : false,
      elsewhere: () => this.#known,
      takeInTurn: async ({ stanza }) => {
        const owner = await cluster.ownerFor(this)
        this.#known = owner === this ? undefined : owner.id
        if (owner !== this) return { node: owner.id }
        cluster.takes(stanza)
        return {}
      },
    }, this.#homes(), () => { throw new Error('nothing is refused') })
  }

  #homes (): Homes {
    const homes: Partial<Homes> = {
      incarnation: this.id,
      forget: () => { this.#known = undefined },
      forward: (to, stanza) => this.#cluster.ask(this, to, stanza),
      confirmRefusal: to => { this.#cluster.tell(this, to, target => { target.heard?.(this.id, KEY) }) },
      whenRefusalHeard: heard => { this.heard = heard },
    }
    return homes as Homes
  }

  async own (): Promise<void> {
    await this.#turns.inTurn(KEY, async () => { await this.#cluster.ownerFor(this) })
  }

  async giveUp (): Promise<void> {
    await this.#turns.inTurn(KEY, async () => {
      await this.#cluster.aMoment()
      if (this.isHome) this.#cluster.owner = undefined
      this.isHome = false
    })
  }
}

/** Three nodes. The first one's people talk; the others may die. */
class Cluster {
  readonly taken: string[] = []
  readonly nodes: Node[]
  owner: Node | undefined
  readonly underWay: Promise<unknown>[] = []
  readonly #scheduler: fc.Scheduler
  #said = 0
  #lives = 0

  constructor (scheduler: fc.Scheduler) {
    this.#scheduler = scheduler
    this.nodes = [this.#start(), this.#start(), this.#start()]
  }

  #start (): Node {
    return new Node(`n${this.#lives++}`, this)
  }

  aMoment (): Promise<void> {
    return this.#scheduler.schedule(Promise.resolve())
  }

  takes (stanza: Stanza): void {
    if (!this.taken.includes(stanza.id ?? '')) this.taken.push(stanza.id ?? '')
  }

  /** The owner, which is the node that asks where there is none. Never resolves where that dies meanwhile. */
  async ownerFor (node: Node): Promise<Node> {
    await this.aMoment()
    const owner = this.owner?.isDead === false ? this.owner : node
    if (!node.isDead) this.owner = owner
    await this.aMoment()
    if (node.isDead) return new Promise(() => {})
    if (owner === node) node.isHome = true
    return owner
  }

  async ask (from: Node, to: string, stanza: Stanza): Promise<boolean> {
    const answer = Promise.withResolvers<boolean>()
    const way = this.tell(from, to, async target => {
      const isHome = await target.inbox.receiveHere(stanza, JULIET, from.id)
      await this.aMoment()
      answer.resolve(isHome)
    })
    if (!way) throw new NodeGone(to)
    way.pending.add(answer)
    return answer.promise
  }

  tell (from: Node, to: string, packet: (target: Node) => void | Promise<void>): Way | undefined {
    const target = this.nodes.find(({ id }) => id === to)
    if (!target) return
    const way = from.ways.get(to) ?? { packets: [], pending: new Set() }
    from.ways.set(to, way)
    way.packets.push(packet)
    this.#inBackground(this.aMoment().then(() => {
      const arrived = way.packets.shift()
      if (!target.isDead) return arrived?.(target)
    }))
    return way
  }

  #inBackground (_running: Promise<void> | undefined): void {}

  async do (step: Step): Promise<void> {
    switch (step.does) {
      case 'say':
        for (let n = 0; n < step.count; n++) this.#say()
        return
      case 'wait':
        for (let n = 0; n < step.count && this.#scheduler.count() > 0; n++) await this.#scheduler.waitNext(1)
        return
      case 'own': return this.#inBackground(this.nodes[step.node]?.own())
      case 'give up': return this.#inBackground(this.nodes[step.node]?.giveUp())
      case 'kill': this.#kill(step.node)
    }
  }

  #say (): void {
    const id = `m${++this.#said}`
    const done = this.nodes[0]?.inbox.receive(message('chat', { to: JULIET, id }, el('body', undefined, {}, id)), JULIET)
    if (done) this.underWay.push(done)
  }

  #kill (at: number): void {
    const node = this.nodes[at]
    if (!node) return
    node.isDead = true
    this.nodes[at] = this.#start()
    for (const { ways } of this.nodes) {
      for (const answer of ways.get(node.id)?.pending ?? []) answer.reject(new NodeGone(node.id))
    }
  }

  get said (): readonly string[] {
    return Array.from({ length: this.#said }, (_, number) => `m${number + 1}`)
  }
}

test('what went to a node that is gone goes before what came meanwhile, and waits for its turn', async () => {
  const turns = new Turns()
  const atOther = Promise.withResolvers<boolean>()
  const other = Promise.withResolvers<void>()
  const taken: (string | undefined)[] = []
  let owner: string | undefined = 'b'
  const homes: Partial<Homes> = {
    incarnation: 'a', whenRefusalHeard () {},
    forget: () => { owner = undefined },
    forward: () => atOther.promise,
  }
  const inbox = new OwnedInbox({
    turns, takeNow: () => false, elsewhere: () => undefined,
    takeInTurn: async ({ stanza }) => {
      if (owner === undefined) taken.push(stanza.id)
      return { node: owner }
    },
  }, homes as Homes, () => {})
  const says = (id: string): void | Promise<void> => inbox.receive(message('chat', { to: JULIET, id }), JULIET)

  const first = says('m1')
  const between = turns.inTurn(KEY, () => other.promise)
  const second = says('m2')
  await setImmediate()
  atOther.reject(new NodeGone('b'))
  await setImmediate()
  other.resolve()
  await Promise.all([first, between, second])

  expect(taken).toEqual(['m1', 'm2'])
})

test('what another node forwards does not overtake what is on its way from here, nor what was refused before', async () => {
  const atOther = Promise.withResolvers<boolean>()
  const taken: (string | undefined)[] = []
  let owner: string | undefined = 'b'
  let heard: ((node: string, key: string) => void) | undefined
  const homes: Partial<Homes> = {
    incarnation: 'a', forget () {}, forward: () => atOther.promise, whenRefusalHeard: hear => { heard = hear },
  }
  const inbox = new OwnedInbox({
    turns: new Turns(), mayHandOn: true, takeNow: () => false, elsewhere: () => undefined,
    takeInTurn: async ({ stanza }) => {
      if (owner === undefined) taken.push(stanza.id)
      return { node: owner }
    },
  }, homes as Homes, () => {})
  const comes = (id: string): boolean | Promise<boolean> =>
    inbox.receiveHere(message('chat', { to: JULIET, id }), JULIET, 'c')

  const first = inbox.receive(message('chat', { to: JULIET, id: 'm1' }), JULIET)
  await setImmediate()
  owner = undefined
  const whileUnderWay = await comes('m2')
  atOther.resolve(true)
  await first
  const behindRefused = await comes('m3')
  heard?.('c', KEY)
  const again = [await comes('m2'), await comes('m3')]

  expect([whileUnderWay, behindRefused, ...again]).toEqual([false, false, true, true])
  expect(taken).toEqual(['m2', 'm3'])
})

test('what one says to another is taken in order, whichever nodes own the recipient and die', async () => {
  await fc.assert(fc.asyncProperty(fc.scheduler(), fc.array(STEP, { maxLength: 30 }), async (scheduler, steps) => {
    const cluster = new Cluster(scheduler)

    for (const one of steps) await cluster.do(one)
    await scheduler.waitFor(Promise.all(cluster.underWay))

    expect(cluster.taken).toEqual(cluster.said)
  }), { numRuns: 800 })
})
