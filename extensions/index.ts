/** The list of extensions, in the order in which they run in every stage. */
import type { Extension } from '../src/extension/api.ts'
import { affiliationVersions } from './affiliation-versions/index.ts'
import { archive } from './archive/index.ts'
import { avatars } from './avatars/index.ts'
import { bookmarks } from './bookmarks/index.ts'
import { blocking } from './blocking/index.ts'
import { calls } from './calls/index.ts'
import { carbons } from './carbons/index.ts'
import { chatMarkers } from './chat-markers/index.ts'
import { chatStates } from './chat-states/index.ts'
import { clientState } from './client-state/index.ts'
import { correction } from './correction/index.ts'
import { encryption } from './encryption/index.ts'
import { groupStatus } from './group-status/index.ts'
import { hats } from './hats/index.ts'
import { membersAway } from './members-away/index.ts'
import { messageStatus } from './message-status/index.ts'
import { occupantId } from './occupant-id/index.ts'
import { moderation } from './moderation/index.ts'
import { offline } from './offline/index.ts'
import { ping } from './ping/index.ts'
import { privateStorage } from './private-storage/index.ts'
import { reactions } from './reactions/index.ts'
import { readPositions } from './read-positions/index.ts'
import { receipts } from './receipts/index.ts'
import { registration } from './registration/index.ts'
import { retraction } from './retraction/index.ts'
import { roomAvatar } from './room-avatar/index.ts'
import { serverInfo } from './server-info/index.ts'
import { slowMode } from './slow-mode/index.ts'
import { streamManagement } from './stream-management/index.ts'
import { time } from './time/index.ts'
import { uniqueNames } from './unique-names/index.ts'
import { vcard } from './vcard/index.ts'
import { vcard4 } from './vcard4/index.ts'
import { version } from './version/index.ts'

export const extensions: readonly Extension[] = [
  blocking,
  archive,
  offline,
  clientState,
  carbons,
  messageStatus,
  occupantId,
  membersAway,
  groupStatus,
  streamManagement,
  receipts,
  chatMarkers,
  chatStates,
  correction,
  retraction,
  reactions,
  encryption,
  calls,
  ping,
  version,
  time,
  vcard,
  privateStorage,
  bookmarks,
  avatars,
  readPositions,
  vcard4,
  registration,
  slowMode,
  hats,
  affiliationVersions,
  moderation,
  roomAvatar,
  uniqueNames,
  serverInfo,
]
