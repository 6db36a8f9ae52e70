import fc from 'fast-check'
import { toASCII } from 'tr46'
import { describe, expect, test } from 'vitest'
import { Jid, JidError } from './jid.ts'
import { usernameCaseMapped } from './precis.ts'

describe('RFC 7622 §3.5, table 1', () => {
  test.each([
    [1, 'juliet@example.com', 'juliet', 'example.com', ''],
    [2, 'juliet@example.com/foo', 'juliet', 'example.com', 'foo'],
    [3, 'juliet@example.com/foo bar', 'juliet', 'example.com', 'foo bar'],
    [4, 'juliet@example.com/foo@bar', 'juliet', 'example.com', 'foo@bar'],
    [5, 'foo\\20bar@example.com', 'foo\\20bar', 'example.com', ''],
    [6, 'fussball@example.com', 'fussball', 'example.com', ''],
    [7, 'fu\u00DFball@example.com', 'fu\u00DFball', 'example.com', ''],
    [8, '\u03C0@example.com', '\u03C0', 'example.com', ''],
    [9, '\u03A3@example.com/foo', '\u03C3', 'example.com', 'foo'],
    [10, '\u03C3@example.com/foo', '\u03C3', 'example.com', 'foo'],
    [11, '\u03C2@example.com/foo', '\u03C2', 'example.com', 'foo'],
    [12, 'king@example.com/\u265A', 'king', 'example.com', '\u265A'],
    [13, 'example.com', '', 'example.com', ''],
    [14, 'example.com/foobar', '', 'example.com', 'foobar'],
    [15, 'a.example.com/b@example.net', '', 'a.example.com', 'b@example.net'],
    // Erratum 4560: table 2 is wrong in this one.
    [18, 'juliet@example.com/ foo', 'juliet', 'example.com', ' foo'],
  ])('example %i is an address: %s', (_, text, local, domain, resource) => {
    const jid = Jid.parse(text)

    expect([jid.local, jid.domain, jid.resource]).toEqual([local, domain, resource])
  })

  test('examples 6 and 7, and 9 and 11, differ', () => {
    expect(Jid.parse('fussball@example.com').equals(Jid.parse('fu\u00DFball@example.com'))).toBe(false)
    expect(Jid.parse('\u03A3@example.com').equals(Jid.parse('\u03C2@example.com'))).toBe(false)
  })
})

describe('RFC 7622 §3.5, table 2', () => {
  test.each([
    [16, '"juliet"@example.com'],
    [17, 'foo bar@example.com'],
    [19, '@example.com/'],
    [20, 'henry\u2163@example.com'],
    [21, '\u265A@example.com'],
    [22, 'juliet@'],
    [23, '/foobar'],
  ])('example %i is no address: %s', (_, text) => {
    expect(() => Jid.parse(text)).toThrow(JidError)
  })
})

