/** XEP-0045 §9.5: the roles that may see the list of members, where real addresses are no secret. */
import { rolesOption } from './option.ts'

export const memberList = rolesOption({
  name: 'muc#roomconfig_getmemberlist',
  label: 'Roles that may see the list of members',
})
