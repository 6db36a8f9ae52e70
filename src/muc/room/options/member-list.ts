/** XEP-0045 §9.5: the roles that may see the list of members, in a non-anonymous room. */
import { rolesOption } from './option.ts'

export const memberList = rolesOption({
  name: 'muc#roomconfig_getmemberlist',
  label: 'Roles that may see the list of members',
})