describe('an address', () => {
  test.each([
    '', '@', '/', '@/', '@example.com', 'juliet@example.com/', 'juliet@/balcony', 'juliet@example.com@example.net', '.',
  ])('is malformed without one of its parts: %j', text => {
    expect(() => Jid.parse(text)).toThrow(JidError)
  })

  test.each([
    ['@example.com', 'the local part is empty'], ['juliet@', 'the domain is empty'], ['a@b/', 'the resource is empty'],
  ])('says what it lacks: %s', (text, message) => {
    expect(() => Jid.parse(text)).toThrow(message)
  })

  // RFC 7622 §3.2 and §3.4.
  test('has a resource from the first slash on', () => {
    expect(Jid.parse('juliet@example.com/a/b@c/').resource).toBe('a/b@c/')
  })

  // RFC 7622 §3.3.1.
  test.each([...'"&\':<>@ '])('has no %s in its local part', character => {
    expect(() => Jid.of(`a${character}b`, 'example.com')).toThrow(JidError)
    expect(() => Jid.of(`\u00E4${character}b`, 'example.com')).toThrow(JidError)
  })

  // RFC 7622 §3.3.1: also where width mapping makes one; §3.1: separators are found before any mapping.
  test.each(['a\uFF20b@example.com', 'a\uFF0Fb@example.com', 'a\uFF1Ab@example.com'])(
    'has none of them in disguise either: %s', text => {
      expect(() => Jid.parse(text)).toThrow(JidError)
    })

  // RFC 7622 §3.3 and §3.4.
  test.each([['a', 1023], ['\u00E4', 511], ['\u6587', 341]])('has at most 1023 bytes a part: %s', (letter, most) => {
    const longest = letter.repeat(most)

    expect(Jid.of(longest, 'example.com', longest).resource).toBe(longest)
    expect(() => Jid.of(longest + letter, 'example.com')).toThrow(JidError)
    expect(() => Jid.of('', 'example.com', longest + letter)).toThrow(JidError)
    expect(() => Jid.of('', 'example.com', letter.repeat(100_000))).toThrow(JidError)
  })

  test('is measured after its preparation', () => {
    expect(Jid.of('\uFF41'.repeat(1023), 'example.com').local).toBe('a'.repeat(1023))
    expect(Jid.of('', 'example.com', 'u\u0308\u0304'.repeat(511)).resource).toBe('\u01D6'.repeat(511))
  })

  test('knows what it is', () => {
    const full = Jid.parse('juliet@example.com/balcony')

    expect([full.isBare, full.isDomain]).toEqual([false, false])
    expect([full.bare.isBare, full.bare.isDomain]).toEqual([true, false])
    expect([Jid.parse('example.com').isBare, Jid.parse('example.com').isDomain]).toEqual([true, true])
    expect([Jid.parse('example.com/x').isBare, Jid.parse('example.com/x').isDomain]).toEqual([false, false])
  })

  test('has a bare address, which is its own', () => {
    const { bare } = Jid.parse('juliet@example.com/balcony')

    expect(bare.toString()).toBe('juliet@example.com')
    expect(bare.bare).toBe(bare)
    expect(Jid.parse('example.com/x').bare.toString()).toBe('example.com')
  })

  test('can be given another resource, which is prepared', () => {
    const jid = Jid.parse('juliet@example.com/balcony').withResource('e\u0301\u00A0x')

    expect(jid.toString()).toBe('juliet@example.com/\u00E9 x')
    expect(() => jid.withResource('')).toThrow(JidError)
    expect(() => jid.withResource('\u0000')).toThrow(JidError)
  })

  test('is the same object when the same text is parsed again', () => {
    expect(Jid.parse('Juliet@Example.com/x')).toBe(Jid.parse('Juliet@Example.com/x'))
  })

  test('that is malformed is so each time', () => {
    expect(() => Jid.parse('a b@example.com')).toThrow(JidError)
    expect(() => Jid.parse('a b@example.com')).toThrow(JidError)
  })

  test('is not quoted by the error that refuses it', () => {
    expect(() => Jid.parse('secret word@example.com')).toThrow(/^(?!.*secret)/)
  })
})

describe('the domain of an address', () => {
  test.each([
    ['EXAMPLE.com', 'example.com'],
    ['example.com.', 'example.com'],
    ['localhost', 'localhost'],
    ['B\u00FCcher.example', 'b\u00FCcher.example'],
    ['xn--bcher-kva.example', 'b\u00FCcher.example'],
    ['XN--BCHER-KVA.example.', 'b\u00FCcher.example'],
    ['bu\u0308cher.example', 'b\u00FCcher.example'],
    ['\uFF45\uFF58\uFF41\uFF4D\uFF50\uFF4C\uFF45\u3002com', 'example.com'],
    ['fa\u00DF.example', 'fa\u00DF.example'],
    ['\u05D0\u05D1.example', '\u05D0\u05D1.example'],
    ['\u0628\u0661.\u0628\u06F1.example', '\u0628\u0661.\u0628\u06F1.example'],
    ['192.0.2.1', '192.0.2.1'],
    ['\uFF11\uFF19\uFF12.0.2.1', '192.0.2.1'],
    ['[2001:DB8:0:0:0:0:0:1]', '[2001:db8::1]'],
    ['[::ffff:192.0.2.1]', '[::ffff:192.0.2.1]'],
  ])('%s is %s', (text, domain) => {
    expect(Jid.parse(text).domain).toBe(domain)
    expect(Jid.parse(`juliet@${text}/x`).toString()).toBe(`juliet@${domain}/x`)
  })

  test.each([
    'a..example', 'example.com..', '.example', '-a.example', 'a-.example', 'ab--c.example', 'a_b.example',
    'a b.example', 'xn--a.example', 'xn--.example', 'xn--bcher-.example', 'foo%41.example', 'a:5222',
    'a\u0000b', 'a\u2215b',
    '\u2603.example', '\u00B7.example', '1\u05D0.example', '\u05D0a.example', '\u0301a.example', '\uD800.example',
    '\u4E2D.a\u30FBb.example', '\u0661.example', 'a\u200Db.example', 'xn--ab-j1t.example',
    '256', '\uFF12\uFF15\uFF16', '1.2.3', '01.2.3.4', '1.2.3.256',
    '[192.0.2.1]', '[::1', '::1', '[]', '[::g]', '[fe80::1%eth0]', '[v1.x]',
  ])('%j is none', text => {
    expect(() => Jid.of('', text)).toThrow(JidError)
  })

  test('has labels of up to 63 characters and up to 253 in all', () => {
    const label = 'a'.repeat(63)
    const longest = `${label}.${label}.${label}.${'a'.repeat(61)}`

    expect(Jid.parse(longest).domain).toHaveLength(253)
    expect(() => Jid.parse(`${longest}a`)).toThrow(JidError)
    expect(() => Jid.parse(`${label}a`)).toThrow(JidError)
    expect(() => Jid.parse('\u00FC'.repeat(60))).toThrow(JidError)
    expect(() => Jid.parse('\u00FC'.repeat(100_000))).toThrow(JidError)
  })
})

