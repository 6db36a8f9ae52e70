/** XEP-0045 §6.5: whether anyone may discover the occupants' nicks; the field has ejabberd's name. */
import { flagOption } from './option.ts'

export const publicList = flagOption({
  name: 'public_list',
  label: 'Make the list of occupants public',
  initial: false,
})
