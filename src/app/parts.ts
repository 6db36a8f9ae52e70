/** The parts of a server that its extensions reach, each through its host. */
import type { Accounts } from '../accounts/accounts.ts'
import type { Incoming } from '../accounts/incoming.ts'
import type { AccountCommands } from '../extension/facets/accounts.ts'
import type { ReadArchived, WriteWithArchive } from '../extension/points.ts'
import type { StageTable } from '../extension/stages.ts'
import type { Logger } from '../log.ts'
import type { Rooms } from '../muc/rooms.ts'
import type { Commands } from '../routing/commands.ts'
import type { Disco } from '../routing/disco.ts'
import type { IqTable } from '../routing/iq-table.ts'
import type { Router } from '../routing/router.ts'
import type { Rosters } from '../roster/roster.ts'
import type { ReplicatedStates } from '../session/replicated-states.ts'
import type { EventTable } from '../session/events.ts'
import type { Homes, Others, Records } from '../session/homes.ts'
import type { Database } from '../storage/database.ts'
import type { Reading } from '../storage/reading.ts'
import type { StreamTable } from '../stream/stream-table.ts'
import type { ArchiveKeys } from '../xmpp/archive-ids.ts'
import type { MessagePolicies } from '../xmpp/message-policy.ts'

/** What an extension answers the same extension on another node. */
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
  readonly keepWith: Map<string, WriteWithArchive>
  /** How the archive is read, once an extension provides one. */
  readonly archive: { read: ReadArchived | undefined }
  readonly rosters: Rosters
  readonly accounts: Accounts
  readonly incoming: Incoming
  readonly replicated: ReplicatedStates
  readonly rooms: Rooms
  /** Where this is one node of many. */
  readonly cluster?: PartsCluster | undefined
  /** By the extensions' names. */
  readonly answerers: Map<string, OthersAnswer>
  readonly commands: AccountCommands
}
