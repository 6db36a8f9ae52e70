/** Errors in received XML, with the conditions of RFC 6120 §4.9.3. */

/** The stream errors that XML can cause. */
export type XmlErrorCondition =
  | 'bad-format' | 'bad-namespace-prefix' | 'invalid-namespace' | 'invalid-xml' | 'not-well-formed'
  | 'policy-violation' | 'restricted-xml' | 'unsupported-encoding'

/** An error in XML; `condition` is the stream error for it (RFC 6120 §4.9.3). */
export class XmlError extends Error {
  readonly condition: XmlErrorCondition

  constructor (condition: XmlErrorCondition, text?: string) {
    super(text ?? condition)
    this.name = 'XmlError'
    this.condition = condition
  }
}

/** The usual error; `text` names the broken rule of XML or of its namespaces. */
export function notWellFormed (text: string): XmlError {
  return new XmlError('not-well-formed', text)
}
