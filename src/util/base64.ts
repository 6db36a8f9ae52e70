/** Base 64 read as RFC 6120 §13.9.1 says: RFC 4648 §4's alphabet and nothing else, padded, the padding bits zero. */

/** The bytes, or nothing where the text is not exactly what encoding them gives. */
export function decodeBase64 (text: string): Buffer | undefined {
  const data = Buffer.from(text, 'base64')
  return data.toString('base64') === text ? data : undefined
}
