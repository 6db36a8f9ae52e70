/** Whatever breaks between two servers: a message that was taken is delivered, in order, or comes back. */
import * as fc from 'fast-check'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../../test/support/run/database.ts'
import { ScriptedLinks } from '../../../test/support/s2s/scripted-links.ts'
import type { ScriptedLink } from '../../../test/support/s2s/scripted-links.ts'
import type { Homes } from '../../session/homes.ts'
import type { Database } from '../../storage/database.ts'
import type { PostgresDatabase } from '../../storage/postgres.ts'
import { el } from '../../xml/element.ts'
import type { StanzaError } from '../../xmpp/errors.ts'
import { Jid } from '../../xmpp/jid.ts'
import { MessagePolicies } from '../../xmpp/message-policy.ts'
import { storedStanza } from '../../xmpp/read-stanza.ts'
import { message } from '../../xmpp/stanza.ts'
import type { Stanza } from '../../xmpp/stanza.ts'
import { RemoteDomains } from './remote-domains.ts'

const SENDERS = ['romeo@montague.example/orchard', 'benvolio@montague.example/street'].map(jid => Jid.parse(jid))
/** At another server for each run: a node that died may have left something. */
const RECIPIENTS = ['juliet', 'nurse']

type Step =
  | { readonly does: 'say', readonly from: number, readonly to: number, readonly count: number }
  | { readonly does: 'say again' }
  | { readonly does: 'break' | 'confirm' | 'stop confirming' | 'be unreachable' | 'be reachable' | 'not exist' | 'wait' }
  | { readonly does: 'kill' | 'pause' | 'resume' | 'leave', readonly node: number }
  | { readonly does: 'database', readonly is: 'there' | 'away' | 'slow' | 'answers are lost' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({
    does: fc.constant('say' as const), from: fc.nat(1), to: fc.nat(1), count: fc.integer({ min: 1, max: 5 }),
  }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('say again' as const) }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('wait' as const) }) },
  { weight: 5, arbitrary: fc.record({ does: fc.constantFrom(
    ...['break', 'confirm', 'stop confirming', 'be unreachable', 'be reachable', 'not exist', 'wait'] as const) }) },
  { weight: 3, arbitrary: fc.record({
    does: fc.constantFrom(...['kill', 'pause', 'resume', 'leave'] as const), node: fc.nat(1),
  }) },
  { weight: 2, arbitrary: fc.record({
    does: fc.constant('database' as const),
    is: fc.constantFrom(...['there', 'away', 'slow', 'answers are lost'] as const),
  }) },
)

let postgres: PostgresDatabase
let runs = 0

beforeAll(async () => { postgres = await testDatabase() })
afterAll(() => postgres.close())

/** A node with its line to the database and its links. */
class Node {
  id: string
  state: 'up' | 'paused' | 'dead' = 'up'
  readonly domains: RemoteDomains
  /** What it tells other nodes is told in order. */
  order = Promise.resolve()
  /** Another node has heard of a refusal. */
  heard: ((node: string, key: string) => void) | undefined
  readonly links = new ScriptedLinks()
  readonly #site: Site
  #resumed = Promise.withResolvers<void>()

  constructor (id: string, site: Site) {
    this.id = id
    this.#site = site
    this.links.took = (stanza, link) => { site.took(stanza, this, link) }
    const tell = (stanza: Stanza, error: StanzaError): void => { site.refused(stanza, error) }
    const db = this.#database()
    this.domains = new RemoteDomains({
      router: {
        bounce: tell, isServed: domain => domain === 'montague.example',
        giveBack: (stanza, error, _sender, key) => { if (this.state !== 'dead') site.cameBack(stanza, error, key) },
      },
      db, messageDb: db, policies: new MessagePolicies(), log: pino({ level: 'silent' }),
      settings: { queue: 10_000, giveUpHours: 1 }, isAllowed: () => true, retry: { firstMs: 1, longestMs: 10 },
      links: { open: async (local, remote) => {
        await this.goesOn()
        return this.links.open(local, remote)
      } },
      cluster: { homes: site.homesOf(this), nodes: () => site.living }, patienceMs: 500,
    })
  }

  pause (): void {
    this.state = 'paused'
    this.cut()
  }

  resume (): void {
    this.state = 'up'
    this.#resumed.resolve()
    this.#resumed = Promise.withResolvers()
  }

  cut (): void {
    for (const link of this.links.opened) link.loses()
  }

