/** How many messages newcomers are shown who do not say how much they want; Prosody's option, under its name. */
import type { RoomOption } from '../../../extension/room-option.ts'
import { numberOption } from './option.ts'

/** `most` is the service's own limit; the room's is another option. */
export function defaultHistory (most: number): RoomOption<number> {
  return numberOption({
    name: 'muc#roomconfig_defaulthistorymessages',
    label: 'Messages shown to newcomers who do not say how much',
    initial: Math.min(20, most),
    least: 0,
    most,
  })
}
