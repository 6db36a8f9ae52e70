/** Hostile XML: RFC 6120 §4.9.3, §11 and §13.12. It costs the connection that it came by, and nothing else. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { EVERYTHING, Innocents } from './innocents.ts'
import { header, Peer } from './peer.ts'
import { peakMemory, startTarget } from './server.ts'
import type { Target } from './server.ts'

const MEGABYTE = 1024 * 1024
const MOST_MEGABYTES = 400

let target: Target
let innocents: Innocents
let mallory: Peer

beforeAll(async () => {
  target = await startTarget()
  innocents = await Innocents.logIn(target)
  const first = await Peer.logIn(target, 'mallory/first')
  first.destroy()
}, 60_000)

afterEach(async () => {
  mallory.destroy()
  expect(await innocents.talk()).toEqual(EVERYTHING)
  expect(peakMemory(target)).toBeLessThan(MOST_MEGABYTES)
})

afterAll(() => target.stop())

/** Bytes, and the RFC's name for what is wrong with them (§4.9.3). */
const FAULTS: readonly (readonly [name: string, bytes: string | Buffer, condition: string])[] = [
  ['a DTD', '<!DOCTYPE message>', 'restricted-xml'],
  ['an entity bomb', bomb(), 'restricted-xml'],
  ['an entity that nobody declared', '<message><body>&lol;</body></message>', 'restricted-xml'],
  [
    'an external entity',
    '<!DOCTYPE m [<!ENTITY e SYSTEM "file:///etc/passwd">]><message><body>&e;</body></message>',
    'restricted-xml',
  ],
  ['a comment', '<!-- hello -->', 'restricted-xml'],
  ['a processing instruction', '<?php phpinfo() ?>', 'restricted-xml'],
  ['a million levels', '<a>'.repeat(1_000_000), 'policy-violation'],
  ['a stanza with a million levels', `<message>${'<a>'.repeat(1_000_000)}`, 'policy-violation'],
  ['100 000 attributes', `<message ${attributes(100_000)}>`, 'policy-violation'],
  ['10 MB of text in a stanza', `<message><body>${'x'.repeat(10 * MEGABYTE)}</body></message>`, 'policy-violation'],
  ['10 MB of an attribute', `<message id='${'x'.repeat(10 * MEGABYTE)}'/>`, 'policy-violation'],
  ['10 MB of a name', `<${'x'.repeat(10 * MEGABYTE)}/>`, 'policy-violation'],
  ['10 MB of white space in a tag', `<message${' '.repeat(10 * MEGABYTE)}/>`, 'policy-violation'],
  ['10 MB of small children', `<message>${'<a/>'.repeat(10 * MEGABYTE / 4)}</message>`, 'policy-violation'],
  ['an unclosed CDATA section', `<message><body><![CDATA[${'x'.repeat(10 * MEGABYTE)}`, 'policy-violation'],
  ['bytes that are no UTF-8', Buffer.from([...Buffer.from('<message><body>'), 0xc3, 0x28]), 'unsupported-encoding'],
  ['an overlong encoding', Buffer.from([...Buffer.from('<message><body>'), 0xc0, 0xaf]), 'unsupported-encoding'],
  [
    'half of a surrogate pair',
    Buffer.from([...Buffer.from('<message><body>'), 0xed, 0xa0, 0x80]),
    'unsupported-encoding',
  ],
  ['NUL', '<message><body>\0</body></message>', 'not-well-formed'],
  ['NUL by reference', '<message><body>&#0;</body></message>', 'not-well-formed'],
  ['a control character', '<message><body>\u0001</body></message>', 'not-well-formed'],
  ['an attribute that comes twice', "<message id='a' id='b'/>", 'not-well-formed'],
  ['a prefix that nobody declared', '<message><x:body/></message>', 'not-well-formed'],
  ['tags that cross', '<message><body></message></body>', 'not-well-formed'],
  ['an end without a beginning', '</message>', 'not-well-formed'],
  ['text between stanzas', 'hello', 'bad-format'],
  ['an element that is no stanza', "<hello xmlns='nobody:knows'/>", 'unsupported-stanza-type'],
]

describe('before the login', () => {
  test.each(FAULTS)('%s ends the stream with the condition that the RFC names', async (_name, bytes, condition) => {
    mallory = await Peer.open(target)

    void mallory.send(bytes)

    expect(await mallory.streamError()).toBe(condition)
  })

  test('an element may be as large as the RFC guarantees to everybody, and no larger', async () => {
    mallory = await Peer.open(target)

    await mallory.send(`<iq type='get' id='1'><query xmlns='jabber:iq:register'>${' '.repeat(9_900)}</query></iq>`)
    const answer = await mallory.next()
    await mallory.send(`<iq type='get' id='1'><query xmlns='jabber:iq:register'>${' '.repeat(10_000)}</query></iq>`)

    expect(answer.attributes.get('type')).toBe('result')
    expect(await mallory.streamError()).toBe('policy-violation')
  })
})

describe('after the login', () => {
  test.each(FAULTS)('%s ends the stream with the condition that the RFC names', async (_name, bytes, condition) => {
    mallory = await Peer.logIn(target, 'mallory/laptop', false)

    void mallory.send(bytes)

    expect(await mallory.streamError()).toBe(condition)
  })
})

/** What may stand where a stream's header should. */
const HEADERS: readonly (readonly [name: string, bytes: string | Buffer, condition: string])[] = [
  ['a DTD', `<?xml version='1.0'?><!DOCTYPE stream [<!ENTITY e 'x'>]>${header().slice(21)}`, 'restricted-xml'],
  ['another version of XML', header().replace("version='1.0'", "version='1.1'"), 'bad-format'],
  ['another encoding', header().replace('?>', " encoding='iso-8859-1'?>"), 'unsupported-encoding'],
  ['UTF-16', Buffer.from(`\ufeff${header()}`, 'utf16le'), 'unsupported-encoding'],
  ['another root', "<html xmlns='jabber:client'>", 'bad-format'],
  ['HTTP', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', 'not-well-formed'],
  [
    'another namespace for the stream',
    header().replace('http://etherx.jabber.org/streams', 'urn:x'),
    'invalid-namespace',
  ],
  ['another namespace for the content', header().replace('jabber:client', 'jabber:server'), 'invalid-namespace'],
  ['an unknown host', header('elsewhere.example'), 'host-unknown'],
  ['a host that is no host', header('a b'), 'host-unknown'],
  ['no version', header().replace(" version='1.0'>", '>'), 'unsupported-version'],
  ['100 000 attributes', header().replace(' to=', ` ${attributes(100_000)} to=`), 'policy-violation'],
  ['a host of 10 MB', header('x'.repeat(10 * MEGABYTE)), 'policy-violation'],
]

describe('a stream header', () => {
  test.each(HEADERS)('with %s is answered by a header and an error', async (_name, bytes, condition) => {
    mallory = await Peer.connect(target)

    void mallory.send(bytes)

    expect(await mallory.streamError()).toBe(condition)
  })
})

function attributes (count: number): string {
  return Array.from({ length: count }, (_, index) => `a${index}='x'`).join(' ')
}

/** A billion laughs. */
function bomb (): string {
  const levels = Array.from({ length: 9 }, (_, level) => `<!ENTITY l${level + 1} "${`&l${level};`.repeat(10)}">`)
  return `<!DOCTYPE m [<!ENTITY l0 "lol">${levels.join('')}]><message><body>&l9;</body></message>`
}
