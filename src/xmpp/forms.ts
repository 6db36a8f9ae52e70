/** XEP-0004: Data Forms. */
import { el } from '../xml/element.ts'
import type { Element } from '../xml/element.ts'
import { StanzaError } from './errors.ts'

export const NS_FORMS = 'jabber:x:data'

/** The most fields of a submitted form: more than any form of the server has. */
const MAX_FIELDS = 200

const NS_VALIDATE = 'http://jabber.org/protocol/xdata-validate'
const OPEN = el('validate', NS_VALIDATE, { datatype: 'xs:string' }, el('open', NS_VALIDATE))

const REQUIRED = el('required', NS_FORMS)

/** An option of a list field. */
export interface Choice { readonly value: string, readonly label: string }

/** A field with its values, and its label, type and options for people. */
export interface Field {
  readonly name: string
  readonly values: readonly string[]
  readonly type?: 'boolean' | 'fixed' | 'hidden' | 'jid-multi' | 'jid-single' | 'list-multi' | 'list-single'
  | 'text-multi' | 'text-private' | 'text-single'
  readonly label?: string
  readonly choices?: readonly Choice[] | undefined
  readonly isRequired?: true
  /** XEP-0122 §3.2.2: values other than the listed ones are allowed. */
  readonly isOpen?: true
  /** XEP-0122 §3.2.3: an integer within limits. */
  readonly range?: { readonly least: number, readonly most: number }
}

/** A form with a hidden FORM_TYPE (XEP-0068) and an optional title. */
export function form (type: 'form' | 'result', formType: string, fields: readonly Field[], title?: string): Element {
  const hidden: Field = { name: 'FORM_TYPE', values: [formType], type: 'hidden' }
  return el('x', NS_FORMS, { type }, title === undefined ? undefined : el('title', NS_FORMS, {}, title),
    [hidden, ...fields].map(({ name, values, type, label, choices, isRequired, isOpen, range }) =>
      el('field', NS_FORMS, { var: name, type, label },
        values.map(value => el('value', NS_FORMS, {}, value)),
        (choices ?? []).map(({ value, label }) => el('option', NS_FORMS, { label }, el('value', NS_FORMS, {}, value))),
        isRequired && REQUIRED, isOpen && OPEN, range && within(range))))
}

/** A result form of several items, each with a value or undefined for every column (XEP-0004 §3.4). */
export function table (
  formType: string, title: string, columns: readonly string[], rows: readonly (readonly (string | undefined)[])[],
): Element {
  const field = (name: string, value: string | undefined): Element =>
    el('field', NS_FORMS, { var: name }, value === undefined ? undefined : el('value', NS_FORMS, {}, value))
  return el('x', NS_FORMS, { type: 'result' }, el('title', NS_FORMS, {}, title),
    el('field', NS_FORMS, { var: 'FORM_TYPE', type: 'hidden' }, el('value', NS_FORMS, {}, formType)),
    el('reported', NS_FORMS, {}, columns.map(name => field(name, undefined))),
    rows.map(row => el('item', NS_FORMS, {}, columns.map((name, n) => field(name, row[n])))))
}

function within ({ least, most }: { readonly least: number, readonly most: number }): Element {
  const range = el('range', NS_VALIDATE, { min: String(least), max: String(most) })
  return el('validate', NS_VALIDATE, { datatype: 'xs:integer' }, range)
}

/** The values of a form by field name. Throws StanzaError not-acceptable where it has more than 200 fields. */
export function formValues (x: Element): ReadonlyMap<string, readonly string[]> {
  const fields = x.getChildren('field', NS_FORMS)
  if (fields.length > MAX_FIELDS) {
    throw new StanzaError('not-acceptable', `the form has too many fields: at most ${MAX_FIELDS} are allowed`)
  }
  return new Map(fields.flatMap(field => {
    const name = field.attrs.var
    return name === undefined ? [] : [[name, field.getChildren('value', NS_FORMS).map(value => value.text())]]
  }))
}
