/** XEP-0115: Entity Capabilities: a hash of the disco#info answer, so that clients need not query it again. */
import { createHash } from 'node:crypto'
import type { Element } from '../xml/element.ts'
import { formValues } from '../xmpp/forms.ts'

export interface Identity {
  readonly category: string
  readonly type: string
  readonly name?: string
  readonly lang?: string
}

/** The disco#info of an entity (XEP-0030 §3, XEP-0128). */
export interface Entity {
  readonly identities: readonly Identity[]
  readonly features: ReadonlySet<string>
  readonly forms: readonly Element[]
}

/** XEP-0115 §5.1: the verification string, hashed with SHA-1, which every client supports. */
export function verificationString ({ identities, features, forms }: Entity): string {
  const parts = [
    ...identities.map(({ category, type, lang, name }) => `${category}/${type}/${lang ?? ''}/${name ?? ''}`)
      .sort(byOctets),
    ...[...features].sort(byOctets),
    ...forms.map(formPart).sort(byOctets),
  ]
  return createHash('sha1').update(parts.map(part => part + '<').join('')).digest('base64')
}

// XEP-0115 §5.1, step 7: the form's type, then each field and its values, sorted.
function formPart (form: Element): string {
  const values = formValues(form)
  const fields = [...values].filter(([name]) => name !== 'FORM_TYPE').sort(([a], [b]) => byOctets(a, b))
  const type = values.get('FORM_TYPE')?.[0] ?? ''
  return [type, ...fields.flatMap(([name, all]) => [name, ...[...all].sort(byOctets)])].join('<')
}

// RFC 4790 §9.3, required by XEP-0115 §5.1; JavaScript sorts by UTF-16 units, which differs.
function byOctets (a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
