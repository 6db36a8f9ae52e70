/**
 * Escapes text for XML, so that it is well-formed and is read back unchanged: white space that a parser would normalise
 * becomes a reference, and a character that XML does not allow becomes U+FFFD.
 */

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
}

const IN_TEXT = /[&<>\r\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\p{Surrogate}]/gu
const IN_ATTRIBUTE = /[&<>"'\0-\x1f\ufffe\uffff\p{Surrogate}]/gu

// The fast path: most attributes are such.
const PLAIN_ADDRESS = /^[\w@./:+=#~-]*$/

/** `value` as the text of an element. */
export function escapeText (value: string): string {
  return value.replace(IN_TEXT, escape)
}

/** `value` as the value of an attribute, between quotes of either kind. */
export function escapeAttribute (value: string): string {
  return PLAIN_ADDRESS.test(value) ? value : value.replace(IN_ATTRIBUTE, escape)
}

function escape (character: string): string {
  return ESCAPES[character] ?? '\ufffd'
}
