/** XEP-0045 §9.5: the roles that may see the list of members, where real addresses are no secret. */
import { choicesOption } from './option.ts'

export const memberList = choicesOption({
  name: 'muc#roomconfig_getmemberlist',
  label: 'Roles that may see the list of members',
  choices: [
    { value: 'moderator', label: 'Moderators' }, { value: 'participant', label: 'Participants' },
    { value: 'visitor', label: 'Visitors' },
  ],
  initial: ['moderator', 'participant', 'visitor'],
})
