/** XEP-0045 §9.5: whether members of a members-only room may invite others, whom the invitation makes members. */
import { flagOption } from './option.ts'

export const allowInvites = flagOption({
  name: 'muc#roomconfig_allowinvites',
  label: 'Members may invite others',
  initial: false,
})
