/** The framer against saxes, which is an XML parser that others wrote, over documents that are nearly XML. */

import fc from 'fast-check'
import { SaxesParser } from 'saxes'
import { expect, test } from 'vitest'

import { frameAll, LIMITS } from '../../test/support/wire/framing.ts'
import { type Element, parseChild, parseElement } from './element.ts'
import { type Frame, Framer } from './framer.ts'

/** More for whoever changes the framer: `FUZZ_RUNS=200000` and a longer --test-timeout. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 3000)
const space = fc.constantFrom('', '', '', ' ', '\n', '\t ', '\r\n')
const name = fc.constantFrom('message', 'body', 'a', 'b-1', '_c.d', 'é', '漢', 'stream')
const prefix = fc.constantFrom('', '', '', '', 'p:', 'q:', 'stream:', 'xml:')
const ns = fc.constantFrom('urn:p', 'urn:q', 'jabber:client', 'urn:a&amp;b', 'http://etherx.jabber.org/streams')
const characters = fc.constantFrom(
  'a',
  'bc ',
  '\n',
  '\r',
  '\t',
  'é',
  '漢字',
  '😀',
  '\ufeff',
  ']',
  '>',
  '\u007f',
  '\u1680',
)
const references = fc.constantFrom('&amp;', '&lt;', '&#10;', '&#x1F600;', '&apos;', '&#13;')
const text = fc.array(fc.oneof(characters, references), { maxLength: 5 }).map(parts => parts.join(''))
const cdata = fc.array(fc.oneof(characters, references, fc.constant('<')), { maxLength: 4 })
  .map(parts => `<![CDATA[${parts.join('').replaceAll(']]>', '')}]]>`)

const declaration = fc.tuple(fc.constantFrom('xmlns', 'xmlns:p', 'xmlns:q'), ns)
const plainAttribute = fc.tuple(fc.constantFrom('to', 'from', 'id', 'type', 'xml:lang', 'p:a', 'q:a', 'p:to'), text)
const attributes = fc.uniqueArray(fc.oneof(declaration, plainAttribute), { maxLength: 4, selector: ([key]) => key })
  .chain(all => fc.tuple(...all.map(([key, value]) => written(key, value))))
  .map(all => all.join(''))

function written (key: string, value: string): fc.Arbitrary<string> {
  return fc.tuple(space, space, fc.constantFrom('"', "'")).map(([before, after, quote]) =>
    ` ${before}${key}${after}=${before}${quote}${value.replaceAll(quote, '')}${quote}`)
}

const element: fc.Arbitrary<string> = fc.letrec<{ element: string, content: string }>(tie => ({
  content: fc.array(fc.oneof({ depthSize: 'small' }, text, cdata, tie('element')), { maxLength: 4 })
    .map(parts => parts.join('')),
  element: fc.tuple(prefix, name, attributes, tie('content'), space, fc.boolean())
    .map(([before, local, more, content, gap, empty]) => empty || content === ''
      ? `<${before}${local}${more}${gap}/>`
      : `<${before}${local}${more}${gap}>${content}</${before}${local}${gap}>`),
})).element

const stream = fc.tuple(
  fc.constantFrom('', "<?xml version='1.0'?>", '<?xml version="1.0" encoding="utf-8" ?>\n'),
  fc.constantFrom('', '', '', " xmlns:p='urn:p'", " xmlns:p='urn:p' xmlns:q='urn:p'"),
  fc.array(fc.tuple(element, space), { maxLength: 3 }),
).map(([xmlDeclaration, more, elements]) => `${xmlDeclaration}<stream:stream xmlns='jabber:client'` +
  ` xmlns:stream='http://etherx.jabber.org/streams'${more}>${elements.flat().join('')}</stream:stream>`)

/** What may get in between. */
const noise = fc.oneof(
  fc.constantFrom(
    '<', '>', '/', '/>', "'", '"', '=', ' ', ':', '&', ';', '!', '?', ']]>', ']]', '<![CDATA[', '<!--', '-->', '--',
    '<!-- x -->', '<?x y?>', '<!DOCTYPE a>', '&nbsp;', '&#0;', '&#xD800;', '&#x41;', '&amp;', '&#;', 'xmlns', 'xml:',
    " xmlns=''", " xmlns:p=''", " xmlns:p='urn:q'", " q:a='1'", " a='1'", " a='2'", "<?xml version='1.1'?>",
    " xmlns:xml='http://www.w3.org/XML/1998/namespace'", " xmlns:z='http://www.w3.org/2000/xmlns/'",
    '</body>', '<body>', '<a/>', '</stream:stream>', '<p:a/>',
    '\0', '\x01', '\ufffe', '\ufeff', '\u00b7', '\u00d7', '1', '-', 'é',
    '\r\n',
  ).map(token => Buffer.from(token)),
  fc.constantFrom([0xc0, 0xbc], [0xed, 0xa0, 0x80], [0xff], [0xc3], [0x80], [0xf4, 0x90, 0x80, 0x80]).map(Buffer.from),
)
const mutation = fc.record({
  at: fc.nat(),
  remove: fc.nat({ max: 3 }),
  insert: fc.oneof(noise, fc.constant(Buffer.alloc(0))),
})

