/** XEP-0060 §7: publishes and retracts items. */
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { randomId } from '../../util/ids.ts'
import { el } from '../../xml/element.ts'
import type { Written } from '../../xml/written.ts'
import { StanzaError } from '../../xmpp/errors.ts'
import type { Jid } from '../../xmpp/jid.ts'
import { NS_PUBSUB } from '../../xmpp/pubsub.ts'
import { mayPublish } from '../access.ts'
import { checkedName, formIn, nodeIn, treeOf } from '../context.ts'
import type { Answer, Call, Context } from '../context.ts'
import { pubsubError, unsupported } from '../errors.ts'
import { publishedEvent, retractedEvent } from '../events.ts'
import { changedBy, isAs } from '../node-config.ts'
import type { NodeConfig, Values } from '../node-config.ts'
import { affiliationOf } from '../node.ts'
import type { PubsubNode } from '../node.ts'
import { readPublisher } from '../store.ts'
import type { NewItem } from '../store.ts'

/** So many nodes, and for so long, a publication that comes again is recognised. */
const MAX_REPEATS = 10_000
const REPEAT_MS = 60_000

/** What an item is to be; the id is made where there is none. */
export interface Publication {
  readonly owner: Jid
  readonly name: string
  /** Full. */
  readonly by: Jid
  readonly item: { readonly id: string | undefined, readonly payload: Written | undefined } | undefined
  /** §7.1.5. */
  readonly preconditions?: Values | undefined
}

/** The last publication of a node, by which a client that was cut off before the answer does it once more. */
interface Last { readonly digest: string, readonly id: string | undefined }

/** A publication that waits for its turn, and who waits for it. */
interface Waiting {
  readonly publication: Publication
  readonly digest: string
  readonly done: PromiseWithResolvers<string | undefined>
}

/** An item that is stored, and what tells of it. */
interface Stored {
  readonly id: string | undefined
  readonly tell: () => void | Promise<void>
}

export class Publications {
  readonly #pubsub: Context
  readonly #inTurn: (owner: Jid, name: string, one: Waiting) => void
  readonly #last = new LRUCache<string, Last>({ max: MAX_REPEATS, ttl: REPEAT_MS })

  constructor (pubsub: Context) {
    this.#pubsub = pubsub
    this.#inTurn = pubsub.engine.together((owner, name, all) => this.#publishAll(owner, name, all))
  }

  /** Answers `<publish/>`. */
  async answer (call: Call): Promise<Answer> {
    const { action, owner, from } = call
    const name = nodeIn(action)
    const publication = { owner, name, by: from, item: itemIn(action), preconditions: preconditionsIn(call) }
    const id = await this.publish(publication, digestOf(call))
    return el('pubsub', NS_PUBSUB, {},
      el('publish', undefined, { node: name }, id === undefined ? undefined : el('item', undefined, { id })))
  }

  /** Publishes an item, and resolves with its id when it is stored and all were told; `digest` recognises a repeat. */
  publish (publication: Publication, digest = randomId()): Promise<string | undefined> {
    const done = Promise.withResolvers<string | undefined>()
    this.#inTurn(publication.owner, publication.name, { publication, digest, done })
    return done.promise
  }

