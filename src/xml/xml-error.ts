/** What is wrong with received XML, in the words of RFC 6120 §4.9.3. */

/** The stream errors that XML alone can cause. */
export type XmlErrorCondition =
  | 'bad-format' | 'bad-namespace-prefix' | 'invalid-namespace' | 'invalid-xml' | 'not-well-formed'
  | 'policy-violation' | 'restricted-xml' | 'unsupported-encoding'

/** A fault in the XML itself; `condition` is the stream error that RFC 6120 §4.9.3 names for it. */
export class XmlError extends Error {
  readonly condition: XmlErrorCondition

  constructor (condition: XmlErrorCondition, text?: string) {
    super(text ?? condition)
    this.name = 'XmlError'
    this.condition = condition
  }
}

/** Most faults are of this kind; `text` says which rule of XML or of its namespaces was broken. */
export function notWellFormed (text: string): XmlError {
  return new XmlError('not-well-formed', text)
}
