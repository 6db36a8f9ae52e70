/** The one list of extensions, in the order in which they stand in every stage. */
import type { Extension } from '../src/extension/api.ts'
import { archive } from './archive/index.ts'
import { blocking } from './blocking/index.ts'
import { calls } from './calls/index.ts'
import { carbons } from './carbons/index.ts'
import { chatMarkers } from './chat-markers/index.ts'
import { chatStates } from './chat-states/index.ts'
import { correction } from './correction/index.ts'
import { encryption } from './encryption/index.ts'
import { messageStatus } from './message-status/index.ts'
import { offline } from './offline/index.ts'
import { ping } from './ping/index.ts'
import { privateStorage } from './private-storage/index.ts'
import { reactions } from './reactions/index.ts'
import { receipts } from './receipts/index.ts'
import { registration } from './registration/index.ts'
import { retraction } from './retraction/index.ts'
import { streamManagement } from './stream-management/index.ts'
import { time } from './time/index.ts'
import { vcard } from './vcard/index.ts'
import { version } from './version/index.ts'

export const extensions: readonly Extension[] = [
  blocking,
  archive,
  offline,
  carbons,
  messageStatus,
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
  registration,
]
