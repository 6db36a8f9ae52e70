/** The keys of server dialback (XEP-0185). */
import { expect, test } from 'vitest'
import { dialbackKey, isDialbackKey } from './dialback-key.ts'

const SECRET = Buffer.from('s3cr3tf0rd14lb4ck')
const STREAM = ['xmpp.example.com', 'example.org', 'D60000229F'] as const
const KEY = '37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643'

test('the key is that of the example in XEP-0185', () => {
  expect(dialbackKey(SECRET, ...STREAM)).toBe(KEY)
  expect(isDialbackKey(KEY, SECRET, ...STREAM)).toBe(true)
})

test.each([
  ['cut', KEY.slice(0, -1)], ['empty', ''], ['another', KEY.replace('3', '4')], ['not ASCII', 'ä'.repeat(32)],
  ['longer', `${KEY}0`],
])('a key that is not the right one proves nothing: %s', (_, key) => {
  expect(isDialbackKey(key, SECRET, ...STREAM)).toBe(false)
})

test.each([
  ['xmpp.example.net', 'example.org', 'D60000229F'], ['xmpp.example.com', 'example.net', 'D60000229F'],
  ['xmpp.example.com', 'example.org', 'D60000229E'], ['example.org', 'xmpp.example.com', 'D60000229F'],
])('a key is good for its two domains and its stream only: %s %s %s', (receiving, originating, streamId) => {
  expect(isDialbackKey(KEY, SECRET, receiving, originating, streamId)).toBe(false)
})
