/**
 * The engine of nodes (XEP-0060), for accounts (XEP-0163) and services alike. All truth is in the database: a change is
 * one statement or transaction there, which holds only for the version of the node that this process knows, and is
 * answered and told after its commit. What is remembered here saves reading.
 */
import { LRUCache } from 'lru-cache'
import type { Database } from '../storage/database.ts'
import type { Reading } from '../storage/reading.ts'
import { neverRejects } from '../util/background.ts'
import { Turns } from '../util/turns.ts'
import { StanzaError } from '../xmpp/errors.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { Contacts } from './access.ts'
import { pubsubError } from './errors.ts'
import type { Notifier } from './events.ts'
import type { PubsubLimits } from './limits.ts'
import type { NodeConfig } from './node-config.ts'
import { withAffiliations, withSubscriptions } from './node.ts'
import type { NodeAffiliation, PubsubNode, SubscriptionChange } from './node.ts'
import {
  createNode, deleteItem, deleteItems, deleteNode, isCurrent, publishItem, readItems, readNode, saveAffiliations,
  saveConfig, saveSubscriptions, trimItems,
} from './store.ts'
import type { NewItem, Page, Range } from './store.ts'

/** What is remembered of all nodes: each counts as one, and one for each affiliation and subscription. */
const MAX_REMEMBERED = 200_000
/** How often a change is tried where others change the same node. */
const MAX_TRIES = 10

/** Changes of one node that are made and told together. */
const MAX_TOGETHER = 16

/** Makes a change, and resolves with what tells of it. */
type Change = () => Promise<() => void | Promise<void>>

export interface EngineParts {
  readonly db: Database
  readonly reading: Reading
  readonly limits: PubsubLimits
  readonly contacts: Contacts
  readonly notifier: Notifier
  /** The configuration of a new node. */
  readonly defaultsOf: (owner: Jid, name: string) => NodeConfig
  /** Throws StanzaError where that address may not create nodes there. */
  readonly checkCreator: (owner: Jid, creator: Jid) => void | Promise<void>
}

