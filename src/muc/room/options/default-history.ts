/** The length of the history for newcomers who request none; Prosody's option of the same name. */
import type { RoomOption } from '../../../extension/room-option.ts'
import { numberOption } from './option.ts'

/** `most` is the limit of the service; that of the room is another option. */
export function defaultHistory (most: number): RoomOption<number> {
  return numberOption({
    name: 'muc#roomconfig_defaulthistorymessages',
    label: 'Messages shown to newcomers who do not say how much',
    initial: Math.min(20, most),
    least: 0,
    most,
  })
}
