/** XEP-0045 §3: Persistent Room: it stays without occupants. */
import { flagOption } from './option.ts'

export const persistent = flagOption({
  name: 'muc#roomconfig_persistentroom',
  label: 'Make the room persistent',
  initial: false,
  features: isOn => [isOn ? 'muc_persistent' : 'muc_temporary'],
})
