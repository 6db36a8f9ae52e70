/** XEP-0045 §5.1.1: whether visitors may change their presence and its status text; the field has ejabberd's name. */
import { flagOption } from './option.ts'

export const visitorStatus = flagOption({
  name: 'muc#roomconfig_allowvisitorstatus',
  label: 'Visitors may change their status',
  initial: true,
})
