/** XEP-0045 §7.2.13 and §16.5.3: the longest history that newcomers get. */
import type { RoomOption } from '../../../extension/room-option.ts'
import { numberOption } from './option.ts'

const NAME = 'muc#maxhistoryfetch'

/** `most` is the limit of the service. */
export function historyLength (most: number): RoomOption<number> {
  return numberOption({
    name: NAME,
    label: 'Most messages shown to newcomers',
    initial: Math.min(20, most),
    least: 0,
    most,
    info: value => [{ name: NAME, values: [String(value)], type: 'text-single' }],
  })
}
