/** Every worst case that is measured. */
import { addresses } from './cases/addresses.ts'
import { contacts } from './cases/contacts.ts'
import { kept } from './cases/kept.ts'
import { rooms } from './cases/rooms.ts'
import type { Case } from './setting.ts'

export const catalogue: readonly Case[] = [...kept, ...contacts, ...addresses, ...rooms]
