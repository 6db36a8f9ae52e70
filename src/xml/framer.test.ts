import { expect, test } from 'vitest'

import { frameAll, HEADER, LIMITS } from '../../test/support/wire/framing.ts'
import { type Frame, Framer, type FramerLimits, parseFrame } from './framer.ts'

const STREAM = 'http://etherx.jabber.org/streams'

test('a stream header says whom it is for and what namespace its content has', () => {
  const [start] = frameAll([`<?xml version='1.0'?><s:stream from='juliet@example.com' to='&#x65;xample.com'
    id='a&amp;b' version="1.0" xml:lang='de' xmlns='jabber:client' xmlns:s='${STREAM}'>`]).things

  expect(start).toEqual({
    kind: 'start', name: 'stream', ns: STREAM, to: 'example.com', from: 'juliet@example.com', id: 'a&b', version: '1.0',
    lang: 'de', contentNs: 'jabber:client',
  })
})

test('a stream header without a prefix has no content namespace (RFC 6120 §4.8.2)', () => {
  const [start] = frameAll([`<stream xmlns='${STREAM}'>`]).things

  expect(start).toMatchObject({ contentNs: undefined, to: undefined, version: undefined })
})

test('a stanza is its header and its bytes', () => {
  const inner = "<body xml:lang='en'>hi</body><active xmlns='http://jabber.org/protocol/chatstates'/>"
  const frame = frameOf(`<message to='a@b' from='c@d/e' id='1' type='chat' xml:lang='fr'>${inner}</message>`)

  expect(frame).toMatchObject({
    kind: 'element', name: 'message', ns: 'jabber:client', to: 'a@b', from: 'c@d/e', id: '1', type: 'chat', lang: 'fr',
    attributes: '',
  })
  expect(frame.inner.toString()).toBe(inner)
  expect(frame.children).toEqual([
    { name: 'body', ns: 'jabber:client', start: 0, end: 29 },
    { name: 'active', ns: 'http://jabber.org/protocol/chatstates', start: 29, end: inner.length },
  ])
})

test('what a header does not have is undefined, and what is empty is empty', () => {
  expect(frameOf('<presence/>')).toMatchObject({ to: undefined, from: undefined, id: undefined, type: undefined,
    lang: undefined, attributes: '', children: [] })
  expect(frameOf("<presence to='' id=\"\"/>")).toMatchObject({ to: '', id: '' })
})

test('header values are decoded as XML 1.0 §3.3.3 says', () => {
  const frame = frameOf("<iq to='&lt;&#x1F600;é&gt;' id='a\r\nb\tc\rd&#10;e&#13;' type='&quot;'/>")

  expect(frame).toMatchObject({ to: '<\u{1F600}é>', id: 'a b c d\ne\r', type: '"' })
})

test('attributes with a prefix are not taken for those without', () => {
  const frame = frameOf("<iq xmlns:p='urn:p' p:to='x' p:id='y' to='z'/>")

  expect(frame).toMatchObject({ to: 'z', id: undefined, attributes: " xmlns:p='urn:p' p:to='x' p:id='y'" })
})

test('other attributes stay as they were written', () => {
  const frame = frameOf(`<message  foo = "it's &amp; é"\n to='a' bar='"'/>`)

  expect(frame.attributes).toBe(` foo = "it's &amp; é" bar='"'`)
})

test('the default namespace is told as the namespace only', () => {
  expect(frameOf("<message xmlns='jabber:client' a='b'/>")).toMatchObject({ ns: 'jabber:client', attributes: " a='b'" })
  expect(frameOf("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")).toMatchObject({
    name: 'auth', ns: 'urn:ietf:params:xml:ns:xmpp-sasl', attributes: '',
  })
  expect(frameOf("<message xmlns=''/>").ns).toBe('')
})

test('a prefix of the stream header goes with the stanza that uses it, and with no other', () => {
  const stream = HEADER.replace('>', " xmlns:p='urn:p' xmlns:q='urn:&lt;q'>")

  expect(frameOf('<message><a><p:b/><p:c/></a></message>', stream).attributes).toBe(" xmlns:p='urn:p'")
  expect(frameOf("<message p:a='1'><b q:a='2'/></message>", stream).attributes)
    .toBe(" p:a='1' xmlns:p='urn:p' xmlns:q='urn:&lt;q'")
  expect(frameOf("<message xmlns:p='urn:own'><p:b/></message>", stream).attributes).toBe(" xmlns:p='urn:own'")
  expect(frameOf("<message><p:b xmlns:p='urn:own'/></message>", stream).attributes).toBe('')
  expect(frameOf('<p:message/>', stream)).toMatchObject({ name: 'message', ns: 'urn:p', attributes: '' })
  expect(frameAll([`${stream}<a><p:b/></a><a/>`]).things[2]).toMatchObject({ attributes: '' })
})

