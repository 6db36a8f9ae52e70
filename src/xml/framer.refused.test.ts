/** What XML 1.0, its namespaces and RFC 6120 §11 forbid, and the stream error that answers it. */

import { expect, test } from 'vitest'

import { cuts, frameAll, HEADER } from '../../test/support/wire/framing.ts'

type Case = readonly [condition: string, what: string, xml: string | Buffer]

const NOT_UTF8: readonly [string, readonly number[]][] = [
  ['a lone continuation byte', [0x80]],
  ['a lead byte without its continuation', [0xc3, 0x28]],
  ['an overlong form of two bytes', [0xc0, 0xbc]],
  ['an overlong NUL', [0xc0, 0x80]],
  ['an overlong form of three bytes', [0xe0, 0x80, 0xbc]],
  ['an overlong form of four bytes', [0xf0, 0x80, 0x80, 0xbc]],
  ['a high surrogate', [0xed, 0xa0, 0x80]],
  ['a low surrogate', [0xed, 0xb0, 0x80]],
  ['a surrogate pair (CESU-8)', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
  ['a character beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ['a form of five bytes', [0xf8, 0x88, 0x80, 0x80, 0x80]],
  ['0xFF', [0xff]],
  ['Latin-1', [0x66, 0xfc, 0x72]],
]

const CHARACTERS: readonly [string, string][] = [
  ['NUL', '\0'], ['U+0001', '\x01'], ['a backspace', '\b'], ['a form feed', '\f'], ['U+001F', '\x1f'],
  ['U+FFFE', '\ufffe'], ['U+FFFF', '\uffff'],
]

const around = (before: string, bytes: readonly number[], after: string): Buffer =>
  Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)])

