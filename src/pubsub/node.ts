/** A node (XEP-0060) as a process remembers it, and who is what to it. */
import type { Jid } from '../xmpp/jid.ts'
import type { NodeConfig } from './node-config.ts'
import { isOver } from './subscription-options.ts'
import type { SubscriptionOptions } from './subscription-options.ts'

/** §4.1. */
export const AFFILIATIONS = ['owner', 'publisher', 'publish-only', 'member', 'none', 'outcast'] as const
export type NodeAffiliation = typeof AFFILIATIONS[number]

/** §4.2. */
export interface Subscription {
  /** Where the events go: bare, full, or a domain. */
  readonly jid: Jid
  readonly state: 'pending' | 'subscribed'
  readonly options: SubscriptionOptions
}

export interface PubsubNode {
  /** Bare: the account, or the service. */
  readonly owner: Jid
  readonly name: string
  /** Of the configuration, affiliations and subscriptions. */
  readonly version: string
  readonly creator: Jid
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly config: NodeConfig
  /** By bare address; the account itself is not among them. */
  readonly affiliations: ReadonlyMap<string, NodeAffiliation>
  /** By the bare address: that one's, and those of its resources. */
  readonly subscriptions: ReadonlyMap<string, readonly Subscription[]>
}

export interface Item {
  readonly id: string
  /** Full. */
  readonly publisher: string
  /** Milliseconds since 1970. */
  readonly publishedAt: number
  /** As XML; empty where there is none. */
  readonly payload: string
}

/** Whether the nodes of that address are a service's (XEP-0060), and no account's (XEP-0163). */
export function isService (owner: Jid): boolean {
  return owner.local === ''
}

export function affiliationOf ({ owner, affiliations }: PubsubNode, { bare }: Jid): NodeAffiliation {
  if (bare.equals(owner)) return 'owner' // XEP-0163 §3.2
  return affiliations.get(bare.toString()) ?? 'none'
}

/** Those who may manage the node, bare. */
export function ownersOf ({ owner, affiliations }: PubsubNode): readonly string[] {
  const appointed = [...affiliations].flatMap(([jid, affiliation]) => affiliation === 'owner' ? [jid] : [])
  return isService(owner) ? appointed : [owner.toString(), ...appointed]
}

/** The subscriptions of an address and its resources that are not over. */
export function subscriptionsOf ({ subscriptions }: PubsubNode, { bare }: Jid): readonly Subscription[] {
  return (subscriptions.get(bare.toString()) ?? []).filter(({ options }) => !isOver(options))
}

export function isSubscribed (node: PubsubNode, who: Jid): boolean {
  return subscriptionsOf(node, who).some(({ state }) => state === 'subscribed')
}

/** A new subscription, or the end of one. */
export interface SubscriptionChange { readonly jid: Jid, readonly subscription: Subscription | undefined }

/** The node with other subscriptions. */
export function withSubscriptions (
  node: PubsubNode, changes: readonly SubscriptionChange[], version: string,
): PubsubNode {
  const subscriptions = new Map(node.subscriptions)
  for (const { jid, subscription } of changes) {
    const key = jid.bare.toString()
    const others = (subscriptions.get(key) ?? []).filter(one => !one.jid.equals(jid))
    const all = subscription ? [...others, subscription] : others
    if (all.length > 0) subscriptions.set(key, all)
    else subscriptions.delete(key)
  }
  return { ...node, subscriptions, version }
}

/** The node with other affiliations. */
export function withAffiliations (
  node: PubsubNode, changes: ReadonlyMap<string, NodeAffiliation>, version: string,
): PubsubNode {
  const affiliations = new Map(node.affiliations)
  for (const [jid, affiliation] of changes) {
    if (affiliation === 'none') affiliations.delete(jid)
    else affiliations.set(jid, affiliation)
  }
  return { ...node, affiliations, version }
}
