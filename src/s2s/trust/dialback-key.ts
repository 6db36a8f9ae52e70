/** The keys of server dialback (XEP-0185): any node that has the installation's secret makes and checks them. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** The key for a stream to `receiving`, which has given it this id, as 64 hexadecimal digits. Domains are prepared. */
export function dialbackKey (secret: Buffer, receiving: string, originating: string, streamId: string): string {
  const key = createHash('sha256').update(secret).digest('hex')
  return createHmac('sha256', key).update(`${receiving} ${originating} ${streamId}`).digest('hex')
}

/** Whether the key is that of dialbackKey; the time it takes tells nothing of the right one. */
export function isDialbackKey (
  key: string, secret: Buffer, receiving: string, originating: string, streamId: string,
): boolean {
  const given = Buffer.from(key)
  const expected = Buffer.from(dialbackKey(secret, receiving, originating, streamId))
  return given.length === expected.length && timingSafeEqual(given, expected)
}