/** Inside of a stream. */
const STANZAS: readonly Case[] = [
  ...NOT_UTF8.map(([what, bytes]): Case =>
    ['unsupported-encoding', `${what} in text`, around('<message><body>a', bytes, 'bcd</body></message>')]),
  ...NOT_UTF8.map(([what, bytes]): Case =>
    ['unsupported-encoding', `${what} in an attribute`, around("<message to='a", bytes, "bcd'/>")]),
  ['unsupported-encoding', 'bad UTF-8 in a name', around('<a', [0xc0, 0xbc], 'bcd/>')],
  ['unsupported-encoding', 'bad UTF-8 in CDATA', around('<a><![CDATA[', [0xed, 0xa0, 0x80], ']]></a>')],
  ['unsupported-encoding', 'bad UTF-8 between stanzas', around('', [0xff, 0xfe], '<a/>')],
  ...CHARACTERS.map(([what, character]): Case => ['not-well-formed', `${what} in text`, `<a>${character}</a>`]),
  ...CHARACTERS.map(([what, character]): Case =>
    ['not-well-formed', `${what} in an attribute`, `<a b='${character}'/>`]),
  ['not-well-formed', 'NUL in CDATA', '<a><![CDATA[\0]]></a>'],
  ['not-well-formed', 'NUL between stanzas', '\0<a/>'],

  ['not-well-formed', 'a reference to NUL', '<a>&#0;</a>'],
  ['not-well-formed', 'a reference to NUL in an attribute', "<a b='&#x0;'/>"],
  ['not-well-formed', 'a reference to a control character', '<a>&#x1;</a>'],
  ['not-well-formed', 'a reference to a surrogate', '<a>&#xD800;</a>'],
  ['not-well-formed', 'a reference to U+FFFF', '<a>&#65535;</a>'],
  ['not-well-formed', 'a reference beyond U+10FFFF', '<a>&#x110000;</a>'],
  ['not-well-formed', 'a reference to a number without end', `<a>&#${'9'.repeat(400)};</a>`],
  ['not-well-formed', 'a reference without digits', '<a>&#;</a>'],
  ['not-well-formed', 'a reference without hexadecimal digits', '<a>&#x;</a>'],
  ['not-well-formed', 'a reference with a capital X', '<a>&#X41;</a>'],
  ['not-well-formed', 'a decimal reference with letters', '<a>&#4a;</a>'],
  ['not-well-formed', 'a reference without its end', '<a>&#65 </a>'],
  ['not-well-formed', 'a bare & in text', '<a>b & c</a>'],
  ['not-well-formed', 'a bare & in an attribute', "<a b='c & d'/>"],
  ['not-well-formed', 'an entity without its end', '<a>&amp </a>'],
  ['not-well-formed', 'a reference without a name', '<a>&;</a>'],
  ['not-well-formed', 'an entity that stops where the element does', '<a>&amp</a>'],
  ['restricted-xml', 'an unknown entity', '<a>&nbsp;</a>'],
  ['restricted-xml', 'an unknown entity in an attribute', "<a b='&bomb;'/>"],
  ['restricted-xml', 'an entity in the wrong case', '<a>&LT;</a>'],

  ['restricted-xml', 'a comment', '<a><!-- b --></a>'],
  ['restricted-xml', 'a comment between stanzas', '<!-- b --><a/>'],
  ['restricted-xml', 'a processing instruction', '<a><?php 1 ?></a>'],
  ['restricted-xml', 'a processing instruction between stanzas', '<?php 1 ?><a/>'],
  ['restricted-xml', 'an XML declaration between stanzas', "<?xml version='1.0'?><a/>"],
  ['restricted-xml', 'a document type between stanzas', '<!DOCTYPE a><a/>'],
  ['restricted-xml', 'an entity declaration', "<a><!ENTITY b 'c'></a>"],

  ['not-well-formed', 'an end tag that does not match', '<a><b></a></b>'],
  ['not-well-formed', 'an end tag with a longer name', '<a></ab>'],
  ['not-well-formed', 'an end tag with a shorter name', '<ab></a>'],
  ['not-well-formed', 'an end tag in another case', '<a></A>'],
  ['not-well-formed', 'an end tag with another prefix', "<p:a xmlns:p='urn:p' xmlns:q='urn:p'></q:a>"],
  ['not-well-formed', 'an end tag too many', '<a/></a>'],
  ['not-well-formed', 'an end tag with an attribute', "<a></a b='c'>"],
  ['not-well-formed', 'an end tag with a space before its name', '<a></ a>'],
  ['not-well-formed', 'an end tag without a name', '<a></></a>'],
  ['not-well-formed', 'the end of the stream inside a stanza', '<a></stream:stream>'],
  ['not-well-formed', 'a tag without a name', '<a>< b/></a>'],
  ['not-well-formed', 'a tag without anything', '<></>'],
  ['not-well-formed', 'a < in text', '<a>1 < 2</a>'],
  ['not-well-formed', 'a tag that another begins in', '<a <b/></a>'],
  ['not-well-formed', 'a slash inside a tag', "<a / b='c'></a>"],
  ['not-well-formed', 'a slash and a space', '<a/ >'],

  ['not-well-formed', 'a name that begins with a digit', '<1a/>'],
  ['not-well-formed', 'a name that begins with a hyphen', '<-a/>'],
  ['not-well-formed', 'a name that begins with a full stop', '<.a/>'],
  ['not-well-formed', 'a name with a dollar sign', '<a$/>'],
  ['not-well-formed', 'a name with a quote', '<a"b/>'],
  ['not-well-formed', 'a name with a multiplication sign', '<a\u00d7/>'],
  ['not-well-formed', 'a name that begins with a middle dot', '<\u00b7a/>'],
  ['not-well-formed', 'an attribute name that begins with a digit', "<a 1b='c'/>"],

  ['not-well-formed', 'an attribute twice', "<a b='1' b='2'/>"],
  ['not-well-formed', 'an attribute twice among many',
    `<a ${Array.from({ length: 20 }, (_, i) => `b${i}='1'`).join(' ')} b7='2'/>`],
  ['not-well-formed', 'an attribute twice by two prefixes', "<a xmlns:p='urn:p' xmlns:q='urn:p' p:b='1' q:b='2'/>"],
  ['not-well-formed', 'a declaration twice', "<a xmlns='urn:p' xmlns='urn:p'/>"],
  ['not-well-formed', 'no space between attributes', "<a b='1'c='2'/>"],
  ['not-well-formed', 'an attribute without quotes', '<a b=1/>'],
  ['not-well-formed', 'an attribute without a value', '<a b/>'],
  ['not-well-formed', 'an attribute with nothing behind =', '<a b=/>'],
  ['not-well-formed', 'an attribute with other quotes at its end', `<a b='c"/><d e="'/>`],
  ['not-well-formed', 'an attribute without a name', "<a ='b'/>"],
  ['not-well-formed', 'a < in an attribute', "<a b='<'/>"],

  ['not-well-formed', ']]> in text', '<a>b ]]> c</a>'],
  ['not-well-formed', ']]> with more brackets in text', '<a>]]]]></a>'],
  ['not-well-formed', ']]> behind CDATA', '<a><![CDATA[b]]>]]></a>'],
  ['not-well-formed', 'CDATA in lower case', '<a><![cdata[b]]></a>'],
  ['not-well-formed', 'CDATA with a space', '<a><![CDATA [b]]></a>'],
  ['not-well-formed', 'half a comment', '<a><!-b></a>'],
  ['not-well-formed', '<! with nothing behind it', '<a><!></a>'],

  ['not-well-formed', 'an element with an undeclared prefix', '<message><foo:body/></message>'],
  ['not-well-formed', 'a stanza with an undeclared prefix', '<foo:message/>'],
  ['not-well-formed', 'an attribute with an undeclared prefix', "<a foo:b='c'/>"],
  ['not-well-formed', 'a prefix after the element that declares it', "<a><b xmlns:p='urn:p'/><p:c/></a>"],
  ['not-well-formed', 'a prefix of the stanza before', "<a xmlns:p='urn:p'/><p:b/>"],
  ['not-well-formed', 'a prefix for no namespace', "<a xmlns:p=''/>"],
  ['not-well-formed', 'xml bound to another namespace', "<a xmlns:xml='urn:p'/>"],
  ['not-well-formed', 'a prefix for the namespace of xml', "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>"],
  ['not-well-formed', 'the namespace of xml as default', "<a xmlns='http://www.w3.org/XML/1998/namespace'/>"],
  ['not-well-formed', 'a declaration of xmlns', "<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>"],
  ['not-well-formed', 'a prefix for the namespace of xmlns', "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>"],
  ['not-well-formed', 'that namespace, spelt with a reference', "<a xmlns:p='http://www.w3.org/2000/xmlns&#x2f;'/>"],
  ['not-well-formed', 'an element with the prefix xmlns', '<xmlns:a/>'],
  ['not-well-formed', 'two colons', "<a xmlns:p='urn:p'><p:b:c/></a>"],
  ['not-well-formed', 'nothing before the colon', '<:a/>'],
  ['not-well-formed', 'nothing behind the colon', "<p: xmlns:p='urn:p'/>"],
  ['not-well-formed', 'a digit behind the colon', "<a xmlns:p='urn:p'><p:1/></a>"],
  ['not-well-formed', 'xmlns with nothing behind the colon', "<a xmlns:='urn:p'/>"],

  ['invalid-namespace', 'a stanza of the namespace of xml', '<xml:message/>'],
  ['bad-format', 'text between stanzas', '<a/>b<c/>'],
  ['bad-format', 'a reference between stanzas', '<a/>&#32;<c/>'],
  ['bad-format', 'CDATA between stanzas', '<a/><![CDATA[ ]]><c/>'],
  ['bad-format', 'a byte order mark between stanzas', '\ufeff<a/>'],
  ['bad-format', 'a no-break space between stanzas', '<a/>\u00a0<c/>'],
  ['not-well-formed', 'an element after the end of the stream', '</stream:stream><a/>'],
  ['not-well-formed', 'text after the end of the stream', '</stream:stream> a'],
  ['not-well-formed', 'an empty end tag after the end of the stream', '</stream:stream></>'],
  ['not-well-formed', 'a second end of the stream', '</stream:stream></stream:stream>'],
]

