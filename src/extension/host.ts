/** What an extension is, and what it is given. */
import type { z } from 'zod'
import type { Logger } from '../log.ts'
import type { Database } from '../storage/database.ts'
import type { Jid } from '../xmpp/jid.ts'
import type { AccountsFacet } from './facets/accounts.ts'
import type { ClusterFacet } from './facets/cluster.ts'
import type { DiscoFacet } from './facets/disco.ts'
import type { MessagesFacet } from './facets/messages.ts'
import type { RoomsFacet } from './facets/rooms.ts'
import type { StreamFacet } from './facets/stream.ts'
import type { Events, Point, Stages } from './points.ts'
import type { Command, IqHandler, IqRoute, IqTarget } from './requests.ts'

export interface Extension<Config = unknown> {
  /** Its folder, its key in the config file, and the name on its log lines. */
  readonly name: string
  /** What it implements: 'number@version'; the table in the README says so, too. */
  readonly xeps: readonly string[]
  /** What its key in the config file may hold, with the defaults in it. */
  readonly config?: z.ZodType<Config>
  /** The section of the server's config that holds its options; its own key only switches it on and off then. */
  readonly section?: string
  /** Extensions that come before this one in every stage, where both are on. */
  readonly after?: readonly string[]
  // A method, not a property: so that an Extension<X> may stand in a list of Extension.
  setup (host: ExtensionHost, config: Config): void | Promise<void>
}

/** Gives `setup` the type that the config schema says. */
export function extension<Config = undefined> (definition: Extension<Config>): Extension<Config> {
  return definition
}

export interface ExtensionHost {
  /** The hosts served, the first of them first. */
  readonly hosts: readonly string[]
  readonly log: Logger
  /** For what is loaded with accounts and rooms, for small changes, and for work of the extension's own. */
  readonly db: Database
  /** The same database, for messages that are kept: nothing else has to be waited for there. */
  readonly messageDb: Database
  /**
   * Reads what somebody asks for, when it is the turn of the asker's account, with a bound on what that may take. Rejects
   * with the StanzaError that answers the request: when too many of the account's wait, or it takes too long.
   */
  readFor<T> (asker: Jid, work: (db: Database) => Promise<T>): Promise<T>

  /** Takes a place in a stanza's way. */
  on<P extends Point, S extends keyof Stages[P]> (point: P, stage: S, handler: Stages[P][S]): void
  when<E extends keyof Events> (event: E, handler: Events[E]): void
  iq<const Target extends IqTarget> (route: IqRoute<Target>, handler: IqHandler<Target>): void
  /** XEP-0050, for the owners of accounts. */
  command (command: Command): void

  readonly disco: DiscoFacet
  readonly stream: StreamFacet
  readonly messages: MessagesFacet
  readonly accounts: AccountsFacet
  readonly rooms: RoomsFacet
  /** Only where this is one node of many. */
  readonly cluster?: ClusterFacet | undefined

  /** 32 bytes that only the servers of this installation know, made when they are first asked for. */
  secret (name: string): Promise<Buffer>
  every (milliseconds: number, task: () => void | Promise<void>): void
  atShutdown (task: () => void | Promise<void>): void
}
