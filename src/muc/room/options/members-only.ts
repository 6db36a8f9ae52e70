/** XEP-0045 §3: Members-Only Room: only users on the member list may join. */
import { flagOption } from './option.ts'

export const membersOnly = flagOption({
  name: 'muc#roomconfig_membersonly',
  label: 'Make the room members-only',
  initial: false,
  features: isOn => [isOn ? 'muc_membersonly' : 'muc_open'],
})
