/**
 * Text that goes into XML. What is written here is well-formed and is read back as it was: white space that a reader
 * would change is referred to, and a character that XML cannot hold becomes U+FFFD.
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

// Most of what is written is one of these, and found out fast.
const PLAIN_ADDRESS = /^[\w@./:+=#~-]*$/

/** What stands between tags for `value`. */
export function escapeText (value: string): string {
  return value.replace(IN_TEXT, escape)
}

/** What stands between an attribute's quotes, of either kind, for `value`. */
export function escapeAttribute (value: string): string {
  return PLAIN_ADDRESS.test(value) ? value : value.replace(IN_ATTRIBUTE, escape)
}

function escape (character: string): string {
  return ESCAPES[character] ?? '\ufffd'
}
