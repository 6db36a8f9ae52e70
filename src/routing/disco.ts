/**
 * XEP-0030: Service Discovery, XEP-0128: Service Discovery Extensions, and XEP-0115: Entity Capabilities. Answers for
 * the server, accounts and rooms from the features that were declared, and offers their hash as a stream feature.
 */
import type { DiscoTarget } from '../extension/facets/disco.ts'
import type { ExtensionHost } from '../extension/host.ts'
import type { IqRequest } from '../extension/requests.ts'
import { addTo } from '../util/add-to.ts'
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { form } from '../xmpp/forms.ts'
import type { Field } from '../xmpp/forms.ts'
import type { Jid } from '../xmpp/jid.ts'
import { NS_CAPS, verificationString } from './caps.ts'
import type { Identity } from './caps.ts'

export const NS_INFO = 'http://jabber.org/protocol/disco#info'
const NS_ITEMS = 'http://jabber.org/protocol/disco#items'
const CAPS_NODE = 'urn:heliograph'
/** XEP-0157 §2, XEP-0485 §3: a server has one form of this type, whatever there is in it. */
const SERVER_FORM = 'http://jabber.org/network/serverinfo'

interface Entity { readonly identities: readonly Identity[], readonly features: Set<string>, readonly forms: Element[] }

/** A node of every account (XEP-0030 §3.2). */
export interface DiscoNode {
  readonly identity: Identity
  readonly features: readonly string[]
  readonly items?: () => readonly { readonly node: string, readonly name: string }[]
}

/** The nodes of accounts and services (XEP-0060 §5), of which others may ask, too. */
export interface PubsubNodes {
  /** The disco#info of a node; undefined where there is none, or not for the asker. */
  info (owner: Jid, node: string, asker: Jid): Promise<Element | undefined>
  /** The items of an account or a service, or of one of its nodes; undefined where there is no such node. */
  items (owner: Jid, asker: Jid, query: Element): Promise<Element | undefined>
}

/** A service of a host, such as its rooms. */
export interface Service { readonly jid: string, readonly name?: string | undefined }

/** What a component has told about itself, for a namespace that is delegated to it (XEP-0355 §7.2). */
export interface Nested {
  readonly identities: readonly Identity[]
  readonly features: readonly string[]
  readonly forms: readonly Element[]
}