  #database (): Database {
    return {
      query: <Row>(text: string, values: readonly unknown[] = []) => this.#ask(db => db.query<Row>(text, values)),
      transaction: work => this.#ask(db => db.transaction(work)),
    }
  }

  /** Never resolves where it is dead. */
  async goesOn (): Promise<void> {
    if (this.state === 'dead') return new Promise(() => {})
    if (this.state === 'paused') await this.#resumed.promise
  }

  async #ask<T> (question: (db: Database) => Promise<T>): Promise<T> {
    await this.goesOn()
    const { database } = this.#site
    if (database === 'away') throw new Error('connect ECONNREFUSED')
    if (database === 'slow') await new Promise(resolve => { setTimeout(resolve, 20) })
    const answer = await question(postgres)
    await this.goesOn() // what a dead node has asked may be done all the same
    if (database === 'answers are lost') throw new Error('read ECONNRESET')
    return answer
  }
}

/** Two nodes, and another server. */
class Site {
  database: 'there' | 'away' | 'slow' | 'answers are lost' = 'there'
  reach: 'reachable' | 'unreachable' | 'unknown' = 'reachable'
  confirms = true
  readonly nodes: Node[]
  readonly #owners = new Map<string, Node>()
  #lives = 0
  /** What was taken and what was refused, and what the other server has got, in order for each pair. */
  readonly accepted = new Map<string, string[]>()
  readonly delivered = new Map<string, string[]>()
  readonly told = new Set<string>()
  readonly said = new Map<string, number>()
  readonly returned = new Map<string, Set<string>>()
  readonly underWay: Promise<unknown>[] = []
  readonly #run = runs++
  #count = 0
  #last: { readonly stanza: Stanza, readonly at: number } | undefined

  constructor () {
    this.nodes = [this.#start(), this.#start()]
  }

  #start (): Node {
    const node = new Node(`n${this.#lives++}`, this)
    node.domains.start()
    return node
  }

  get living (): readonly string[] {
    return this.nodes.filter(({ state }) => state === 'up').map(({ id }) => id)
  }