/** Text with the characters that addresses are sensitive to, next to any others. */
const sensitive = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...'@/.-[]:xn19aAzZ '),
    fc.constantFrom(...'\u00DF\u00E4\u00C4\u0130\u03A3\u03C3\u03C2\u0301\u0308\u00AD\u00B7\u0375\u30FB'),
    fc.constantFrom(...'\u05D0\u05F3\u0627\u0628\u0661\u06F1'),
    fc.constantFrom(...'\u094D\u0915\u200C\u200D\u200F\u2163\uFF21\uFF71\u3000\uFE0F'),
    fc.constantFrom('xn--', '\uD800', '\uDC00', '\uFFFF', '\u{1F600}', '\u{10FFFF}', '\u{1E900}', '\u1100', '\uAC00'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
  maxLength: 12,
})
const anyText = fc.oneof(
  sensitive,
  fc.string({ unit: 'binary' }),
  fc.tuple(sensitive, sensitive, sensitive).map(([local, label, resource]) => `${local}@${label}.example/${resource}`),
  fc.tuple(sensitive, sensitive).map(([local, resource]) => `${local}@example.com/${resource}`),
)

/** Letters of any script that have a capital and are the small form of it. */
const smallLetters = Array.from({ length: 0x1FFFF }, (_, code) => String.fromCodePoint(code)).filter(letter => {
  const capital = letter.toUpperCase()
  return capital !== letter && capital.toLowerCase() === letter && usernameCaseMapped(letter) === letter
})
const smallWord = fc.string({ unit: fc.constantFrom(...smallLetters), minLength: 1, maxLength: 20 })
const visibleAscii = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_.!#$%*+=?^`{|}~'), minLength: 1, maxLength: 20 })

describe('whatever the text', () => {
  test('parsing gives an address or a JidError', () => {
    fc.assert(fc.property(anyText, text => {
      expect(parsed(text)).not.toBe('another error')
    }), { numRuns: 5000 })
  })

  test('an address is what its own text says', () => {
    fc.assert(fc.property(addresses(), jid => {
      // Not through what Jid.parse remembers.
      const again = Jid.of(jid.local, jid.domain, jid.resource)

      expect([again.local, again.domain, again.resource]).toEqual([jid.local, jid.domain, jid.resource])
      expect(again.toString()).toBe(jid.toString())
      expect(Jid.parse(jid.toString()).equals(jid)).toBe(true)
      expect(Jid.parse(jid.bare.toString()).equals(jid.bare)).toBe(true)
    }), { numRuns: 500 })
  })

  test('two addresses are equal exactly when all their parts are', () => {
    fc.assert(fc.property(addresses(), addresses(), (a, b) => {
      const areSame = a.local === b.local && a.domain === b.domain && a.resource === b.resource

      expect(a.equals(b)).toBe(areSame)
      expect(a.equals(Jid.of(a.local, a.domain, a.resource))).toBe(true)
    }))
  })
})

