/** XEP-0045 §3: Public Room and Hidden Room: whether the room is in the service's list. */
import { flagOption } from './option.ts'

export const publicRoom = flagOption({
  name: 'muc#roomconfig_publicroom',
  label: 'Show the room in the list of rooms',
  initial: true,
  features: isOn => [isOn ? 'muc_public' : 'muc_hidden'],
})
