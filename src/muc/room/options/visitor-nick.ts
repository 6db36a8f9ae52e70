/** XEP-0045 §5.1.1: whether visitors may change their nick; the field has ejabberd's name. */
import { flagOption } from './option.ts'

export const visitorNick = flagOption({
  name: 'muc#roomconfig_allowvisitornickchange',
  label: 'Visitors may change their nick',
  initial: true,
})