  /** In the node's turn: stores what waits in a row, then tells of it, so that each subscriber is written to once. */
  async #publishAll (owner: Jid, name: string, all: readonly Waiting[]): Promise<void> {
    let stored: readonly (readonly [Waiting, Stored])[]
    try {
      stored = await this.#storeTogether(owner, name, all).catch(whenRefused) ?? await this.#storeEach(all)
    } catch (error) { // the database's: all may be stored, and items without an id must not be twice
      for (const { done } of all) done.reject(error)
      return
    }
    for (const [{ done }, { id, tell }] of stored) {
      try {
        await tell()
        done.resolve(id)
      } catch (error) { // a bug
        done.reject(error)
      }
    }
  }

  async #storeEach (all: readonly Waiting[]): Promise<readonly (readonly [Waiting, Stored])[]> {
    const stored: (readonly [Waiting, Stored])[] = []
    for (const one of all) {
      try {
        stored.push([one, await this.#publishOnce(one.publication, one.digest)])
      } catch (error) { // StanzaError, or the database's
        one.done.reject(error)
      }
    }
    return stored
  }

  /**
   * Stores all with one statement; undefined where one of them needs a look of its own. Rejects, with nothing stored,
   * where one of them is refused.
   */
  async #storeTogether (
    owner: Jid, name: string, all: readonly Waiting[],
  ): Promise<readonly (readonly [Waiting, Stored])[] | undefined> {
    const { engine } = this.#pubsub
    const node = await engine.find(owner, name)
    if (!node || !this.#areAlike(node, all)) return
    const items = await Promise.all(all.map(one => this.#itemOf(node, one.publication)))
    const displaced = await engine.publish(node, items.filter(item => item !== undefined))
    const last = all.at(-1)
    if (!displaced || !last) return
    this.#last.set(`${owner} ${name}`, { digest: last.digest, id: items.at(-1)?.id })
    return all.map((one, n) =>
      [one, this.#stored(node, one.publication.by, items[n], one === last ? displaced : [])])
  }

  /** Whether they only have to be stored: no repeat, no preconditions, no feature that looks at each. */
  #areAlike ({ owner, name, config }: PubsubNode, all: readonly Waiting[]): boolean {
    if (all.length === 1 || !config.persist_items || this.#pubsub.behaviours.has(owner, name)) return false
    const digests = new Set(all.map(({ digest }) => digest))
    const last = this.#last.get(`${owner} ${name}`)
    if (digests.size < all.length || (last && digests.has(last.digest))) return false
    return all.every(({ publication }) => !publication.preconditions)
  }

  /** In the node's turn: stores the item, unless it is there already and nothing else has happened since. */
  async #publishOnce (publication: Publication, digest: string): Promise<Stored> {
    const { owner, name } = publication
    const key = `${owner} ${name}`
    const last = this.#last.get(key)
    if (last?.digest === digest) return { id: last.id, tell: () => {} }
    this.#last.delete(key)
    const stored = await this.#pubsub.engine.retry(owner, name, () => this.#attempt(publication))
    this.#last.set(key, { digest, id: stored.id })
    return stored
  }

  /** Something else has happened to the node: what comes now is no repeat. */
  forget (owner: Jid, name: string): void {
    this.#last.delete(`${owner} ${name}`)
  }

  /** In the node's turn; undefined where the node has changed meanwhile. */
  async #attempt (publication: Publication): Promise<Stored | undefined> {
    const { engine, behaviours } = this.#pubsub
    const { owner, name } = publication
    const node = await this.#nodeFor(publication)
    const item = await this.#itemOf(node, publication)
    const displaced = item && node.config.persist_items ? await engine.publish(node, [item]) : []
    if (!displaced) return
    if (item) await behaviours.published(owner, name, item.id, item.payload)
    return this.#stored(node, publication.by, item, displaced)
  }

  #stored (node: PubsubNode, by: Jid, item: NewItem | undefined, displaced: readonly string[]): Stored {
    const { notifier } = this.#pubsub.engine.parts
    return {
      id: item?.id,
      tell: async () => {
        await notifier.notify(node, publishedEvent(node, item), by.toString())
        if (displaced.length > 0) await this.#displaced(node, displaced)
      },
    }
  }

  /** The item as it is stored and told, if there is one; throws where it may not be published. */
  async #itemOf (node: PubsubNode, { owner, name, by, item }: Publication): Promise<NewItem | undefined> {
    const { config } = node
    if (!mayPublish(node, by)) throw new StanzaError('forbidden')
    checkItem(config, item)
    if (!item) return
    const id = item.id ?? randomId()
    const payload = item.payload && await this.#pubsub.behaviours.before(owner, name, id, item.payload)
    this.#checkSize(config, payload)
    return { id, publisher: by.toString(), payload: payload?.xml ?? '' }
  }

  // §7.1.2.5.
  async #displaced (node: PubsubNode, ids: readonly string[]): Promise<void> {
    const { engine, behaviours } = this.#pubsub
    await behaviours.retracted(node.owner, node.name, ids)
    const { publish_node_full: whenFull, notify_retract: isTold } = node.config
    if (whenFull === 'retract-oldest' && isTold) await engine.parts.notifier.notify(node, retractedEvent(node, ids))
  }

  /** §7.1.4 and §7.1.5: the node, created with what is demanded of it where there is none. */
  async #nodeFor ({ owner, name, by, preconditions }: Publication): Promise<PubsubNode> {
    const { engine, behaviours } = this.#pubsub
    const node = await engine.find(owner, name)
    if (node && !preconditions) return node
    const demanded = preconditions ?? new Map()
    const config = node?.config ?? changedBy(demanded, behaviours.defaultsOf(owner, name))
    if (!isAs(demanded, config)) throw pubsubError('precondition-not-met')
    if (node) return node
    try {
      return await engine.create(owner, name, by, config)
    } catch (error) {
      // Another process has created it just now.
      if (error instanceof StanzaError && error.condition === 'conflict') return this.#existing(owner, name, demanded)
      throw error
    }
  }

  async #existing (owner: Jid, name: string, demanded: Values): Promise<PubsubNode> {
    const node = await this.#pubsub.engine.need(owner, name)
    if (!isAs(demanded, node.config)) throw pubsubError('precondition-not-met')
    return node
  }

  // §7.1.3.5.
  #checkSize ({ max_payload_size: most }: NodeConfig, payload: Written | undefined): void {
    const { itemBytes } = this.#pubsub.engine.parts.limits
    const allowed = most === 'max' ? itemBytes : Math.min(most, itemBytes)
    if (payload && Buffer.byteLength(payload.xml) > allowed) {
      throw pubsubError('payload-too-big', `the payload is too big: at most ${allowed} bytes are allowed`)
    }
  }

  /** Answers `<retract/>` (§7.2). */
  async answerRetract ({ owner, from, action }: Call): Promise<void> {
    const name = nodeIn(action)
    const [item] = action.children(1) ?? []
    const id = item?.name === 'item' ? item.attrs['id'] : undefined
    if (id === undefined) throw pubsubError('item-required')
    const { notify = '0' } = action.attrs
    const isFound = await this.retract(owner, name, id, notify === '1' || notify === 'true', from)
    if (!isFound) throw new StanzaError('item-not-found')
  }

  /** Takes an item away; whether there was one. Subscribers are told where that is asked for, or the node says so. */
  retract (owner: Jid, name: string, id: string, isAsked: boolean, by: Jid): Promise<boolean> {
    const { engine, behaviours, db } = this.#pubsub
    return engine.change(owner, name, async node => {
      if (!node.config.persist_items) throw unsupported('persistent-items')
      const publisher = await readPublisher(db, node, id)
      checkMayRetract(node, by, publisher)
      if (publisher === undefined) return false
      if (!await engine.retract(node, id)) return
      this.forget(owner, name)
      await behaviours.retracted(owner, name, [id])
      if (isAsked || node.config.notify_retract) await engine.parts.notifier.notify(node, retractedEvent(node, [id]))
      return true
    })
  }
}

