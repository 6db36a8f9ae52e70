/** XEP-0045 §6.5: whether everybody may learn the nicks of who is in; the field is called as ejabberd's is. */
import { flagOption } from './option.ts'

export const publicList = flagOption({ name: 'public_list', label: 'Make the list of occupants public', initial: false })
