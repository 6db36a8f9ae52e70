/** Nodes of accounts (XEP-0163): what a feature adds to its own, and what it publishes on an account's behalf. */
import type { Written } from '../../xml/written.ts'
import type { ArchiveIds } from '../../xmpp/archive-ids.ts'
import type { Jid } from '../../xmpp/jid.ts'
import type { Message } from '../../xmpp/stanza.ts'

/** Its methods run in the node's turn: they must not wait for changes of the same node. */
export interface NodeBehaviour {
  /**
   * Options of a new node that differ from the usual ones, by the names and with the values of the node's form:
   * `{ 'pubsub#access_model': ['open'] }`.
   */
  readonly defaults?: Readonly<Record<string, readonly string[]>>
  /** Before an item is stored: returns another payload, or throws the StanzaError that refuses it. */
  publishing? (account: Jid, item: { readonly id: string, readonly payload: Written }):
    Written | void | Promise<Written | void>
  /** An item was published, whoever did it; after the commit, before anybody is told. */
  published? (account: Jid, item: { readonly id: string, readonly payload: string }): void | Promise<void>
  /** Items were taken away, or all of them, with the node or without it; not for items that have expired. */
  retracted? (account: Jid, ids: readonly string[] | 'all'): void | Promise<void>
}

export interface StoredItem {
  readonly id: string
  /** Full. */
  readonly publisher: string
  /** Milliseconds since 1970. */
  readonly publishedAt: number
  /** As XML; empty where the item has none. */
  readonly payload: string
}

/** A page of the archive of a node (XEP-0442). */
export interface NodeArchiveRange {
  /** The numbers between which it is, both excluded. */
  readonly after: number
  readonly before: number
  readonly ids?: readonly number[] | undefined
  /** Milliseconds since 1970, both ends included. */
  readonly start?: number | undefined
  readonly end?: number | undefined
  /** A bare address stands for all of its resources. */
  readonly publisher?: string | undefined
  /** Items of the page, and whether they are the last ones. */
  readonly max: number
  readonly fromEnd: boolean
  /** Numbers that the archive must have: without one of them it throws item-not-found. */
  readonly known: readonly number[]
}

export interface NodeArchivePage {
  /** In the order of publication: the events as subscribers were sent them, and when (milliseconds since 1970). */
  readonly events: readonly { readonly seq: number, readonly sentAt: number, readonly event: Message }[]
  /** Whether the page reaches the end in its direction. */
  readonly isComplete: boolean
  /** Items of the node. */
  readonly count: number
}

/** The items that a node has, numbered in the order of their publication. */
export interface NodeArchive {
  readonly archiveIds: ArchiveIds
  /** Whether who asks may know who has published. */
  readonly seesPublishers: boolean
  /** A page, of at most 512 KiB. Throws StanzaError as `archive` does. */
  read (range: NodeArchiveRange): Promise<NodeArchivePage>
}

/**
 * Methods about an account's nodes are called where its home is: in handlers of its own requests, for example. Contacts
 * hear of what is published where the account is in memory.
 */
export interface PubsubFacet {
  /** Adds a behaviour to the nodes of that name, in all accounts. */
  node (name: string, behaviour: NodeBehaviour): void
  /**
   * Publishes in the account's name, and creates the node where there is none. The id is made where none is given;
   * resolves with it after the commit. Throws StanzaError where a limit is reached, or the node is not as `demanded`
   * (publish-options, by the names and with the values of the node's form).
   */
  publish (
    account: Jid, node: string, item: { readonly id?: string, readonly payload: Written },
    demanded?: Readonly<Record<string, readonly string[]>>,
  ): Promise<string>
  /** The options of a node, by the names of its form; undefined where there is no such node. */
  options (account: Jid, node: string): Promise<Readonly<Record<string, readonly string[]>> | undefined>
  /** The newest items, at most 1000, oldest first; nothing where there is no such node. */
  items (account: Jid, node: string, ids?: readonly string[]): Promise<readonly StoredItem[]>
  /**
   * The archive of a node of an account or a service, for somebody. Throws the StanzaError that a request for the
   * node's items would be answered with.
   */
  archive (owner: Jid, node: string, asker: Jid): Promise<NodeArchive>
  /**
   * Withholds the nodes of some accounts from others: `of` resolves with those of the accounts, bare, that tell that
   * address nothing. Asked before last items are sent, which an account's guards do not see.
   */
  withhold (of: (accounts: readonly string[], from: Jid) => Promise<ReadonlySet<string>>): void
  /** Takes an item away; whether there was one. */
  retract (account: Jid, node: string, id: string): Promise<boolean>
}
