/** XEP-0045 §3: Moderated Room: only occupants with voice may send messages to all. */
import { flagOption } from './option.ts'

export const moderated = flagOption({
  name: 'muc#roomconfig_moderatedroom',
  label: 'Make the room moderated',
  initial: false,
  features: isOn => [isOn ? 'muc_moderated' : 'muc_unmoderated'],
})
