/** The parts of the core that extensions reach through their hosts. */
import type { Accounts } from '../accounts/accounts.ts'
import type { Documents } from '../accounts/documents.ts'
import type { Incoming } from '../accounts/incoming.ts'
import type { AccountCommands } from '../extension/facets/accounts.ts'
import type { ServerConnection } from '../extension/facets/federation.ts'
import type { MessageArchive } from '../extension/message-archive.ts'
import type { WriteWithArchive } from '../extension/points.ts'
import type { StageTable } from '../extension/stages.ts'
import type { Logger } from '../log.ts'
import type { Rooms } from '../muc/rooms.ts'
import type { Pubsub } from '../pubsub/pubsub.ts'
import type { Commands } from '../routing/commands.ts'
import type { Disco } from '../routing/disco.ts'
import type { IqTable } from '../routing/iq-table.ts'
import type { Router } from '../routing/router.ts'
import type { Presences } from '../presence/presence.ts'
import type { Rosters } from '../roster/roster.ts'
import type { ReplicatedStates } from '../session/replicated-states.ts'
import type { EventTable } from '../session/events.ts'
import type { Homes, Others, Records } from '../session/homes.ts'
import type { Database } from '../storage/database.ts'
import type { Reading } from '../storage/reading.ts'
import type { StreamTable } from '../stream/stream-table.ts'
import type { ArchiveKeys } from '../xmpp/archive-ids.ts'
import type { MessagePolicies } from '../xmpp/message-policy.ts'

/** An extension's handler for requests of the same extension on another node. */
export type OthersAnswer = (from: string, text: string, body: Buffer) => string | Promise<string>

export interface PartsCluster {
  readonly homes: Homes
  readonly records: Records
  readonly others: Others
}

export interface Parts {
  readonly hosts: readonly string[]
  readonly db: Database
  readonly messageDb: Database
  readonly reading: Reading
  readonly archiveKeys: ArchiveKeys
  readonly log: Logger
  readonly stages: StageTable
  readonly iqs: IqTable
  readonly events: EventTable
  readonly streams: StreamTable
  readonly disco: Disco
  readonly commandTable: Commands
  readonly router: Router
  readonly policies: MessagePolicies
  /** By the namespace of a payload. */
  readonly archiveWriters: Map<string, WriteWithArchive>
  /** Set once an extension provides an archive. */
  readonly archive: { provided?: MessageArchive | undefined }
  readonly rosters: Rosters
  readonly accounts: Accounts
  readonly presences: Presences
  readonly documents: Documents
  readonly incoming: Incoming
  readonly replicated: ReplicatedStates
  readonly rooms: Rooms
  readonly pubsub: Pubsub
  /** Undefined on a server that is not part of a cluster. */
  readonly cluster?: PartsCluster | undefined
  /** By the extension's name. */
  readonly answerers: Map<string, OthersAnswer>
  readonly commands: AccountCommands
  /** The open streams with other servers. */
  readonly serverStreams: Iterable<ServerConnection>
}
