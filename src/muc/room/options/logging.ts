/** XEP-0045 §7.2.12: whether occupants are notified that the room is logged in public; rooms do not log themselves. */
import { flagOption } from './option.ts'

export const logging = flagOption({
  name: 'muc#roomconfig_enablelogging',
  label: 'What is said here is logged in public',
  initial: false,
})
