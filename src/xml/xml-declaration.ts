/** The XML declaration: XML 1.0 §2.8, restricted to version 1.0 and UTF-8 by RFC 6120 §11.5 to §11.8. */

import { notWellFormed, XmlError } from './xml-error.ts'

const SPACE = '[ \\t\\r\\n]'
const EQUALS = `${SPACE}*=${SPACE}*`

const FORM = new RegExp([
  `^<\\?xml${SPACE}+version${EQUALS}(["'])(?<version>1\\.[0-9]+)\\1`,
  `(?:${SPACE}+encoding${EQUALS}(["'])(?<encoding>[A-Za-z][A-Za-z0-9._-]*)\\3)?`,
  `(?:${SPACE}+standalone${EQUALS}(["'])(?:yes|no)\\5)?${SPACE}*\\?>$`,
].join(''))
const TARGET = new RegExp(`^<\\?xml${SPACE}`)

/** Throws unless `text`, from `<?` to `>`, is a declaration of XML 1.0 in UTF-8. */
export function checkXmlDeclaration (text: string): void {
  // RFC 6120 §11.1
  if (!TARGET.test(text)) throw new XmlError('restricted-xml', 'a processing instruction')
  const match = FORM.exec(text)
  if (match === null) throw notWellFormed('no XML declaration')
  const { version, encoding } = match.groups ?? {}
  // RFC 6120 §11.8
  if (version !== '1.0') throw new XmlError('bad-format', 'not XML 1.0')
  // RFC 6120 §11.6; `standalone` may be ignored (§11.5)
  if (encoding !== undefined && encoding.toLowerCase() !== 'utf-8') throw new XmlError('unsupported-encoding')
}
