import { describe, expect, test } from 'vitest'
import { findMismatch, type Captures } from './match.ts'
import { parseXml } from './xml.ts'

function mismatch (expected: string, actual: string, captures: Captures = new Map()): string | undefined {
  return findMismatch(parseXml(expected), parseXml(actual), captures)
}

describe('a stanza', () => {
  test.each([
    ['the same', "<message to='a'/>", "<message to='a'/>"],
    ['attributes in another order', "<iq id='1' type='get'/>", "<iq type='get' id='1'/>"],
    ['more attributes', '<presence/>', "<presence from='a' xml:lang='en'/>"],
    ['more children', '<message><body/></message>', '<message><subject/><body>x</body></message>'],
    ['children in another order', '<message><a/><b/></message>', '<message><b/><a/></message>'],
    ['space around', '<message>\n\t<body>x</body>\n</message>', '<message><body>x</body></message>'],
    ['another prefix', "<x:q xmlns:x='urn:q'/>", "<q xmlns='urn:q'/>"],
    ['any attribute value', "<iq id='{scansion:any}'/>", "<iq id='7'/>"],
    ['any text', '<body>{scansion:any}</body>', '<body>x</body>'],
  ])('matches: %s', (_, expected, actual) => {
    expect(mismatch(expected, actual)).toBeUndefined()
  })

  test.each([
    ['another name', '<message/>', '<presence/>'],
    ['another namespace', "<q xmlns='urn:a'/>", "<q xmlns='urn:b'/>"],
    ['another value', "<iq id='1'/>", "<iq id='2'/>"],
    ['an attribute missing', "<iq id='{scansion:any}'/>", '<iq/>'],
    ['another prefix of an attribute', "<iq xml:lang='en'/>", "<iq lang='en'/>"],
    ['a child missing', '<message><body/></message>', '<message/>'],
    ['a child twice that came once', '<message><a/><a/></message>', '<message><a/></message>'],
    ['other text', '<body>x</body>', '<body>y</body>'],
  ])('does not match: %s', (_, expected, actual) => {
    expect(mismatch(expected, actual)).toBeTypeOf('string')
  })
})

describe('a payload', () => {
  test.each([
    ['another child', "<iq><q xmlns='urn:q'/></iq>", "<iq><q xmlns='urn:q'><a/></q></iq>"],
    ['another attribute', "<iq><q xmlns='urn:q'/></iq>", "<iq><q xmlns='urn:q' a='1'/></iq>"],
    ['another attribute below', "<iq><q xmlns='urn:q'><a/></q></iq>", "<iq><q xmlns='urn:q'><a b='1'/></q></iq>"],
    ['another order', "<iq><q xmlns='urn:q'><a/><b/></q></iq>", "<iq><q xmlns='urn:q'><b/><a/></q></iq>"],
    ['text that was not expected', "<iq><q xmlns='urn:q'/></iq>", "<iq><q xmlns='urn:q'>x</q></iq>"],
  ])('is compared strictly: %s', (_, expected, actual) => {
    expect(mismatch(expected, actual)).toBeTypeOf('string')
    expect(mismatch(expected.replace("'urn:q'", "'urn:q' scansion:strict='false'"), actual)).toBeUndefined()
  })

  test('that holds a stanza of the clients is lenient inside', () => {
    const forwarded = (attributes: string): string =>
      `<message><f xmlns='urn:f'><message xmlns='jabber:client'${attributes}/></f></message>`

    expect(mismatch(forwarded(''), forwarded(" id='1'"))).toBeUndefined()
  })
})

test('a strict stanza still may have what servers add', () => {
  const expected = "<iq type='result' scansion:strict='true'/>"

  expect(mismatch(expected, "<iq type='result' to='a' from='b' xml:lang='en'/>")).toBeUndefined()
  expect(mismatch(expected, "<iq type='result'><query/></iq>")).toBeTypeOf('string')
  expect(mismatch(expected, "<iq type='result' id='1'/>")).toBeTypeOf('string')
})

describe('a capture', () => {
  test('keeps the value, and insists on it the next time', () => {
    const captures: Captures = new Map()

    expect(mismatch("<iq id='{scansion:capture:x}'/>", "<iq id='1'/>", captures)).toBeUndefined()

    expect(captures.get('x')).toBe('1')
    expect(mismatch("<iq id='{scansion:capture:x}'/>", "<iq id='2'/>", captures)).toBeTypeOf('string')
  })

  test('keeps nothing of what did not match', () => {
    const captures: Captures = new Map()

    mismatch("<iq id='{scansion:capture:x}' type='get'/>", "<iq id='1' type='set'/>", captures)

    expect(captures.size).toBe(0)
  })
})
