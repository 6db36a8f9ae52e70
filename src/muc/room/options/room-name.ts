/** XEP-0045 §16.5.3: the displayed name of the room. */
import { textOption } from './option.ts'

const NAME = 'muc#roomconfig_roomname'

export const roomName = textOption({
  name: NAME,
  label: 'Name of the room',
  initial: '',
  info: value => [{ name: NAME, values: [value], type: 'text-single', label: 'Name of the room' }],
})
