/** The answer of a client that was asked for its features, and whether it is what was announced (XEP-0115 §5.4). */
import { verificationString } from '../routing/caps.ts'
import type { Identity } from '../routing/caps.ts'
import { NS_INFO } from '../routing/disco.ts'
import type { Element } from '../xml/element.ts'
import { NS_FORMS } from '../xmpp/forms.ts'
import type { Iq } from '../xmpp/stanza.ts'
import { StanzaError } from '../xmpp/errors.ts'
import { digestOf } from './announced.ts'
import type { Announced } from './announced.ts'

/** XEP-0163 §4.2: the end of a feature that names a node. */
export const NOTIFY = '+notify'

/** The limits of an answer: clients have about 100 features. */
const MAX_BYTES = 65_536
const MAX_FEATURES = 1000

export interface Answer {
  readonly features: readonly string[]
  /** Whether the hash is theirs: every client that announces it has these features. */
  readonly isVerified: boolean
}

/** Undefined where the client did not say what it can do, or said too much. */
export function readAnswer (iq: Iq, announced: Announced): Answer | undefined {
  if (iq.type !== 'result' || iq.inner.length > MAX_BYTES) return
  const query = payloadOf(iq)
  const features = query?.getChildren('feature', NS_INFO).flatMap(({ attrs }) => attrs.var ?? [])
  if (!query || !features || features.length > MAX_FEATURES) return
  return { features, isVerified: isVerified(query, features, announced) }
}

function payloadOf (iq: Iq): Element | undefined {
  try {
    return iq.payload('query', NS_INFO)
  } catch (error) {
    if (error instanceof StanzaError) return // it has too many elements
    throw error
  }
}

function isVerified (query: Element, features: readonly string[], announced: Announced): boolean {
  const digest = digestOf(announced)
  if (digest === undefined) return false
  const identities = query.getChildren('identity', NS_INFO).map(({ attrs }): Identity => ({
    category: attrs.category ?? '', type: attrs.type ?? '', lang: attrs['xml:lang'], name: attrs.name,
  }))
  const forms = query.getChildren('x', NS_FORMS).filter(form => formTypesOf(form).length > 0)
  if (!areWellFormed(identities, features, forms) || isAmbiguous(identities, features, forms)) return false
  return verificationString({ identities, features, forms }, digest) === announced.ver
}

/** The values of a form's FORM_TYPE; none where that is not hidden, so that the form does not count (step 6). */
function formTypesOf (form: Element): readonly string[] {
  const field = form.getChildren('field', NS_FORMS).find(({ attrs }) => attrs.var === 'FORM_TYPE')
  return field?.attrs.type === 'hidden' ? field.getChildren('value', NS_FORMS).map(value => value.text()) : []
}

/** Steps 3 to 5. */
function areWellFormed (
  identities: readonly Identity[], features: readonly string[], forms: readonly Element[],
): boolean {
  const labels = identities.map(({ category, type, lang = '', name = '' }) => [category, type, lang, name].join('/'))
  const types = forms.map(form => new Set(formTypesOf(form)))
  return isEachOnce(labels) && isEachOnce(features) &&
    types.every(({ size }) => size === 1) && isEachOnce(types.map(type => [...type].join()))
}

function isEachOnce (texts: readonly string[]): boolean {
  return new Set(texts).size === texts.length
}

/**
 * Whether the same hash may be had of another answer (§9.3): the hashed text does not tell where a feature ends, nor a
 * feature from a part of an identity or a form. No client says of itself what is refused here.
 */
function isAmbiguous (
  identities: readonly Identity[], features: readonly string[], forms: readonly Element[],
): boolean {
  const labels = identities.flatMap(({ category, type, lang = '' }) => [category, type, lang])
  const others = [
    ...labels, ...identities.map(({ name = '' }) => name),
    ...forms.flatMap(form => form.getChildren('field', NS_FORMS)).flatMap(field =>
      [field.attrs.var ?? '', ...field.getChildren('value', NS_FORMS).map(value => value.text())]),
  ]
  return identities.some(({ category, type }) => category === '' || type === '') ||
    labels.some(label => label.includes('/')) || others.some(text => text.endsWith(NOTIFY)) ||
    [...features, ...others].some(text => text.includes('<'))
}
