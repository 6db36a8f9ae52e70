/** XEP-0045 §7.2.2: the roles whose presence is broadcast. */
import { rolesOption } from './option.ts'

export const presenceBroadcast = rolesOption({
  name: 'muc#roomconfig_presencebroadcast',
  label: 'Roles whose presence is shown to all',
})