export class Engine {
  readonly parts: EngineParts
  readonly #nodes = new LRUCache<string, PubsubNode>({
    maxSize: MAX_REMEMBERED,
    sizeCalculation: ({ affiliations, subscriptions }) => 1 + affiliations.size + subscriptions.size,
  })
  readonly #turns = new Turns()
  /** Of the nodes' last turns that have not begun, the changes that others may join. */
  readonly #together = new Map<string, Change[]>()

  constructor (parts: EngineParts) {
    this.parts = parts
  }

  /** Changes of one node happen one at a time, and are told in the order of their commits. */
  async inTurn<T> (owner: Jid, name: string, work: () => Promise<T>): Promise<T> {
    const done: { result?: T } = {}
    const key = keyOf(owner, name)
    this.#together.delete(key) // what comes after this must not overtake it
    await this.#turns.inTurn(key, async () => { done.result = await work() })
    return done.result as T
  }

  /**
   * As `inTurn`, for changes that come in numbers: those that wait in a row are made in one turn and then told, so that
   * each subscriber is written to once. A change resolves with what tells of it; neither rejects.
   */
  changeTogether (owner: Jid, name: string, change: Change): void {
    const key = keyOf(owner, name)
    const waiting = this.#together.get(key)
    if (waiting && waiting.length < MAX_TOGETHER) {
      waiting.push(change)
      return
    }
    const all = [change]
    this.#together.set(key, all)
    neverRejects(this.#turns.inTurn(key, async () => {
      if (this.#together.get(key) === all) this.#together.delete(key)
      const told: Awaited<ReturnType<Change>>[] = []
      for (const one of all) told.push(await one())
      for (const tell of told) await tell()
    }))
  }

  /** The node as it was known last, for a change, which holds for that version only; undefined where there is none. */
  async find (owner: Jid, name: string): Promise<PubsubNode | undefined> {
    const key = keyOf(owner, name)
    const known = this.#nodes.get(key)
    if (known) return known
    const node = await readNode(this.parts.db, owner, name, this.parts.defaultsOf(owner, name))
    if (node) this.#nodes.set(key, node)
    return node
  }

  /** The node as it is; undefined where there is none. */
  async look (owner: Jid, name: string): Promise<PubsubNode | undefined> {
    const node = await this.find(owner, name)
    if (!node || await isCurrent(this.parts.db, node)) return node
    this.#nodes.delete(keyOf(owner, name))
    return this.find(owner, name)
  }

  /** As `look`; throws item-not-found where there is none. */
  async need (owner: Jid, name: string): Promise<PubsubNode> {
    return existing(await this.look(owner, name))
  }

  /**
   * In the node's turn: runs `attempt` with the node, again where that resolves with undefined, since the node has
   * changed without this process. Throws what `attempt` does, and item-not-found where there is no node.
   */
  async change<T> (owner: Jid, name: string, attempt: (node: PubsubNode) => Promise<T | undefined>): Promise<T> {
    return this.inTurn(owner, name, () => this.retry(owner, name, async () =>
      attempt(existing(await this.find(owner, name)))))
  }

  /** Runs `attempt` until it resolves with something, with the node forgotten in between. */
  async retry<T> (owner: Jid, name: string, attempt: () => Promise<T | undefined>): Promise<T> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const result = await attempt()
      if (result !== undefined) return result
      this.#nodes.delete(keyOf(owner, name))
    }
    throw new StanzaError('resource-constraint', 'the node is being changed by others: try again')
  }

  /** Creates a node. Throws conflict where there is one, and what `checkCreator` does. */
  async create (owner: Jid, name: string, creator: Jid, config: NodeConfig): Promise<PubsubNode> {
    await this.parts.checkCreator(owner, creator)
    const { db, limits } = this.parts
    const created = await createNode(db, { owner, name, creator: creator.bare, config }, limits.nodes)
    if (created === 'exists') throw new StanzaError('conflict')
    if (created === 'too many') {
      throw pubsubError('max-nodes-exceeded', `too many nodes: at most ${limits.nodes} are allowed`)
    }
    return existing(await this.find(owner, name))
  }

  /** Stores an item; the ids of those that it displaced, or undefined where the node has changed. */
  async publish (node: PubsubNode, item: NewItem): Promise<readonly string[] | undefined> {
    const { db, limits } = this.parts
    const { publish_node_full: whenFull } = node.config
    const published = await publishItem(db, node, item, {
      items: this.#most(node.config), bytes: limits.bytes, isStrict: whenFull === 'reject',
    })
    if (published === 'full') throw pubsubError('node-full')
    if (published === 'no space') {
      throw new StanzaError('resource-constraint', `there is no space left: at most ${limits.bytes} bytes are allowed`)
    }
    return published?.trimmed
  }

  #most ({ max_items: most }: NodeConfig): number {
    const { items } = this.parts.limits
    return most === 'max' ? items : Math.min(most, items)
  }

  /** Removes items that are too many for the node's configuration, the oldest first; their ids. */
  async trim (node: PubsubNode): Promise<readonly string[]> {
    return trimItems(this.parts.db, node, node.config.persist_items ? this.#most(node.config) : 0)
  }

  /** Whether there was such an item; not where the node has changed. */
  retract (node: PubsubNode, id: string): Promise<boolean> {
    return deleteItem(this.parts.db, node, id)
  }

  /** Whether all items are gone; not where the node has changed. */
  purge (node: PubsubNode): Promise<boolean> {
    return deleteItems(this.parts.db, node)
  }

  async delete (node: PubsubNode): Promise<void> {
    await deleteNode(this.parts.db, node)
    this.#nodes.delete(keyOf(node.owner, node.name))
  }

  /** The node with another configuration; undefined where it has changed. */
  async configure (node: PubsubNode, config: NodeConfig): Promise<PubsubNode | undefined> {
    const version = await saveConfig(this.parts.db, node, config)
    return version === undefined ? undefined : this.#keep({ ...node, config, version })
  }

  /** The node with other affiliations; undefined where it has changed. */
  async affiliate (
    node: PubsubNode, changes: ReadonlyMap<string, NodeAffiliation>,
  ): Promise<PubsubNode | undefined> {
    const version = await saveAffiliations(this.parts.db, node, changes)
    return version === undefined ? undefined : this.#keep(withAffiliations(node, changes, version))
  }

  /** The node with other subscriptions; undefined where it has changed. */
  async subscribe (
    node: PubsubNode, changes: readonly SubscriptionChange[],
  ): Promise<PubsubNode | undefined> {
    const version = await saveSubscriptions(this.parts.db, node, changes)
    return version === undefined ? undefined : this.#keep(withSubscriptions(node, changes, version))
  }

  #keep (node: PubsubNode): PubsubNode {
    this.#nodes.set(keyOf(node.owner, node.name), node)
    return node
  }

  /**
   * A page of a node's items, with what was published before; `check` says whether the asker may read the node, and is
   * asked of the node as it is when the items are read.
   */
  async items (
    owner: Jid, name: string, asker: Jid, range: Range, check: (node: PubsubNode) => Promise<void>,
  ): Promise<{ readonly node: PubsubNode, readonly page: Page }> {
    await this.inTurn(owner, name, () => Promise.resolve())
    return this.retry(owner, name, async () => {
      const node = existing(await this.find(owner, name))
      await check(node)
      const page = await this.parts.reading.for(asker, db => readItems(db, node, range))
      return page?.version === node.version ? { node, page } : undefined
    })
  }
}

function existing (node: PubsubNode | undefined): PubsubNode {
  if (!node) throw new StanzaError('item-not-found')
  return node
}

function keyOf (owner: Jid, name: string): string {
  return `${owner} ${name}`
}