describe('two ways to write one address are equal', () => {
  test('small and capital letters in the local part and the domain', () => {
    fc.assert(fc.property(smallWord, word => {
      const small = parsed(`${word}@${word}.example`)
      fc.pre(small instanceof Jid)

      expect(String(parsed(`${word.toUpperCase()}@${word.toUpperCase()}.EXAMPLE`))).toBe(String(small))
    }))
  })

  test('composed and decomposed letters in each part', () => {
    fc.assert(fc.property(smallWord, fc.string({ unit: 'binary', maxLength: 20 }), (word, resource) => {
      const [composed, decomposed] = (['NFC', 'NFD'] as const).map(form =>
        parsed(`${word.normalize(form)}@${word.normalize(form)}.example/${resource.normalize(form)}`))

      expect(String(composed)).toBe(String(decomposed))
    }))
  })

  test('narrow and wide characters in the local part', () => {
    fc.assert(fc.property(visibleAscii, text => {
      const wide = text.replace(/[!-~]/g, character => String.fromCharCode(character.charCodeAt(0) + 0xFEE0))

      expect(Jid.of(wide, 'example.com').equals(Jid.of(text, 'example.com'))).toBe(true)
    }))
  })

  test('U-labels and A-labels', () => {
    fc.assert(fc.property(smallWord, fc.constantFrom('', '.'), (word, dot) => {
      const name = `${word}.example`
      const ascii = toASCII(name, { verifyDNSLength: true })
      fc.pre(ascii !== null && parsed(name) instanceof Jid)

      expect(Jid.parse(ascii + dot).equals(Jid.parse(name))).toBe(true)
    }))
  })
})

function addresses (): fc.Arbitrary<Jid> {
  const likely = fc.tuple(smallWord, smallWord, sensitive).map(([local, label, resource]) =>
    `${local}@${label}.example/${resource}`)
  return fc.oneof(anyText, likely).map(parsed).filter(jid => jid instanceof Jid)
}

function parsed (text: string): Jid | 'malformed' | 'another error' {
  try {
    return Jid.parse(text)
  } catch (error) {
    return error instanceof JidError ? 'malformed' : 'another error'
  }
}

describe('what was written in the place of an address', () => {
  test.each([
    ['garden@conference.example.com/\u2764\uFE0F', 'garden@conference.example.com'],
    ['Garden@conference.EXAMPLE.com/\u2764\uFE0F', 'garden@conference.example.com'],
    [`garden@conference.example.com/${'a'.repeat(1024)}`, 'garden@conference.example.com'],
    ['a b@example.com', 'a b@example.com'],
    ['@example.com/a/b', '@example.com'],
    ['', ''],
  ])('is said again as it is, with the bare part prepared where that is an address: %j', (text, bare) => {
    const written = Jid.asWritten(text)

    expect(written?.toString()).toBe(text.includes('/') ? bare + text.slice(text.indexOf('/')) : bare)
    expect(written?.bare.toString()).toBe(bare)
  })

  test.each([
    ['garden@conference.example.com/', 'garden@conference.example.com'],
    [`garden@conference.example.com/${'a'.repeat(3100)}`, 'garden@conference.example.com'],
    [`garden@conference.example.com/${'\uFE0F'.repeat(1030)}`, 'garden@conference.example.com'],
    [`${'a'.repeat(3100)}@example.com`, undefined],
  ])(
    'is only its bare part where nobody could be called the whole, and nothing where that is no address (%#)',
    (text, answerer) => {
      expect(Jid.asWritten(text)?.toString()).toBe(answerer)
    })

  test('is the address where it is one', () => {
    expect(Jid.asWritten('Juliet@example.com/balcony')).toBe(Jid.parse('Juliet@example.com/balcony'))
  })
})

test.each([
  ['\u2764\uFE0F', 'U+FE0F'],
  ['\u{1F3F3}\uFE0F\u200D\u{1F308}', 'U+FE0F'],
  ['\u{1F468}\u200D\u{1F469}', 'U+200D'],
  ['a\u0007', 'U+0007'],
  ['\u{E0001}', 'U+E0001'],
])('whoever may not be called %j is told which character it is', (resource, character) => {
  expect(() => Jid.parse(`a@b/${resource}`)).toThrow(
    `the resource has a character that is not allowed in it: ${character}`,
  )
})

test('who only wants to know whether a text is an address gets it, or nothing', () => {
  expect(Jid.tryParse('Juliet@localhost')?.toString()).toBe('juliet@localhost')
  expect(Jid.tryParse('@localhost')).toBeUndefined()
})
