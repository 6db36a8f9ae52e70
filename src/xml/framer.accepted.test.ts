/** What XML 1.0, its namespaces and RFC 6120 §11 allow, however odd, and what a framer makes of it. */

import { expect, test } from 'vitest'

import { cuts, frameAll, HEADER } from '../../test/support/wire/framing.ts'

const END = '</stream:stream>'

/** Inside of a stream; each is one element. */
const STANZAS: readonly (readonly [what: string, xml: string])[] = [
  ['an empty element', '<message/>'],
  ['an empty element in two tags', '<message></message>'],
  ['white space in tags', "<message \t\r\n to = 'a'\n from\t=\r\"b\" ><body\n>a</body\t></message \r\n>"],
  ['white space before the end of an empty element', "<message to='a' />"],
  ['quotes inside the other quotes', `<a b='"' c="'"/>`],
  ['a > in text and in an attribute', "<a b='1 > 2'>3 > 2</a>"],
  ['brackets in text', '<a>a[0]] ]>]]</a>'],
  ['the five entities', "<a b='&amp;&lt;&gt;&quot;&apos;'>&amp;&lt;&gt;&quot;&apos;</a>"],
  [']]> with a reference', '<a>]]&gt; &#93;]> ]&#93;></a>'],
  ['references to characters', "<a b='&#xA;&#9;'>&#65;&#x1F600;&#xfffd;&#x10FFFF;&#0000000000000000065;</a>"],
  ['CDATA', '<a><![CDATA[<b>&amp;&nbsp;]] ]>]]]]><![CDATA[>]]></a>'],
  ['empty CDATA', '<a><![CDATA[]]></a>'],
  ['CDATA with a comment in it', '<a><![CDATA[<!-- -->]]></a>'],
  ['characters of two, three and four bytes', '<a b="é漢😀">é漢😀 \u{10ffff}\u{e000}\ufffd\u007f\u0085\ufdd0</a>'],
  ['a byte order mark in text', '<a>\ufeffb</a>'],
  ['names beyond ASCII', "<имя ключ='значение'><漢字/><a\u00b7\u0301\u{10000}/></имя>"],
  ['names with all that ASCII allows', "<_a-b.c1 d_e-f.g2='h'/>"],
  ['white space in text', '<a>\t\r\n </a>'],
  ['a prefix that the element itself declares', "<a><p:b xmlns:p='urn:p' p:b='c' b='c'><p:d/></p:b></a>"],
  ['a prefix with another meaning inside', "<a xmlns:p='urn:p'><p:b xmlns:p='urn:q'><p:c/></p:b><p:d/></a>"],
  ['no namespace inside', "<a><b xmlns=''><c/></b></a>"],
  ['the same local name in different namespaces', "<a xmlns:p='urn:p' xmlns:q='urn:q' b='1' p:b='2' q:b='3'/>"],
  ['the default namespace and a prefix being the same', "<a xmlns='urn:p' xmlns:p='urn:p' b='1' p:b='2'/>"],
  ['xml declared as what it is', "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='de'/>"],
  ['a prefix of the stream header', '<a><stream:b/></a>'],
  ['a stanza with a prefix of the stream header', '<stream:features/>'],
  ['attributes named as what every object has', "<a __proto__='1' constructor='2' hasOwnProperty='3'/>"],
  ['many attributes', `<a ${Array.from({ length: 60 }, (_, i) => `b${i}='c'`).join(' ')}/>`],
  ['many levels', `${'<a>'.repeat(63)}${'</a>'.repeat(63)}`],
]

const STREAMS: readonly (readonly [what: string, xml: string])[] = [
  ['a bare stream', `${HEADER}${END}`],
  ['an XML declaration', `<?xml version='1.0'?>${HEADER}${END}`],
  ['an XML declaration with all in it',
    `<?xml\tversion = "1.0"\nencoding="UTF-8" standalone='yes' ?>\r\n${HEADER}${END}`],
  ['UTF-8 in lower case', `<?xml version='1.0' encoding='utf-8' standalone='no'?>${HEADER}${END}`],
  ['white space before the header', ` \r\n\t${HEADER}${END}`],
  ['white space between stanzas and at the end', `${HEADER} \n\t\r<a/>  <b/>\n${END}\n`],
  ['another prefix',
    "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:client'><message/></s:stream>"],
  ['no prefix', "<stream xmlns='http://etherx.jabber.org/streams'><message xmlns='jabber:client'/></stream>"],
  ['a header that is closed at once', "<s:stream xmlns:s='http://etherx.jabber.org/streams'/>"],
  ['white space in the end tag', `${HEADER}</stream:stream\n>`],
]

for (const [what, xml] of STANZAS) {
  test(`${what} is taken as it is, wherever the bytes are cut`, () => {
    const bytes = Buffer.from(`${HEADER}${xml}${END}`)
    const whole = frameAll([bytes])

    expect(whole).toMatchObject({ fault: undefined, buffered: 0 })
    expect(whole.things.map(thing => thing.kind)).toEqual(['start', 'element', 'end'])
    expect(xml).toContain(innerOf(whole.things[1]))
    for (const pieces of cuts(bytes)) expect(frameAll(pieces)).toEqual(whole)
  })
}

for (const [what, xml] of STREAMS) {
  test(`${what} is a stream, wherever the bytes are cut`, () => {
    const bytes = Buffer.from(xml)
    const whole = frameAll([bytes])

    expect(whole).toMatchObject({ fault: undefined, buffered: 0 })
    expect(whole.things.at(0)?.kind).toBe('start')
    expect(whole.things.at(-1)?.kind).toBe('end')
    for (const pieces of cuts(bytes)) expect(frameAll(pieces)).toEqual(whole)
  })
}

function innerOf (thing: ReturnType<typeof frameAll>['things'][number] | undefined): string {
  return thing?.kind === 'element' ? Buffer.from(thing.inner, 'latin1').toString() : 'no element'
}