/** Undefined where one of several publications is refused: each is looked at then. */
function whenRefused (error: unknown): undefined {
  if (!(error instanceof StanzaError)) throw error
}

/** §4.1: publishers may take away what others published, who may only publish what they have published themselves. */
function checkMayRetract (node: PubsubNode, who: Jid, publisher: string | undefined): void {
  const affiliation = affiliationOf(node, who)
  if (affiliation === 'owner' || affiliation === 'publisher') return
  const bare = who.bare.toString()
  const isOwn = publisher !== undefined && (publisher === bare || publisher.startsWith(`${bare}/`))
  if (!isOwn || !mayPublish(node, who)) throw new StanzaError('forbidden')
}

/** The same client, the same request: nothing else is a repeat. */
function digestOf ({ from, id = '', xml }: Call): string {
  return createHash('sha1').update(`${from.bare}\n${id}\n`).update(xml).digest('base64')
}

function itemIn (publish: Written): Publication['item'] {
  const items = publish.children(1)
  if (!items) throw new StanzaError('bad-request', 'one item can be published at a time')
  const [item] = items
  if (!item) return
  if (item.name !== 'item' || item.ns !== NS_PUBSUB) throw new StanzaError('bad-request', 'there must be an item')
  const payloads = item.children(1)
  if (!payloads) throw pubsubError('invalid-payload', 'there must be exactly one payload') // §7.1.3.6
  const { id } = item.attrs
  return { id: id === undefined || id === '' ? undefined : checkedName(id), payload: payloads[0] }
}

function preconditionsIn ({ besides }: Call): Values | undefined {
  return besides?.name === 'publish-options' ? formIn(treeOf(besides)) : undefined
}

/** §7.1.3.7: what is published is of the node's type of events. */
function checkItem ({ persist_items: isKept, deliver_payloads: isTold }: NodeConfig, item: Publication['item']): void {
  if (!item && isKept) throw pubsubError('item-required')
  if (item && !isKept && !isTold) throw pubsubError('item-forbidden')
  if (isTold && !item?.payload) throw pubsubError('payload-required')
}
