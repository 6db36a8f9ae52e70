/** XEP-0045 §7.13: whether visitors may request voice, and how often; the fields have ejabberd's names. */
import { flagOption, numberOption } from './option.ts'

export const voiceRequests = flagOption({
  name: 'muc#roomconfig_allowvoicerequests',
  label: 'Visitors may ask for voice',
  initial: true,
})

/** The least time between two requests, in seconds. */
export const voiceInterval = numberOption({
  name: 'muc#roomconfig_voicerequestmininterval',
  label: 'Least time between two such requests, in seconds',
  initial: 1800,
  least: 0,
  most: 86_400,
})