test('content keeps its namespace when the stanza had a prefix', () => {
  const frame = frameOf(
    "<c:message xmlns:c='jabber:client' xmlns='urn:o&amp;'>t<a><b/></a><d xmlns='urn:d'/><e\n/></c:message>",
  )

  expect(frame).toMatchObject({ name: 'message', ns: 'jabber:client', attributes: " xmlns:c='jabber:client'" })
  expect(frame.inner.toString()).toBe("t<a xmlns='urn:o&amp;'><b/></a><d xmlns='urn:d'/><e xmlns='urn:o&amp;'\n/>")
  expect(frame.children.map(child => [child.name, child.ns, frame.inner.toString('utf8', child.start, child.end)]))
    .toEqual([
      ['a', 'urn:o&', "<a xmlns='urn:o&amp;'><b/></a>"],
      ['d', 'urn:d', "<d xmlns='urn:d'/>"],
      ['e', 'urn:o&', "<e xmlns='urn:o&amp;'\n/>"],
    ])
})

test('what is in the namespace of the stanza has no prefix when it is handed out (RFC 6120 §4.8.5)', () => {
  const frame = frameOf(
    "<c:message xmlns:c='jabber:client' xmlns='urn:o'>t<a><b/></a><c:body c:n='&lt;'>1<b/>&amp;</c:body>" +
    "<x xmlns='urn:x'><c:y><z/><c:y/></c:y></x></c:message>")

  expect(frame.inner.toString()).toBe("t<a xmlns='urn:o'><b/></a><body c:n='&lt;'>1<b xmlns='urn:o'/>&amp;</body>" +
    "<x xmlns='urn:x'><y xmlns='jabber:client'><z xmlns='urn:x'/><y/></y></x>")
  expect(frame.children.map(child => [child.name, child.ns, frame.inner.toString('utf8', child.start, child.end)]))
    .toEqual([
      ['a', 'urn:o', "<a xmlns='urn:o'><b/></a>"],
      ['body', 'jabber:client', "<body c:n='&lt;'>1<b xmlns='urn:o'/>&amp;</body>"],
      ['x', 'urn:x', "<x xmlns='urn:x'><y xmlns='jabber:client'><z xmlns='urn:x'/><y/></y></x>"],
    ])
})

test('content that grows too large without its prefixes is refused', () => {
  const xml = `<c:message xmlns:c='jabber:client' xmlns='urn:${'o'.repeat(200)}'><c:x>${'<a/>'.repeat(1000)}</c:x></c:message>`

  expect(() => parseFrame(Buffer.from(xml), { ...LIMITS, stanzaBytes: 100_000 })).toThrow('too large')
})

test('content without a namespace stays without one when the stanza had a prefix', () => {
  const stream = `<s:stream xmlns:s='${STREAM}' xmlns:c='jabber:client'>`

  expect(frameOf('<c:message><a/></c:message>', stream).inner.toString()).toBe("<a xmlns=''/>")
})

test('many children are normalised, up to the limit of the stanza', () => {
  const stanza = (children: number): string =>
    `<c:a xmlns:c='urn:c' xmlns='${'x'.repeat(100)}'>${'<b/>'.repeat(children)}</c:a>`
  const frame = frameOf(stanza(2000))

  expect(frame.children).toHaveLength(2000)
  for (const { start, end } of frame.children) expect(frame.inner.subarray(start, end)).toHaveLength(4 + 109)
  expect(frameAll([HEADER, stanza(3000)]).fault).toBe('policy-violation')
})

test('the bytes of a stanza are those of the chunk, not a copy', () => {
  const framer = new Framer(LIMITS)
  framer.push(Buffer.from(HEADER))
  framer.next()
  for (let i = 0; i < 3; i++) {
    const chunk = Buffer.from(new TextEncoder().encode('<a><b/></a>').buffer)
    framer.push(chunk)
    const frame = framer.next()

    expect(frame?.kind === 'element' && frame.inner.buffer === chunk.buffer).toBe(true)
  }
})

test('the bytes of a stanza stay as they are when more comes', () => {
  const framer = new Framer(LIMITS)
  const frames: Frame[] = []
  for (const byte of Buffer.from(`${HEADER}${'<a>first</a><b>second</b><c>third</c>'.repeat(20)}`)) {
    framer.push(Buffer.of(byte))
    const thing = framer.next()
    if (thing?.kind === 'element') frames.push(thing)
  }

  const expected = Array.from({ length: 60 }, (_, i) => ['first', 'second', 'third'][i % 3])
  expect(frames.map(frame => frame.inner.toString())).toEqual(expected)
})

