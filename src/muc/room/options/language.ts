/** XEP-0045 §16.5.3 and §16.5.4: the language of the room. */
import { textOption } from './option.ts'

export const language = textOption({
  name: 'muc#roomconfig_lang',
  label: 'Language of the room',
  initial: '',
  maxLength: 35, // RFC 5646 §4.4.1
  info: value => value === '' ? []
    : [{ name: 'muc#roominfo_lang', values: [value], type: 'text-single', label: 'Language' }],
})
