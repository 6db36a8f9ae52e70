/** XEP-0045 §3: Persistent Room: it does not end with its last occupant. */
import { flagOption } from './option.ts'

export const persistent = flagOption({
  name: 'muc#roomconfig_persistentroom',
  label: 'Make the room persistent',
  initial: false,
  features: isOn => [isOn ? 'muc_persistent' : 'muc_temporary'],
})
