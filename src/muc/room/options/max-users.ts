/** XEP-0045 §7.2.9: the limit of occupants, admins and owners excepted. */
import type { RoomOption } from '../../../extension/room-option.ts'
import { numberOption } from './option.ts'

/** `most` is the limit of the service. */
export function maxUsers (most: number): RoomOption<number> {
  return numberOption({
    name: 'muc#roomconfig_maxusers',
    label: 'Most occupants',
    initial: most,
    least: 1,
    most,
    suggested: [10, 20, 50, 100, 200, 500, 1000, 5000].filter(number => number < most),
    info: value => [{ name: 'muc#roominfo_maxusers', values: [String(value)], type: 'text-single' }],
  })
}
