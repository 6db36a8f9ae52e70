/** XEP-0115: Entity Capabilities: a hash of the disco#info answer, so that nobody need query it again. */
import { createHash } from 'node:crypto'
import type { Element } from '../xml/element.ts'
import { NS_FORMS } from '../xmpp/forms.ts'

export const NS_CAPS = 'http://jabber.org/protocol/caps'

export interface Identity {
  readonly category: string
  readonly type: string
  readonly name?: string | undefined
  readonly lang?: string | undefined
}

/** The disco#info of an entity (XEP-0030 §3, XEP-0128). */
export interface Entity {
  readonly identities: readonly Identity[]
  readonly features: Iterable<string>
  readonly forms: readonly Element[]
}

const FORM_TYPE = 'FORM_TYPE'

/** XEP-0115 §5.1: the verification string; `digest` is Node's name of the hash function. */
export function verificationString ({ identities, features, forms }: Entity, digest = 'sha1'): string {
  const parts = [
    ...sorted(identities.map(({ category, type, lang = '', name = '' }) => [category, type, lang, name]))
      .map(identity => identity.join('/')),
    ...sorted([...features].map(feature => [feature])).flat(),
    ...sorted(forms.map(formParts)).flat(),
  ]
  return createHash(digest).update(parts.map(part => part + '<').join('')).digest('base64')
}

// XEP-0115 §5.1, step 7: the form's type, then each field and its values, sorted.
function formParts (form: Element): readonly string[] {
  const fields = form.getChildren('field', NS_FORMS)
  const type = fields.find(({ attrs }) => attrs.var === FORM_TYPE)?.getChildText('value', NS_FORMS) ?? ''
  const others = fields.filter(({ attrs }) => attrs.var !== FORM_TYPE).map(field => {
    const values = field.getChildren('value', NS_FORMS).map(value => [value.text()])
    return [field.attrs.var ?? '', ...sorted(values).flat()]
  })
  return [type, ...sorted(others).flat()]
}

// RFC 4790 §9.3, required by XEP-0115 §5.1; JavaScript sorts by UTF-16 units, which differs. No text contains the
// separator, which comes first, so that the first of two texts decides, and the second where the first are the same.
function sorted (lists: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return lists.map(texts => Buffer.from(texts.join('\0'))).sort(Buffer.compare).map(text => text.toString().split('\0'))
}
