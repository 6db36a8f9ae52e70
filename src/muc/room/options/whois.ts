/** XEP-0045 §3: Non-Anonymous and Semi-Anonymous Room: who may see the occupants' real addresses. */
import { choiceOption } from './option.ts'

export const whois = choiceOption({
  name: 'muc#roomconfig_whois',
  label: 'Who may see real addresses',
  choices: [{ value: 'moderators', label: 'Moderators only' }, { value: 'anyone', label: 'Anyone' }],
  initial: 'moderators',
  features: value => [value === 'anyone' ? 'muc_nonanonymous' : 'muc_semianonymous'],
})
