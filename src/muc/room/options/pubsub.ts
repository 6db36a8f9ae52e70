/** XEP-0045 §16.5.3: the associated publish-subscribe node. */
import { textOption } from './option.ts'

const NAME = 'muc#roomconfig_pubsub'

export const pubsub = textOption({
  name: NAME,
  label: 'XMPP URI of the associated publish-subscribe node',
  initial: '',
  info: value => value === '' ? [] : [{ name: NAME, values: [value], type: 'text-single' }],
})
