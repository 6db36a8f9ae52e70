/** XEP-0045 §7.5: the lowest role that may send private messages. */
import { choiceOption } from './option.ts'

export const allowPrivateMessages = choiceOption({
  name: 'muc#roomconfig_allowpm',
  label: 'Who may send private messages',
  choices: [
    { value: 'anyone', label: 'Anyone' }, { value: 'participants', label: 'Those with voice' },
    { value: 'moderators', label: 'Moderators' }, { value: 'none', label: 'Nobody' },
  ],
  initial: 'anyone',
})
