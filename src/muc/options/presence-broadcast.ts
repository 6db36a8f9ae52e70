/** XEP-0045 §7.2.2: the roles of those whose presence the others see. */
import { choicesOption } from './option.ts'

export const presenceBroadcast = choicesOption({
  name: 'muc#roomconfig_presencebroadcast',
  label: 'Roles whose presence is shown to all',
  choices: [
    { value: 'moderator', label: 'Moderators' }, { value: 'participant', label: 'Participants' },
    { value: 'visitor', label: 'Visitors' },
  ],
  initial: ['moderator', 'participant', 'visitor'],
})
