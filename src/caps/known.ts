/**
 * What clients can do, learnt once for each hash (XEP-0115 §5.4): from memory, from the database, or else from one of
 * the clients that announce it.
 */
import { LRUCache } from 'lru-cache'
import type { Logger } from '../log.ts'
import { NS_INFO } from '../routing/disco.ts'
import type { Database } from '../storage/database.ts'
import { inBackground } from '../util/background.ts'
import { RateLimit } from '../util/rate-limit.ts'
import { within } from '../util/within.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import type { Iq } from '../xmpp/stanza.ts'
import { digestOf, isSame } from './announced.ts'
import type { Announced } from './announced.ts'
import { NOTIFY, readAnswer } from './answer.ts'
import { readFeatures, removeUnused, saveFeatures } from './store.ts'

/** The limits of what is in memory and in the database. */
const MAX_MEMORY_BYTES = 16 * 1024 ** 2
const MAX_STORED_BYTES = 64 * 1024 ** 2
/** Hashes in use are looked up again after this time, so that the database knows that they are. */
const MEMORY_MS = 86_400_000
/** The time for the answer of another client that has announced the same, before a client is asked itself. */
const OTHER_MS = 5000
const HOUR_MS = 3_600_000

export const NONE: ReadonlySet<string> = new Set()

/** What no client announces. */
const NOTHING: Announced = { hash: undefined, node: '', ver: '' }

/** What a client announces, and what is known of it. */
export interface Learnt {
  readonly announced: Announced
  /** The nodes of which it wants notifications (XEP-0163 §4.2). */
  readonly notify: ReadonlySet<string>
}

/** Clients, by session or by address, with what is known of them. */
export interface Clients<Key> {
  get (client: Key): Learnt | undefined
  set (client: Key, learnt: Learnt): void
  delete (client: Key): void
}

/** The way to a client that is asked where nobody knows. */
export interface Inquiry {
  /** By which it is counted how much is to be learnt: an account, or another server. */
  readonly sender: string
  /** The lookups of one sender in an hour. */
  readonly limit: RateLimit
  /** Undefined where it can't be asked now. */
  ask (query: Element): Promise<Iq> | undefined
  /** It wants notifications of other nodes than `before`. */
  changed (notify: ReadonlySet<string>, before: ReadonlySet<string>): void
}

/** Lookups of a sender in an hour. */
export function hourly (perHour: number): RateLimit {
  return new RateLimit(perHour, HOUR_MS)
}

