/** Configured limits of nodes and items. */
import type { Jid } from '../xmpp/jid.ts'
import { pubsubError } from './errors.ts'
import type { PubsubNode } from './node.ts'

/** Subscriptions of one account's addresses to one node. */
const MAX_OF_ONE = 50

export interface PubsubLimits {
  /** Who may create nodes at pubsub.HOST: all, the accounts of the served hosts that last, or nobody. */
  readonly create: 'anyone' | 'local' | 'nobody'
  /** Nodes that one account has created, its own and those at the service. */
  readonly nodes: number
  /** Items of one node: what `max_items: max` means. */
  readonly items: number
  /** Bytes of one item's payload. */
  readonly itemBytes: number
  /** Bytes of all items in the nodes that one account has created. */
  readonly bytes: number
  /** Subscriptions of one node. */
  readonly subscriptions: number
  /** Affiliations of one node. */
  readonly affiliations: number
}

export const DEFAULT_PUBSUB_LIMITS: PubsubLimits = {
  create: 'local',
  nodes: 1000,
  items: 10_000,
  itemBytes: 131_072,
  bytes: 50_000_000,
  subscriptions: 10_000,
  affiliations: 1000,
}

/** Throws where so many more subscriptions of the account are too many for it, or for the node (XEP-0060 §6.1.3.9). */
export function checkCount ({ subscriptions }: PubsubLimits, node: PubsubNode, account: Jid, more: number): void {
  if (more === 0) return
  let all = more
  for (const { length } of node.subscriptions.values()) all += length
  const own = node.subscriptions.get(account.bare.toString())?.length ?? 0
  if (all > subscriptions || own + more > MAX_OF_ONE) throw pubsubError('too-many-subscriptions')
}
