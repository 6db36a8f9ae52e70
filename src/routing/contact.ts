/** XEP-0157: Contact Addresses for XMPP Services: fields of the form about the server in its disco#info. */
import type { Field } from '../xmpp/forms.ts'

/** The fields of the addresses, which are by kind, such as `abuse`. */
export function contactFields (addresses: Readonly<Record<string, readonly string[]>>): readonly Field[] {
  return Object.entries(addresses).filter(([, values]) => values.length > 0)
    .map(([kind, values]) => ({ name: `${kind}-addresses`, values, type: 'list-multi' }))
}