  #owner (key: string, not?: Node): Node | undefined {
    const owner = this.#owners.get(key)
    return owner?.state === 'up' && owner !== not ? owner : undefined
  }

  homesOf (node: Node): Homes {
    const owner = (key: string): Node | undefined => this.#owner(key, node)
    return {
      get incarnation () { return node.id },
      elsewhere: key => owner(key)?.id,
      claim: async key => {
        await Promise.resolve()
        const other = owner(key)
        if (!other) this.#owners.set(key, node)
        return { node: other?.id }
      },
      place: () => this.living[0] ?? node.id,
      find: async key => ({ node: owner(key)?.id }),
      forget: () => {},
      release: key => { if (this.#owners.get(key) === node) this.#owners.delete(key) },
      removeAt: async () => false,
      confirmLease: () => undefined,
      forwarded: async () => {},
      confirmRefusal: (to, key) => {
        const { id } = node
        node.order = node.order.then(() => { this.nodes.find(target => target.id === to)?.heard?.(id, key) })
      },
      whenRefusalHeard: heard => { node.heard = heard },
      forward: async (to, stanza) => {
        await (node.order = node.order.then(() => node.goesOn()))
        const target = this.nodes.find(({ id }) => id === to)
        if (!target || target.state !== 'up') {
          await new Promise(resolve => { setTimeout(resolve, 5) })
          throw new Error('that node is gone')
        }
        const answer = target.domains.receiveHere(storedStanza(stanza.toBytes()), node.id)
        const isHome = await Promise.race([answer, gone(target)])
        if (this.nodes.every(({ id }) => id !== to)) throw new Error('that node is gone')
        await node.goesOn()
        return isHome
      },
    }
  }

  took (stanza: Stanza, node: Node, link: ScriptedLink): void {
    if (node.state !== 'up' || !link.isOpen) return
    listOf(this.delivered, `${stanza.from} ${stanza.to}`).push(stanza.id ?? '')
  }

  refused (stanza: Stanza, _error: StanzaError): void {
    this.told.add(stanza.id ?? '')
  }

  cameBack (stanza: Stanza, error: StanzaError, key: string): void {
    const keys = this.returned.get(stanza.id ?? '') ?? new Set()
    this.returned.set(stanza.id ?? '', keys.add(key))
    this.refused(stanza, error)
  }

  /** Each sender is at home at a node of its own. */
  say (from: number, to: number): void {
    const recipient = Jid.parse(`${RECIPIENTS[to]}@run${this.#run}.capulet.example`)
    const stanza = message('chat', { from: SENDERS[from], to: recipient, id: `m${this.#count++}` },
      el('body', 'jabber:client', {}, 'art thou?'))
    this.#last = { stanza, at: from }
    this.#send(stanza, from)
  }

  sayAgain (): void {
    if (this.#last) this.#send(this.#last.stanza, this.#last.at)
  }

  #send (stanza: Stanza, at: number): void {
    const node = this.nodes[at]
    if (!node || node.state !== 'up') return
    const id = stanza.id ?? ''
    this.said.set(id, (this.said.get(id) ?? 0) + 1)
    const list = listOf(this.accepted, `${stanza.from} ${stanza.to}`)
    if (!list.includes(id)) list.push(id)
    // The client of a node that dies is told nothing, and does not know what became of it.
    const taken = Promise.race([gone(node).then(() => { this.told.add(id) }, () => { this.told.add(id) }),
      Promise.resolve(node.domains.receive(stanza)).catch(() => { this.told.add(id) })])
    this.underWay.push(taken)
  }

  async do (step: Step): Promise<void> {
    switch (step.does) {
      case 'say':
        for (let n = 0; n < step.count; n++) this.say(step.from, step.to)
        return
      case 'say again': return this.sayAgain()
      case 'wait': return new Promise(resolve => { setTimeout(resolve, 15) })
      case 'database':
        this.database = step.is
        return
      case 'kill': return this.#kill(step.node)
      case 'pause':
        if (this.living.length === 2) this.nodes[step.node]?.pause()
        return
      case 'resume': return this.#resume(step.node)
      case 'leave':
        await this.#leave(step.node)
        return
      default: return this.#link(step.does)
    }
  }

  #link (does: 'break' | 'confirm' | 'stop confirming' | 'be unreachable' | 'be reachable' | 'not exist'): void {
    if (does === 'confirm' || does === 'stop confirming') this.confirms = does === 'confirm'
    if (does === 'be unreachable') this.reach = 'unreachable'
    if (does === 'be reachable') this.reach = 'reachable'
    if (does === 'not exist') this.reach = 'unknown'
    for (const { links } of this.nodes) {
      links.confirms = this.confirms
      links.failure = this.reach === 'reachable' ? undefined
        : { kind: this.reach === 'unknown' ? 'not-found' : 'unreachable', message: 'it is away' }
      for (const link of links.opened) {
        if (does === 'break') link.loses()
        if (does === 'confirm') link.confirmAll()
      }
    }
  }

  async #leave (at: number): Promise<void> {
    const node = this.nodes[at]
    if (node?.state === 'up') await Promise.all(node.domains.atHome().map(key => node.domains.giveUp(key)))
  }

  #kill (at: number): void {
    const node = this.nodes[at]
    if (!node) return
    node.state = 'dead'
    node.cut()
    this.nodes[at] = this.#start()
    this.#link('break')
  }

  /** A node that was paused was evicted meanwhile: it comes back under another id. */
  #resume (at: number): void {
    const node = this.nodes[at]
    if (node?.state !== 'paused') return
    node.id = `n${this.#lives++}`
    const keys = node.domains.atHome()
    node.resume()
    this.underWay.push(...keys.map(key => {
      const isOurs = this.#owner(key, node) === undefined
      if (isOurs) this.#owners.set(key, node)
      return node.domains.reclaimed(key, isOurs).catch(() => {})
    }))
  }

  /** All is well again: resolves when nothing waits any more. */
  async heals (): Promise<void> {
    this.database = 'there'
    for (const at of this.nodes.keys()) this.#resume(at)
    this.#link('be reachable')
    this.#link('confirm')
    await Promise.all(this.underWay)
    await expect.poll(async () => {
      await Promise.all(this.nodes.map(({ domains }) => domains.scan()))
      return postgres.query('select id from (select stanza as id from remote_message) as left_over limit 3')
    }).toEqual([])
  }

  async stops (): Promise<void> {
    await Promise.all(this.nodes.map(({ domains }) => domains.stop()))
  }
}

/** Rejects when the node has died. */
async function gone (node: Node): Promise<never> {
  while (node.state !== 'dead') await new Promise(resolve => { setTimeout(resolve, 5) })
  throw new Error('that node is gone')
}

function listOf (lists: Map<string, string[]>, key: string): string[] {
  const list = lists.get(key) ?? []
  lists.set(key, list)
  return list
}

test('a message that was taken is delivered, in order, or comes back', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async steps => {
    const site = new Site()

    for (const one of steps) await site.do(one)
    await site.heals()
    await site.stops()

    for (const [pair, ids] of site.accepted) {
      const delivered = [...new Set(site.delivered.get(pair))]
      expect(ids.filter(id => !delivered.includes(id) && !site.told.has(id))).toEqual([])
      const sure = delivered.filter(id => !site.told.has(id))
      expect([pair, sure]).toEqual([pair, ids.filter(id => sure.includes(id))])
      expect(delivered.filter(id => !ids.includes(id))).toEqual([])
    }
    // Who says again what came back may hear of it again.
    for (const [id, keys] of site.returned) expect(keys.size).toBeLessThanOrEqual(site.said.get(id) ?? 0)
  }), { numRuns: 25 })
}, 600_000)
