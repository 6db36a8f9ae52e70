/** XEP-0045 §3: Password-Protected Room: an option with two fields, a flag and the password. */
import type { RoomOption } from '../../../extension/room-option.ts'
import { StanzaError } from '../../../xmpp/errors.ts'
import { flagIn } from './option.ts'

const FLAG = 'muc#roomconfig_passwordprotectedroom'
const SECRET = 'muc#roomconfig_roomsecret'
const MAX_LENGTH = 1024

/** The password; empty in a room without one. */
export const password: RoomOption<string> = {
  initial: '',
  fields: value => [
    { name: FLAG, label: 'A password is needed to enter', type: 'boolean', values: [value === '' ? '0' : '1'] },
    { name: SECRET, label: 'The password', type: 'text-private', values: [value] },
  ],
  parse (values, before) {
    const secret = values.get(SECRET)?.[0] ?? before
    if (flagIn(values, FLAG) === false || (before === '' && flagIn(values, FLAG) === undefined)) return ''
    // XEP-0045 §10.1.3
    if (secret === '') throw new StanzaError('not-acceptable', 'the password is empty')
    if (secret.length > MAX_LENGTH) throw new StanzaError('not-acceptable', 'the password is too long')
    return secret
  },
  features: value => [value === '' ? 'muc_unsecured' : 'muc_passwordprotected'],
}