test('nothing is to be had before all of it has come', () => {
  const framer = new Framer(LIMITS)
  framer.push(Buffer.from(`${HEADER}<message><body>hel`))

  expect(framer.next()?.kind).toBe('start')
  expect(framer.next()).toBe(undefined)
  expect(framer.next()).toBe(undefined)
  framer.push(Buffer.from('lo</body></message'))
  expect(framer.next()).toBe(undefined)
  framer.push(Buffer.from('>'))
  expect(framer.next()?.kind).toBe('element')
  expect(framer.next()).toBe(undefined)
})

test('bytes may come while others wait to be taken', () => {
  const framer = new Framer(LIMITS)
  for (const piece of [HEADER, '<a/><b>', '<c/></b>', '', '<d/><e']) framer.push(Buffer.from(piece))

  expect(framer.next()?.kind).toBe('start')
  expect(framer.next()).toMatchObject({ name: 'a' })
  framer.push(Buffer.from('/>'))
  expect([framer.next(), framer.next(), framer.next()]).toMatchObject([{ name: 'b' }, { name: 'd' }, { name: 'e' }])
  expect(framer.next()).toBe(undefined)
})

test('unread bytes are counted, also those of an element that has begun', () => {
  const framer = new Framer(LIMITS)
  expect(framer.buffered).toBe(0)

  framer.push(Buffer.from(`${HEADER}<starttls/><iq`))
  framer.next()
  expect(framer.buffered).toBe('<starttls/><iq'.length)
  framer.next()
  expect(framer.buffered).toBe('<iq'.length)
  framer.next()
  expect(framer.buffered).toBe('<iq'.length)
  framer.push(Buffer.from('/>'))
  framer.next()
  expect(framer.buffered).toBe(0)
})

test('after a fault each call throws it again, whatever comes', () => {
  const framer = new Framer(LIMITS)
  framer.push(Buffer.from(`${HEADER}<a/><b></c>`))
  framer.next()
  framer.next()

  let first: unknown
  try { framer.next() } catch (error) { first = error }
  framer.push(Buffer.from(HEADER))
  framer.reset()
  expect(first).toMatchObject({ condition: 'not-well-formed' })
  for (let i = 0; i < 3; i++) expect(() => framer.next()).toThrow(first as Error)
})

test('what comes before a fault is handed out', () => {
  expect(frameAll([`${HEADER}<a/><b/><!-- -->`])).toMatchObject({
    things: [{ kind: 'start' }, { name: 'a' }, { name: 'b' }], fault: 'restricted-xml',
  })
})

test('after a reset the unread bytes begin a new stream', () => {
  const framer = new Framer(LIMITS)
  framer.push(Buffer.from(`${HEADER.replace('>', " xmlns:p='urn:p'>")}<auth/><?xml version='1.0'?>${HEADER}<a/><p:b/>`))
  framer.next()
  framer.next()
  framer.reset()

  expect(framer.next()).toMatchObject({ kind: 'start', contentNs: 'jabber:client' })
  expect(framer.next()).toMatchObject({ name: 'a' })
  expect(() => framer.next()).toThrow(expect.objectContaining({ condition: 'not-well-formed' }))
})

test('a reset goes back to the beginning of what was half read', () => {
  const framer = new Framer(LIMITS)
  framer.push(Buffer.from(`${HEADER}<auth/>${HEADER.slice(0, 30)}`))
  framer.next()
  framer.next()
  expect(framer.next()).toBe(undefined)
  framer.reset()
  framer.push(Buffer.from(`${HEADER.slice(30)}<a/></stream:stream>`))

  expect([framer.next(), framer.next(), framer.next()])
    .toMatchObject([{ kind: 'start', to: 'localhost' }, { name: 'a' }, { kind: 'end' }])
})

