/**
 * The engine of nodes (XEP-0060), for accounts (XEP-0163) and services alike. All truth is in the database: a change is
 * one statement or transaction there, which holds only for the version of the node that this process knows, and is
 * answered and told after its commit. What is remembered here saves reading.
 */
import { setImmediate, setTimeout } from 'node:timers/promises'
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
  createNode, deleteItem, deleteItems, deleteNode, isCurrent, publishItems, readNode, saveAffiliations, saveConfig,
  saveSubscriptions, trimItems,
} from './store.ts'
import type { NewItem } from './store.ts'

/** What is remembered of all nodes: each counts as one, and one for each affiliation and subscription. */
const MAX_REMEMBERED = 200_000
/** How often a change is tried where others change the same node. */
const MAX_TRIES = 10

/** Changes of one node that are made together. */
const MAX_TOGETHER = 16
/** Where several have come, so long others are waited for. */
const GATHER_MS = 1

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
  /** The changes of nodes' last turns, which others may join: by whoever makes them. */
  readonly #joinable: Map<string, unknown>[] = []

  constructor (parts: EngineParts) {
    this.parts = parts
  }

  /** Changes of one node happen one at a time, and are told in the order of their commits. */
  async inTurn<T> (owner: Jid, name: string, work: () => Promise<T>): Promise<T> {
    const done: { result?: T } = {}
    const key = keyOf(owner, name)
    for (const changes of this.#joinable) changes.delete(key) // what comes after this must not overtake it
    await this.#turns.inTurn(key, async () => { done.result = await work() })
    return done.result as T
  }

  /**
   * For changes that come in numbers: those of a node that wait in a row, and those that arrive with them, are given to
   * `make` together in one turn. It must not reject.
   */
  together<T> (
    make: (owner: Jid, name: string, changes: readonly T[]) => Promise<void>,
  ): (owner: Jid, name: string, change: T) => void {
    const joinable = new Map<string, T[]>()
    this.#joinable.push(joinable)
    return (owner, name, change) => {
      const key = keyOf(owner, name)
      const waiting = joinable.get(key)
      if (waiting && waiting.length < MAX_TOGETHER) {
        waiting.push(change)
        return
      }
      const changes = [change]
      joinable.set(key, changes)
      neverRejects(this.#turns.inTurn(key, async () => {
        await setImmediate() // a client that hears of several sends as many
        if (changes.length > 1 && changes.length < MAX_TOGETHER) await setTimeout(GATHER_MS)
        if (joinable.get(key) === changes) joinable.delete(key)
        await make(owner, name, changes)
      }))
    }
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

  /** Stores items, oldest first; the ids of those that they displaced, or undefined where the node has changed. */
  async publish (node: PubsubNode, items: readonly NewItem[]): Promise<readonly string[] | undefined> {
    const { db, limits } = this.parts
    const { publish_node_full: whenFull, item_expire: seconds } = node.config
    const most = this.#most(node.config)
    const byId = new Map<string, NewItem>()
    for (const item of items) {
      byId.delete(item.id) // the last one is the newest
      byId.set(item.id, item)
    }
    const isStrict = whenFull === 'reject'
    const newest = [...byId.values()].slice(isStrict ? 0 : -Math.max(1, most))
    const expiresAt = seconds === 'max' ? undefined : Date.now() + seconds * 1000
    const published = await publishItems(db, node, newest, expiresAt, {
      items: most, bytes: limits.bytes, isStrict,
    })
    if (published === 'full') throw pubsubError('node-full')
    if (published === 'no space') {
      throw new StanzaError('resource-constraint', `there is no space left: at most ${limits.bytes} bytes are allowed`)
    }
    return published && [...published.trimmed, ...[...byId.keys()].slice(0, -newest.length)]
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
   * A page of a node's items as `read` reads it, with what was published before; `check` says whether the asker may
   * read the node, and is asked of the node as it is when the items are read.
   */
  async page<P extends { readonly version: string }> (
    owner: Jid, name: string, asker: Jid, read: (db: Database, node: PubsubNode) => Promise<P | undefined>,
    check: (node: PubsubNode) => Promise<void>,
  ): Promise<{ readonly node: PubsubNode, readonly page: P }> {
    await this.inTurn(owner, name, () => Promise.resolve())
    return this.retry(owner, name, async () => {
      const node = existing(await this.find(owner, name))
      await check(node)
      const page = await this.parts.reading.for(asker, db => read(db, node))
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
