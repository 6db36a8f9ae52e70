/** Configured limits of nodes and items. */

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
