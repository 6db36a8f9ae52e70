import { expect, test } from 'vitest'

import { LIMITS } from '../../test/support/wire/framing.ts'
import { parseFrame } from './framer.ts'

test('a message is one element, with its namespace from itself', () => {
  const message = "<message xmlns='jabber:client' to='a@b'><body>hi</body></message>"

  expect(parseFrame(Buffer.from(message), LIMITS)).toMatchObject({
    kind: 'element', name: 'message', ns: 'jabber:client', to: 'a@b', attributes: '',
    children: [{ name: 'body', ns: 'jabber:client', start: 0, end: 15 }],
  })
  expect(parseFrame(Buffer.from('<message/>'), LIMITS)).toMatchObject({ name: 'message', ns: '' })
})

test('a framed stream is opened and closed by elements', () => {
  const open = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.com' version='1.0'/>"

  expect(parseFrame(Buffer.from(open), LIMITS)).toMatchObject({
    name: 'open', ns: 'urn:ietf:params:xml:ns:xmpp-framing', to: 'example.com', attributes: " version='1.0'",
  })
})

test('a message may have what a document may have around its element', () => {
  for (const declaration of ["<?xml version='1.0' encoding='utf-8'?>", "<?xml version='1.0'?>\n"]) {
    expect(parseFrame(Buffer.from(`${declaration}<a xmlns='b'/>\n`), LIMITS)).toMatchObject({ name: 'a', ns: 'b' })
  }
})

test.each([
  ['bad-format', 'nothing', ''],
  ['bad-format', 'white space alone', ' '],
  ['bad-format', 'white space at the beginning (RFC 7395 §3.3.3)', ' <a/>'],
  ['bad-format', 'text', 'a'],
  ['bad-format', 'a byte order mark', '\ufeff<a/>'],
  ['not-well-formed', 'two elements', '<a/><b/>'],
  ['not-well-formed', 'half an element', '<a><b/>'],
  ['not-well-formed', 'half a tag', '<a'],
  ['not-well-formed', 'an element and half a tag', '<a/><'],
  ['not-well-formed', 'text after the element', '<a/>b'],
  ['not-well-formed', 'half a character after the element', Buffer.from([0x3c, 0x61, 0x2f, 0x3e, 0xc3])],
  ['not-well-formed', 'an end tag after the element', '<a/></a>'],
  ['not-well-formed', 'an end tag alone', '</a>'],
  ['not-well-formed', 'a prefix that is not declared', '<stream:features/>'],
  ['restricted-xml', 'a comment after the element', '<a/><!-- -->'],
  ['restricted-xml', 'a document type', '<!DOCTYPE a><a/>'],
  ['unsupported-encoding', 'another encoding', "<?xml version='1.0' encoding='latin1'?><a/>"],
  ['unsupported-encoding', 'bad UTF-8', Buffer.from([0x3c, 0x61, 0xff])],
  ['policy-violation', 'more than is allowed', `<a>${'b'.repeat(LIMITS.stanzaBytes)}</a>`],
])('%s: a message that is %s', (condition, _what, xml) => {
  expect(() => parseFrame(Buffer.from(xml), LIMITS)).toThrow(expect.objectContaining({ condition }))
})