function mutate (xml: string, mutations: readonly { at: number, remove: number, insert: Buffer }[]): Buffer {
  let bytes = Buffer.from(xml)
  for (const { at, remove, insert } of mutations) {
    const place = at % (bytes.length + 1)
    bytes = Buffer.concat([bytes.subarray(0, place), insert, bytes.subarray(place + remove)])
  }
  return bytes
}

const NS_STREAM = 'http://etherx.jabber.org/streams'
const NS_XML = 'http://www.w3.org/XML/1998/namespace'

interface Verdict {
  /** Whether saxes finds nothing wrong. */
  readonly accepts: boolean
  /** The conditions of what it finds right and XMPP, or XML, does not. */
  readonly forbidden: readonly string[]
}

function judge (bytes: Buffer): Verdict {
  let xml: string
  try {
    xml = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch { return { accepts: false, forbidden: [] } }
  const parser = new SaxesParser({ xmlns: true })
  let accepts = true
  parser.on('error', () => { accepts = false })
  const forbidden = noteForbidden(parser, xml)
  parser.write(xml).close()
  return { accepts, forbidden }
}

/** All that saxes takes and we must not. */
function noteForbidden (parser: SaxesParser<{ xmlns: true }>, xml: string): readonly string[] {
  const forbidden: string[] = []
  let depth = 0
  // RFC 6120 §11.6: U+FEFF is no byte order mark
  if (xml.startsWith('\ufeff')) forbidden.push('not-well-formed')
  // RFC 6120 §11.1
  parser.on('comment', () => { forbidden.push('restricted-xml') })
  parser.on('processinginstruction', () => { forbidden.push('restricted-xml') })
  parser.on('doctype', () => { forbidden.push('restricted-xml') })
  parser.on('xmldecl', ({ version, encoding = 'utf-8' }) => {
    // RFC 6120 §11.8 and §11.6
    if (version !== '1.0') forbidden.push('bad-format')
    if (encoding.toLowerCase() !== 'utf-8') forbidden.push('unsupported-encoding')
  })
  // RFC 6120 §11.7
  parser.on('text', text => { if (depth === 1 && /[^ \t\r\n]/.test(text)) forbidden.push('bad-format') })
  parser.on('cdata', () => { if (depth === 1) forbidden.push('bad-format') })
  parser.on('opentag', ({ local, uri, attributes }) => {
    if (depth === 0 && local !== 'stream') forbidden.push('bad-format')
    // RFC 6120 §4.8.1 and §4.9.3.2
    if (depth === 0 && uri !== NS_STREAM) forbidden.push('invalid-namespace', 'bad-namespace-prefix')
    // a stanza is written without its prefix, which xml's namespace does not allow
    if (depth === 1 && uri === NS_XML) forbidden.push('invalid-namespace')
    // XML-NAMES §3, productions 4 and 8; saxes sees to the beginning of a prefix only
    const locals = [local, ...Object.values(attributes).map(attribute => attribute.local)]
    if (locals.some(one => /^[-.0-9\u00b7]/.test(one))) forbidden.push('not-well-formed')
    depth++
  })
  parser.on('closetag', () => { depth-- })
  return forbidden
}

/** saxes trims the names of namespaces, which XML-NAMES does not say. */
const SPACED_NAMESPACE = /xmlns[^<>=]*=\s*(?:"\s|'\s|"[^"]*\s"|'[^']*\s')/

/** What saxes does not tell from white space that may stand between stanzas. */
function isSpaceByReference (bytes: Buffer, fault: string | undefined): boolean {
  return fault === 'bad-format' && /[>;]\s*&#1[03];/.test(bytes.toString())
}

test('what the oracle refuses is refused, and what it accepts is accepted, but for what XMPP forbids', () => {
  const seen = { accepted: 0, refused: 0, forbidden: 0 }
  fc.assert(fc.property(stream, fc.array(mutation, { maxLength: 2 }), (xml, mutations) => {
    const bytes = mutate(xml, mutations)
    fc.pre(!SPACED_NAMESPACE.test(bytes.toString()))
    const { things, fault, buffered } = frameAll([bytes])
    const accepts = fault === undefined && buffered === 0 && things.at(-1)?.kind === 'end'
    const oracle = judge(bytes)

    if (accepts) seen.accepted++
    else if (oracle.accepts) seen.forbidden++
    else seen.refused++
    if (accepts) expect(oracle).toEqual({ accepts: true, forbidden: [] })
    else if (oracle.accepts && !isSpaceByReference(bytes, fault)) expect(oracle.forbidden).toContain(fault)
  }), { numRuns: RUNS })

  expect(seen.accepted).toBeGreaterThan(RUNS / 20)
  expect(seen.refused).toBeGreaterThan(RUNS / 20)
  expect(seen.forbidden).toBeGreaterThan(0)
})

test('however the bytes are cut, the outcome is the same', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 })
  fc.assert(fc.property(stream, fc.array(mutation, { maxLength: 1 }), lengths, (xml, mutations, sizes) => {
    const bytes = mutate(xml, mutations)
    const pieces: Buffer[] = []
    for (let at = 0, i = 0; at < bytes.length; at += sizes[i++ % sizes.length] ?? 1) {
      pieces.push(bytes.subarray(at, at + (sizes[i % sizes.length] ?? 1)))
    }

    expect(frameAll(pieces)).toEqual(frameAll([bytes]))
  }), { numRuns: RUNS })
})