test.each<readonly [string, Partial<FramerLimits>, string, string]>([
  ['a stanza', { stanzaBytes: 300 }, `<a>${'x'.repeat(293)}</a>`, `<a>${'x'.repeat(294)}</a>`],
  ['a stanza in larger characters', { stanzaBytes: 300 }, `<a>${'é'.repeat(146)}</a>`, `<a>${'é'.repeat(147)}</a>`],
  ['an attribute', { stanzaBytes: 300 }, `<a b='${'x'.repeat(291)}'/>`, `<a b='${'x'.repeat(292)}'/>`],
  ['CDATA', { stanzaBytes: 300 }, `<a><![CDATA[${']'.repeat(281)}]]></a>`, `<a><![CDATA[${']'.repeat(282)}]]></a>`],
  ['the depth', { depth: 3 }, '<a><b><c/></b></a>', '<a><b><c><d/></c></b></a>'],
  ['the number of elements', { elements: 4 }, '<a><b/><c><d/></c></a>', '<a><b/><c><d/></c><e/></a>'],
  ['the number of attributes', { attributes: 4 }, "<a b='' c='' d='' xmlns=''/>", "<a b='' c='' d='' e='' xmlns=''/>"],
  ['the length of a tag name', { nameBytes: 40 }, `<${'a'.repeat(40)}/>`, `<${'a'.repeat(41)}/>`],
  ['the length of a namespace', { nameBytes: 40 },
    `<a xmlns='${'b'.repeat(40)}'/>`, `<a xmlns:p='${'b'.repeat(41)}'/>`],
  ['the length of an attribute name', { nameBytes: 40 }, `<a ${'b'.repeat(40)}=''/>`, `<a ${'b'.repeat(41)}=''/>`],
])('%s is allowed up to its limit and a policy-violation beyond', (_what, limits, allowed, refused) => {
  const all = { ...LIMITS, ...limits }

  for (const cut of [1, 5, 1000]) {
    const pieces = (xml: string): readonly Buffer[] => [Buffer.from(HEADER), ...inPieces(Buffer.from(xml), cut)]
    expect(frameAll(pieces(allowed), all)).toMatchObject({ things: [{ kind: 'start' }, { name: expect.anything() }],
      fault: undefined })
    expect(frameAll(pieces(refused), all)).toMatchObject({ things: [{ kind: 'start' }], fault: 'policy-violation' })
  }
})

test('what never ends is refused when it has come to the limit', () => {
  for (const endless of ['<a b="', '<a>', '<', '</stream:stream', `<a><![CDATA[`, '<a>&', '<a>&#']) {
    const outcome = frameAll([HEADER, endless, ...Array(100).fill('0000000000')], { ...LIMITS, stanzaBytes: 500 })
    expect(['policy-violation', 'not-well-formed']).toContain(outcome.fault)
  }
  expect(frameAll([`<?xml ${'a'.repeat(1000)}`], { ...LIMITS, stanzaBytes: 500 }).fault).toBe('policy-violation')
})

test('white space between stanzas has no limit, for it is not kept', () => {
  const framer = new Framer({ ...LIMITS, stanzaBytes: 500 })
  framer.push(Buffer.from(HEADER))
  framer.next()
  for (let i = 0; i < 100; i++) {
    framer.push(Buffer.from(' \n'.repeat(50)))
    expect(framer.next()).toBe(undefined)
    expect(framer.buffered).toBe(0)
  }
  framer.push(Buffer.from(`${' '.repeat(2000)}<a/>`))
  expect(framer.next()).toMatchObject({ name: 'a' })
})

test('the limit may change on the way', () => {
  const framer = new Framer({ ...LIMITS, stanzaBytes: 200 })
  framer.push(Buffer.from(`${HEADER}<a>${'x'.repeat(100)}`))
  framer.next()
  framer.limit(500)
  framer.push(Buffer.from(`${'x'.repeat(300)}</a><b>${'x'.repeat(100)}`))
  expect(framer.next()).toMatchObject({ name: 'a' })
  expect(framer.next()).toBe(undefined)

  framer.limit(50)
  expect(() => framer.next()).toThrow(expect.objectContaining({ condition: 'policy-violation' }))
})

test.each([
  ['text', '<a>', 'x', '</a>'],
  ['brackets in CDATA', '<a><![CDATA[', ']', ']]></a>'],
  ['an attribute', "<a b='", '"', "'/>"],
  ['white space in a tag', '<a', ' ', '/>'],
  ['a reference', '<a>&#', '0', '65;</a>'],
  ['levels', '', '<a>', ''],
  ['attributes', '<a', " b=''", '/>'],
])('%s without end is read on where reading stopped, byte by byte', (_what, before, filling, after) => {
  const limits = { stanzaBytes: 1e6, depth: 1e6, attributes: 10, nameBytes: 10, elements: 1e6 }
  const framer = new Framer(limits)
  let last: ReturnType<Framer['next']>
  let fault: unknown
  try {
    for (const byte of Buffer.from(`${HEADER}${before}${filling.repeat(300_000 / filling.length)}${after}`)) {
      framer.push(Buffer.of(byte))
      last = framer.next()
    }
  } catch (error) { fault = error }

  // whatever went back to the beginning at each byte would be at it for hours
  expect(last?.kind === 'element' || framer.buffered > 299_000 || fault !== undefined).toBe(true)
})

function inPieces (bytes: Buffer, length: number): readonly Buffer[] {
  const count = Math.ceil(bytes.length / length)
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * length, (i + 1) * length))
}

function frameOf (xml: string, header = HEADER): Frame {
  const framer = new Framer(LIMITS)
  framer.push(Buffer.from(header + xml))
  framer.next()
  const frame = framer.next()
  if (frame?.kind !== 'element') throw new Error('no element')
  return frame
}
