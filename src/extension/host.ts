/** The interface of an extension, and of the host that its `setup` is given. */
import type { z } from 'zod'
import type { Logger } from '../log.ts'
import type { Database } from '../storage/database.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { AccountsFacet } from './facets/accounts.ts'
import type { ClusterFacet } from './facets/cluster.ts'
import type { DiscoFacet } from './facets/disco.ts'
import type { DocumentsFacet } from './facets/documents.ts'
import type { FederationFacet } from './facets/federation.ts'
import type { MessagesFacet } from './facets/messages.ts'
import type { PubsubFacet } from './facets/pubsub.ts'
import type { RoomsFacet } from './facets/rooms.ts'
import type { StreamFacet } from './facets/stream.ts'
import type { Events, Point, Stages } from './points.ts'
import type { Command, IqHandler, IqRoute, IqTarget } from './requests.ts'

export interface Extension<Config = unknown> {
  /** Its folder, its key in the config file, and the name on its log lines. */
  readonly name: string
  /** The XEPs it implements, as 'number@version'; they are in the README's table, too. */
  readonly xeps: readonly string[]
  /** The schema of its options in the config file, with their defaults. */
  readonly config?: z.ZodType<Config>
  /** The section of the server's config that holds its options; its own key is only on or off then. */
  readonly section?: string
  /** Off where the config does not name it. */
  readonly isOptIn?: true
  /** Extensions that run before this one in every stage, where both are on. */
  readonly after?: readonly string[]
  // A method, not a property: an Extension<X> is assignable to Extension only so.
  setup (host: ExtensionHost, config: Config): void | Promise<void>
}

/** Infers the type of `setup`'s options from the config schema. */
export function extension<Config = undefined> (definition: Extension<Config>): Extension<Config> {
  return definition
}

export interface ExtensionHost {
  /** The hosts served, in the order of the config. */
  readonly hosts: readonly string[]
  readonly log: Logger
  /** For loading accounts and rooms, for small changes, and for work of the extension's own. */
  readonly db: Database
  /** The same database through connections for archiving messages only, so that a message waits for nothing else. */
  readonly messageDb: Database
  /**
   * Runs a read that an account asked for in that account's turn, under a time limit. Rejects with the StanzaError that
   * answers the request when too many of the account's reads wait, or this one takes too long.
   */
  readFor<T>(asker: Jid, work: (db: Database) => Promise<T>): Promise<T>

  /** Adds a handler to a stage. */
  on<P extends Point, S extends keyof Stages[P]>(point: P, stage: S, handler: Stages[P][S]): void
  /** Adds a handler of an event. */
  when<E extends keyof Events>(event: E, handler: Events[E]): void
  /** Answers the iq requests of a route. */
  iq<const Target extends IqTarget>(route: IqRoute<Target>, handler: IqHandler<Target>): void
  /** Offers an ad-hoc command (XEP-0050) to the owner of each account. */
  command (command: Command): void

  readonly disco: DiscoFacet
  readonly stream: StreamFacet
  readonly messages: MessagesFacet
  readonly accounts: AccountsFacet
  readonly documents: DocumentsFacet
  readonly rooms: RoomsFacet
  readonly pubsub: PubsubFacet
  readonly federation: FederationFacet
  /** Undefined on a server that is not part of a cluster. */
  readonly cluster?: ClusterFacet | undefined

  /** A secret of 32 bytes, the same on all nodes of the installation, created at its first use. */
  secret (name: string): Promise<Buffer>
  /** Runs a task at an interval, until the extension is unloaded. Its failures are logged. */
  every (milliseconds: number, task: () => void | Promise<void>): void
  atShutdown (task: () => void | Promise<void>): void
}