const goodStream = stream.filter(xml => frameAll([xml]).fault === undefined)

/** An element without prefixes: an attribute that had one is `{namespace}name`. */
interface Node {
  readonly name: string
  readonly ns: string
  readonly attributes: Readonly<Record<string, string>>
  readonly content: readonly (Node | string)[]
}

test('frames and trees hold what the oracle reads', () => {
  let compared = 0
  fc.assert(fc.property(goodStream, xml => {
    const expected = oracleTree(xml).content.filter(node => typeof node !== 'string')
    const frames = framesOf(xml)

    compared += frames.length
    expect(frames.map(frame => fromElement(parseElement(frame)))).toEqual(expected)
    expect(frames.map(frame => [frame.name, frame.ns, frame.to, frame.from, frame.id, frame.type, frame.lang]))
      .toEqual(expected.map(({ name, ns, attributes: { to, from, id, type, [`{${NS_XML}}lang`]: lang } }) =>
        [name, ns, to, from, id, type, lang]))
    expect(frames.map(frame => frame.children.map(({ name, ns }) => [name, ns])))
      .toEqual(expected.map(node => childrenOf(node).map(({ name, ns }) => [name, ns])))
    expect(frames.map(frame => frame.children.map(child => fromElement(parseChild(frame, child, Infinity)!))))
      .toEqual(expected.map(childrenOf))
  }), { numRuns: 1000 })

  expect(compared).toBeGreaterThan(300)
})

test('what is written is read back as the same', () => {
  fc.assert(fc.property(goodStream, xml => {
    for (const frame of framesOf(xml)) {
      const written = parseElement(frame).toString()
      const header = `<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='urn:other'>`
      const [again] = framesOf(`${header}${written}</s:stream>`)

      expect(again && fromElement(parseElement(again))).toEqual(fromElement(parseElement(frame)))
    }
  }), { numRuns: 1000 })
})

function framesOf (xml: string): readonly Frame[] {
  const framer = new Framer(LIMITS)
  const frames: Frame[] = []
  framer.push(Buffer.from(xml))
  for (let thing = framer.next(); thing !== undefined; thing = framer.next()) {
    if (thing.kind === 'element') frames.push(thing)
  }
  return frames
}

function childrenOf (node: Node): readonly Node[] {
  return node.content.filter(child => typeof child !== 'string')
}

function oracleTree (xml: string): Node {
  const parser = new SaxesParser({ xmlns: true })
  const open: { name: string, ns: string, attributes: Record<string, string>, content: (Node | string)[] }[] =
    [{ name: '', ns: '', attributes: {}, content: [] }]
  const add = (text: string): void => {
    const content = open.at(-1)?.content ?? []
    const last = content.at(-1)
    if (typeof last === 'string') content[content.length - 1] = last + text
    else if (text !== '') content.push(text)
  }
  parser.on('opentag', tag => {
    const named = Object.values(tag.attributes).filter(({ name }) => !/^xmlns(:|$)/.test(name))
    const node = {
      name: tag.local,
      ns: tag.uri,
      attributes: Object.fromEntries(named.map(({ prefix, uri, local, value }) =>
        [prefix === '' ? local : `{${uri}}${local}`, value])),
      content: [],
    }
    open.at(-1)?.content.push(node)
    open.push(node)
  })
  parser.on('closetag', () => { open.pop() })
  parser.on('text', add)
  parser.on('cdata', add)
  parser.write(xml).close()
  const root = open[0]?.content.find(node => typeof node !== 'string')
  if (root === undefined) throw new Error('no root')
  return root
}

/** An element as the oracle would show it: prefixes resolved, declarations left out. */
function fromElement (element: Element, outer: Readonly<Record<string, string>> = {}): Node {
  const declared = { ...outer, xml: 'http://www.w3.org/XML/1998/namespace' } as Record<string, string>
  const named: Record<string, string> = {}
  for (const [key, value] of Object.entries(element.attrs)) if (key.startsWith('xmlns:')) declared[key.slice(6)] = value
  for (const [key, value] of Object.entries(element.attrs)) {
    const [first = '', local] = key.split(':')
    if (first !== 'xmlns') named[local === undefined ? key : `{${declared[first]}}${local}`] = value
  }
  return {
    name: element.getName(),
    ns: element.getNS() ?? '',
    attributes: named,
    content: element.children.map(child => typeof child === 'string' ? child : fromElement(child, declared)),
  }
}
