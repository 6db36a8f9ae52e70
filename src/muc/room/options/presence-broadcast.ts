/** XEP-0045 §7.2.2: the roles of those whose presence the others see. */
import { rolesOption } from './option.ts'

export const presenceBroadcast = rolesOption({
  name: 'muc#roomconfig_presencebroadcast',
  label: 'Roles whose presence is shown to all',
})
