/** XEP-0157: Contact Addresses for XMPP Services: a form in the server's disco#info. */
import type { Element } from '../xml/element.ts'
import { form } from '../xmpp/forms.ts'

const FORM_TYPE = 'http://jabber.org/network/serverinfo'

/** The form of the addresses, which are by kind, such as `abuse`; undefined where there are none. */
export function contactForm (addresses: Readonly<Record<string, readonly string[]>>): Element | undefined {
  const fields = Object.entries(addresses).filter(([, values]) => values.length > 0)
    .map(([kind, values]) => ({ name: `${kind}-addresses`, values, type: 'list-multi' as const }))
  return fields.length > 0 ? form('result', FORM_TYPE, fields) : undefined
}
