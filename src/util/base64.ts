/** Strict Base 64 (RFC 6120 §13.9.1): the alphabet of RFC 4648 §4, with padding, and padding bits of zero. */

/** The bytes, or undefined unless the text is exactly their encoding. */
export function decodeBase64 (text: string): Buffer | undefined {
  const data = Buffer.from(text, 'base64')
  return data.toString('base64') === text ? data : undefined
}
