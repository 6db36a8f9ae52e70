/**
 * XEP-0045 §7.2.12: whether people are told that what is said here is public; where it is shown is no business of
 * rooms.
 */
import { flagOption } from './option.ts'

export const logging = flagOption({
  name: 'muc#roomconfig_enablelogging',
  label: 'What is said here is logged in public',
  initial: false,
})