export class Disco {
  readonly #entities: Readonly<Record<DiscoTarget, Entity>> = {
    server: {
      identities: [{ category: 'server', type: 'im', name: 'Heliograph' }],
      features: new Set([NS_INFO, NS_ITEMS, NS_CAPS]), forms: [],
    },
    account: {
      identities: [{ category: 'account', type: 'registered' }, { category: 'pubsub', type: 'pep' }],
      features: new Set([NS_INFO, NS_ITEMS]), forms: [],
    },
    rooms: {
      identities: [{ category: 'conference', type: 'text', name: 'Rooms' }], features: new Set([NS_INFO, NS_ITEMS]),
      forms: [],
    },
    pubsub: {
      identities: [{ category: 'pubsub', type: 'service' }], features: new Set([NS_INFO, NS_ITEMS]), forms: [],
    },
    // A room adds an identity with its own name, and forms of its own.
    room: { identities: [], features: new Set([NS_INFO, NS_ITEMS]), forms: [] },
  }
  readonly #accountFeatures = new Map<string, Set<string>>()
  readonly #nodes = new Map<string, DiscoNode>()
  readonly #services: ((host: Jid) => Service | undefined)[] = []
  readonly #nested = new Map<string, Partial<Record<DiscoTarget, Nested>>>()
  readonly #serverFields: ((host: string) => readonly Field[])[] = []
  /** Hashes, by the host. */
  readonly #vers = new Map<string, string>()

  /** Adds a feature; the returned function removes it. */
  addFeature (ns: string, of: DiscoTarget): () => void {
    return this.#addTo([this.#entities[of].features], ns)
  }

  /** Adds a feature to the accounts of these hosts only; the returned function removes it. */
  addAccountFeature (ns: string, hosts: readonly string[]): () => void {
    return this.#addTo(hosts.map(host => this.#featuresOn(host)), ns)
  }

  #addTo (lists: readonly Set<string>[], ns: string): () => void {
    for (const features of lists) features.add(ns)
    this.#vers.clear()
    return () => {
      for (const features of lists) features.delete(ns)
      this.#vers.clear()
    }
  }

  /** The features of one host's accounts that other accounts lack. */
  #featuresOn (host: string): Set<string> {
    let features = this.#accountFeatures.get(host)
    if (!features) this.#accountFeatures.set(host, features = new Set())
    return features
  }

  /** Adds extended information (XEP-0128); the returned function removes it. */
  addForm (form: Element, of: DiscoTarget): () => void {
    return this.#addForms(this.#entities[of].forms, form)
  }

  /** Adds fields to the form about each host (XEP-0157); the returned function removes them. */
  addServerFields (fields: (host: string) => readonly Field[]): () => void {
    return this.#addForms(this.#serverFields, fields)
  }

  #addForms<T> (list: T[], one: T): () => void {
    const remove = addTo(list, one)
    this.#vers.clear()
    return () => {
      remove()
      this.#vers.clear()
    }
  }

  /** Adds a node to every account, visible to its owner; the returned function removes it. */
  addNode (name: string, node: DiscoNode): () => void {
    this.#nodes.set(name, node)
    return () => { this.#nodes.delete(name) }
  }

  /** A namespace is delegated: the server and its accounts tell of it what the component has told, if it has. */
  nest (ns: string, nested: Partial<Record<'server' | 'account', Nested>>): void {
    this.#nested.set(ns, nested)
    this.#vers.clear()
  }

  /** An entity with what is told of delegated namespaces in place of its own. */
  #whole (of: DiscoTarget): Entity {
    const own = this.#entities[of]
    if (this.#nested.size === 0 || (of !== 'server' && of !== 'account')) return own
    const isNested = (ns: string): boolean => this.#nested.has(ns)
    const features = [...own.features].filter(one => !isNested(one) && !isNested(one.replace(/#.*/s, '')))
    const nested = [...this.#nested.values()].flatMap(targets => targets[of] ?? [])
    return {
      identities: [...own.identities, ...nested.flatMap(({ identities }) => identities)],
      features: new Set([...features, ...nested.flatMap(one => one.features)]),
      forms: [...own.forms, ...nested.flatMap(({ forms }) => forms)],
    }
  }

  #server (host: string): Entity {
    const whole = this.#whole('server')
    const fields = this.#serverFields.flatMap(of => of(host))
    return fields.length > 0 ? { ...whole, forms: [...whole.forms, form('result', SERVER_FORM, fields)] } : whole
  }

  /** Adds a service to the items of each host for which there is one. */
  addService (of: (host: Jid) => Service | undefined): void {
    this.#services.push(of)
  }

  /** The disco#info of a room: the features and forms of all rooms, and its own. */
  describeRoom (identity: Identity, features: readonly string[], forms: readonly Element[]): Element {
    const { room } = this.#entities
    return infoOf({
      identities: [identity], features: new Set([...room.features, ...features]), forms: [...room.forms, ...forms],
    }, undefined)
  }

  /** The disco#info of a node of an account or of the service, with a form about it. */
  describeNode (node: string, identity: Identity, features: readonly string[], form: Element): Element {
    return infoOf({ identities: [identity], features: new Set(features), forms: [form] }, node)
  }

  /** Answers queries; `mayKnow` says whether the account exists and `from` may know that (XEP-0030 §8). */
  register (
    host: ExtensionHost, mayKnow: (account: Jid, from: Jid) => Promise<boolean>, pubsubNodes: PubsubNodes,
  ): void {
    const accountInfo = (query: Element, { domain }: Jid): Element =>
      this.#info(this.#whole('account'), query, [], this.#accountFeatures.get(domain))
    const info = { type: 'get', name: 'query', ns: NS_INFO } as const
    const items = { type: 'get', name: 'query', ns: NS_ITEMS } as const
    // XEP-0115 §6.2: a query may name the node that the hash was announced with.
    host.iq({ ...info, to: ['server'] }, ({ payload, to: { domain } }) =>
      this.#info(this.#server(domain), payload, [`${CAPS_NODE}#${this.#serverVer(domain)}`]))
    const nodeInfo = async ({ to, from, payload: { attrs: { node } } }: IqRequest): Promise<Element | undefined> =>
      node === undefined ? undefined : pubsubNodes.info(to, node, from)
    host.iq({ ...info, to: ['own-account'] }, async request =>
      this.#nodeInfo(request.payload) ?? await nodeInfo(request) ?? accountInfo(request.payload, request.to))
    host.iq({ ...info, to: ['account'] }, async request => {
      const { to, from, payload } = request
      const ofNode = await nodeInfo(request)
      if (ofNode) return ofNode
      if (!await mayKnow(to, from)) throw new StanzaError('service-unavailable')
      return accountInfo(payload, to)
    })
    host.iq({ ...info, to: ['rooms'] }, ({ payload }) => this.#info(this.#whole('rooms'), payload, []))
    host.iq({ ...info, to: ['pubsub'] }, async request =>
      await nodeInfo(request) ?? this.#info(this.#whole('pubsub'), request.payload, []))
    host.iq({ ...items, to: ['pubsub'] }, async ({ payload, to, from }) =>
      await pubsubNodes.items(to, from, payload) ?? answerItems(payload))
    host.iq({ ...items, to: ['server'] }, ({ payload, to }) =>
      answerItems(payload, this.#services.flatMap(of => of(to) ?? [])))
    host.iq({ ...items, to: ['own-account'] }, async ({ payload, to, from }) =>
      this.#nodeItems(payload, to) ?? await pubsubNodes.items(to, from, payload) ?? answerItems(payload))
    // XEP-0030 §8: empty, also for a node, whether or not there is such an account.
    const nothing = ({ payload: { attrs: { node } } }: IqRequest): Element => el('query', NS_ITEMS, { node })
    host.iq({ ...items, to: ['account'] }, async request =>
      await pubsubNodes.items(request.to, request.from, request.payload) ?? nothing(request))
    host.iq({ ...items, to: ['address'] }, nothing)
  }

  /** XEP-0115 §6.3: the stream feature of a host. */
  caps (host: string): Element {
    return el('c', NS_CAPS, { hash: 'sha-1', node: CAPS_NODE, ver: this.#serverVer(host) })
  }

  #serverVer (host: string): string {
    const ver = this.#vers.get(host) ?? verificationString(this.#server(host))
    this.#vers.set(host, ver)
    return ver
  }

  #nodeInfo ({ attrs }: Element): Element | undefined {
    const node = attrs.node === undefined ? undefined : this.#nodes.get(attrs.node)
    if (!node) return
    const { category, type, name } = node.identity
    return el('query', NS_INFO, { node: attrs.node }, el('identity', NS_INFO, { category, type, name }),
      node.features.map(feature => el('feature', NS_INFO, { var: feature })))
  }

  #nodeItems ({ attrs }: Element, of: Jid): Element | undefined {
    const node = attrs.node === undefined ? undefined : this.#nodes.get(attrs.node)
    return node && el('query', NS_ITEMS, { node: attrs.node },
      (node.items?.() ?? []).map(item => el('item', NS_ITEMS, { jid: of.toString(), ...item })))
  }

  #info (
    { features, ...entity }: Entity, { attrs: { node } }: Element, nodes: readonly string[],
    besides: Iterable<string> = [],
  ): Element {
    if (node !== undefined && !nodes.includes(node)) throw new StanzaError('item-not-found')
    return infoOf({ ...entity, features: new Set([...features, ...besides]) }, node)
  }
}

function infoOf ({ identities, features, forms }: Entity, node: string | undefined): Element {
  return el('query', NS_INFO, { node },
    identities.map(({ category, type, name }) => el('identity', NS_INFO, { category, type, name })),
    [...features].sort().map(feature => el('feature', NS_INFO, { var: feature })),
    forms)
}

// XEP-0030 §4.
function answerItems (query: Element, items: readonly Service[] = []): Element {
  if (query.attrs.node !== undefined) throw new StanzaError('item-not-found')
  return el('query', NS_ITEMS, {}, items.map(({ jid, name }) => el('item', NS_ITEMS, { jid, name })))
}
