/** Every worst case that is measured. */
import { addresses } from './cases/addresses.ts'
import { contacts } from './cases/contacts.ts'
import { kept } from './cases/kept.ts'
import { messages } from './cases/messages.ts'
import { nodes } from './cases/nodes.ts'
import { rooms } from './cases/rooms.ts'
import { streams } from './cases/streams.ts'
import type { Case } from './setting.ts'

export const catalogue: readonly Case[] = [...kept, ...contacts, ...addresses, ...messages, ...streams, ...rooms,
  ...nodes]
