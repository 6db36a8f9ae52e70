/** XEP-0045 §16.5.3 and §16.5.4: the description of the room. */
import { textOption } from './option.ts'

export const description = textOption({
  name: 'muc#roomconfig_roomdesc',
  label: 'Description of the room',
  initial: '',
  maxLength: 4096,
  info: value => [{ name: 'muc#roominfo_description', values: [value], type: 'text-single', label: 'Description' }],
})