export class KnownCapabilities {
  readonly #db: Database
  readonly #log: Logger
  /** By hash function and hash; one for all clients that announce it. */
  readonly #learnt = new LRUCache<string, Learnt>({
    maxSize: MAX_MEMORY_BYTES, ttl: MEMORY_MS, sizeCalculation: weightOf,
  })
  readonly #reading = new Map<string, Promise<Learnt | undefined>>()
  readonly #asking = new Map<string, Promise<Learnt | undefined>>()

  constructor (db: Database, log: Logger) {
    this.#db = db
    this.#log = log
  }

  /** What is in memory. */
  get (announced: Announced): Learnt | undefined {
    return this.#learnt.get(keyOf(announced))
  }

  /** What is in memory or in the database. Never rejects. */
  async find (announced: Announced): Promise<Learnt | undefined> {
    const key = keyOf(announced)
    if (digestOf(announced) === undefined) return
    return this.#learnt.get(key) ?? this.#reading.get(key) ?? this.#read(announced, key)
  }

  #read (announced: Announced, key: string): Promise<Learnt | undefined> {
    const reading = readFeatures(this.#db, announced)
      .then(features => features && this.#keep(announced, features))
      .catch((err: unknown): undefined => { this.#failed(err) })
      .finally(() => { this.#reading.delete(key) })
    this.#reading.set(key, reading)
    return reading
  }

  #keep (announced: Announced, features: readonly string[]): Learnt {
    const learnt = learntFrom(announced, features)
    this.#learnt.set(keyOf(announced), learnt)
    return learnt
  }

  /**
   * Keeps up with a client that announces something. Until that is known, it wants what it wanted before. What nobody
   * knew and the client does not tell is looked up again with its next announcement.
   */
  follow<Key> (clients: Clients<Key>, client: Key, announced: Announced, inquiry: Inquiry): void {
    const before = clients.get(client)
    if (before && isSame(before.announced, announced)) return
    const known = this.get(announced)
    if (known) return become(clients, client, known, inquiry)
    const pending = { announced, notify: before?.notify ?? NONE }
    clients.set(client, pending)
    inBackground(this.#log, 'capabilities of a client', this.#learn(announced, inquiry).then(learnt => {
      if (clients.get(client) !== pending) return // it is gone, or has announced something else
      if (learnt) become(clients, client, learnt, inquiry)
      else if (pending.notify === NONE) clients.delete(client)
      else clients.set(client, { announced: NOTHING, notify: pending.notify })
    }))
  }

  /**
   * What a client answers is for all who announce the same hash where it can be verified, and for itself otherwise.
   * Undefined where it does not answer, or where too much is to be learnt of the sender's clients.
   */
  async #learn (announced: Announced, inquiry: Inquiry): Promise<Learnt | undefined> {
    const key = keyOf(announced)
    const { limit, sender } = inquiry
    const taken = this.#reading.has(key) ? undefined : limit.take(sender)
    if (!taken && !this.#reading.has(key)) return
    const known = await this.find(announced)
    if (known) return known
    const asking = this.#asking.get(key)
    const told = asking && await within(OTHER_MS, asking).catch(() => undefined)
    if (told) return told
    if (!taken && !limit.take(sender)) return
    const answer = this.#ask(announced, inquiry)
    if (digestOf(announced) === undefined || this.#asking.has(key)) return answer
    this.#asking.set(key, answer.then(() => this.get(announced)))
    return answer.finally(() => { this.#asking.delete(key) })
  }

  // §6.2: with the node that the hash was announced with; the legacy format has others (§13).
  async #ask (announced: Announced, inquiry: Inquiry): Promise<Learnt | undefined> {
    const { hash, node, ver } = announced
    const iq = await inquiry.ask(el('query', NS_INFO, { node: hash === undefined ? undefined : `${node}#${ver}` }))
    const answer = iq && readAnswer(iq, announced)
    if (!answer) return
    if (!answer.isVerified) return learntFrom(announced, answer.features)
    saveFeatures(this.#db, announced, answer.features).catch((err: unknown) => { this.#failed(err) })
    return this.#keep(announced, answer.features)
  }

  #failed (err: unknown): void {
    this.#log.debug({ event: 'caps.database_failed', err }, 'caps: the database was of no use')
  }

  /** Removes from the database what is beyond the limit. */
  removeUnused (): Promise<void> {
    return removeUnused(this.#db, MAX_STORED_BYTES)
  }
}

function become<Key> (clients: Clients<Key>, client: Key, learnt: Learnt, { changed }: Inquiry): void {
  const before = clients.get(client)?.notify ?? NONE
  clients.set(client, learnt)
  if (learnt.notify !== before) changed(learnt.notify, before)
}

function keyOf ({ hash, ver }: Announced): string {
  return `${hash} ${ver}`
}

function learntFrom (announced: Announced, features: readonly string[]): Learnt {
  const nodes = features.filter(feature => feature.endsWith(NOTIFY))
    .map(feature => Buffer.from(feature.slice(0, -NOTIFY.length)).toString()) // without the answer that it is a part of
  return { announced, notify: nodes.length === 0 ? NONE : new Set(nodes) }
}

function weightOf ({ announced, notify }: Learnt): number {
  let bytes = 500 + 2 * (announced.node.length + announced.ver.length)
  for (const node of notify) bytes += 2 * node.length + 50
  return bytes
}
