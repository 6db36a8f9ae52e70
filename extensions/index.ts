/** The one list of extensions, in the order in which they stand in every stage. */
import type { Extension } from '../src/extension/api.ts'
import { archive } from './archive/index.ts'
import { blocking } from './blocking/index.ts'
import { ping } from './ping/index.ts'
import { privateStorage } from './private-storage/index.ts'
import { registration } from './registration/index.ts'
import { time } from './time/index.ts'
import { vcard } from './vcard/index.ts'
import { version } from './version/index.ts'

export const extensions: readonly Extension[] = [
  blocking,
  archive,
  ping,
  version,
  time,
  vcard,
  privateStorage,
  registration,
]