/** From the first byte. */
const STREAMS: readonly Case[] = [
  ['not-well-formed', 'text', 'GET / HTTP/1.1\r\n'],
  ['not-well-formed', 'text before the stream header', `hello ${HEADER}`],
  ['not-well-formed', 'a byte order mark', `\ufeff${HEADER}`],
  ['not-well-formed', 'an end tag', '</stream:stream>'],
  ['not-well-formed', 'CDATA', `<![CDATA[a]]>${HEADER}`],
  ['not-well-formed', 'UTF-16 without a byte order mark', Buffer.from('<?xml version="1.0"?>', 'utf16le')],
  ['unsupported-encoding', 'UTF-16', Buffer.from('\ufeff<?xml version="1.0"?>', 'utf16le')],
  ['unsupported-encoding', 'another encoding', `<?xml version='1.0' encoding='ISO-8859-1'?>${HEADER}`],
  ['unsupported-encoding', 'a declaration of UTF-16', `<?xml version='1.0' encoding='utf-16'?>${HEADER}`],
  ['bad-format', 'XML 1.1', `<?xml version='1.1'?>${HEADER}`],
  ['not-well-formed', 'XML 2.0', `<?xml version='2.0'?>${HEADER}`],
  ['not-well-formed', 'a declaration without a version', `<?xml encoding='utf-8'?>${HEADER}`],
  ['not-well-formed', 'a declaration in the wrong order', `<?xml encoding='utf-8' version='1.0'?>${HEADER}`],
  ['not-well-formed', 'a declaration without its question mark', `<?xml version='1.0'>${HEADER}`],
  ['not-well-formed', 'a declaration with more in it', `<?xml version='1.0' a='b'?>${HEADER}`],
  ['not-well-formed', 'a standalone that is neither yes nor no', `<?xml version='1.0' standalone='maybe'?>${HEADER}`],
  ['not-well-formed', 'a declaration with a no-break space', `<?xml version='1.0'\u00a0?>${HEADER}`],
  ['restricted-xml', 'a declaration behind white space', ` <?xml version='1.0'?>${HEADER}`],
  ['restricted-xml', 'a declaration twice', `<?xml version='1.0'?><?xml version='1.0'?>${HEADER}`],
  ['restricted-xml', 'another instruction', `<?xml-stylesheet href='a'?>${HEADER}`],
  ['restricted-xml', 'a document type', `<!DOCTYPE lolz [<!ENTITY lol 'lol'>]>${HEADER}`],
  ['restricted-xml', 'a comment', `<!-- a -->${HEADER}`],

  ['bad-format', 'an element that is no stream', "<message xmlns='jabber:client'/>"],
  ['bad-format', 'another element of the stream namespace', "<s:features xmlns:s='http://etherx.jabber.org/streams'>"],
  ['invalid-namespace', 'another stream namespace', "<stream:stream xmlns:stream='urn:wrong' xmlns='jabber:client'>"],
  ['invalid-namespace', 'a stream without a namespace', '<stream>'],
  ['invalid-namespace', 'a stream in the content namespace', "<stream xmlns='jabber:client'>"],
  ['bad-namespace-prefix', 'an undeclared prefix', "<stream:stream xmlns='jabber:client'>"],
  ['bad-namespace-prefix', 'no prefix where one is needed',
    "<stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"],
  ['bad-namespace-prefix', 'a prefix that is for another namespace',
    "<foo:stream xmlns:foo='urn:foo' xmlns:stream='http://etherx.jabber.org/streams'>"],
  ['not-well-formed', 'an attribute with an undeclared prefix', HEADER.replace(" to='", " foo:to='")],
  ['not-well-formed', 'an attribute twice', HEADER.replace(" to='", " to='a' to='")],
]

for (const [condition, what, xml] of STANZAS) {
  test(`${what}: ${condition}, wherever the bytes are cut`, () => {
    expectRefused(condition, Buffer.concat([Buffer.from(HEADER), Buffer.from(xml)]), HEADER.length)
  })
}

for (const [condition, what, xml] of STREAMS) {
  test(`a stream that begins with ${what}: ${condition}, wherever the bytes are cut`, () => {
    expectRefused(condition, Buffer.from(xml), 0)
  })
}

function expectRefused (condition: string, bytes: Buffer, after: number): void {
  const whole = frameAll([bytes])

  expect(whole.fault).toBe(condition)
  expect(whole.things.length > 0).toBe(after > 0)
  for (const pieces of cuts(bytes)) expect(frameAll(pieces)).toEqual(whole)
}
