/** XEP-0045 §8.1: whether occupants other than moderators may change the subject. */
import { flagOption } from './option.ts'

const NAME = 'muc#roomconfig_changesubject'

export const changeSubject = flagOption({
  name: NAME,
  label: 'Occupants may change the subject',
  initial: false,
  info: isOn => [
    { name: NAME, values: [isOn ? '1' : '0'], type: 'boolean' },
    {
      name: 'muc#roominfo_subjectmod', values: [isOn ? '1' : '0'], type: 'boolean',
      label: 'Occupants may change the subject',
    },
  ],
})
