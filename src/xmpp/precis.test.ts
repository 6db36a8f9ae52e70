import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { opaqueString, usernameCaseMapped } from './precis.ts'

const anyText = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }))

describe('a string that was prepared', () => {
  test.each([
    ['UsernameCaseMapped', usernameCaseMapped], ['OpaqueString', opaqueString],
  ])('by %s is prepared again without a change', (_, prepare) => {
    fc.assert(fc.property(anyText, text => {
      const prepared = prepare(text)
      fc.pre(prepared !== undefined)

      expect(prepare(prepared)).toBe(prepared)
      expect(prepared.normalize('NFC')).toBe(prepared)
    }), { numRuns: 1000 })
  })

  test('is the same by way of ASCII alone as by way of Unicode', () => {
    for (let code = 0; code < 0x80; code++) {
      const character = String.fromCharCode(code)
      const isUsername = code > 0x20 && code < 0x7F
      const isOpaque = code >= 0x20 && code < 0x7F

      expect(usernameCaseMapped(character)).toBe(isUsername ? character.toLowerCase() : undefined)
      expect(usernameCaseMapped(`${character}\u00E4`)).toBe(isUsername ? `${character.toLowerCase()}\u00E4` : undefined)
      expect(opaqueString(character)).toBe(isOpaque ? character : undefined)
      expect(opaqueString(`${character}\u00E4`)).toBe(isOpaque ? `${character}\u00E4` : undefined)
    }
  })

  test('is not empty', () => {
    expect(usernameCaseMapped('')).toBeUndefined()
    expect(opaqueString('')).toBeUndefined()
  })
})

describe('UsernameCaseMapped (RFC 8265 §3.3)', () => {
  test.each([
    ['wide letters become narrow', '\uFF26\uFF4F\uFF4F', 'foo'],
    ['halfwidth katakana become wide, and compose', '\uFF76\uFF9E', '\u30AC'],
    ['capitals become small', '\u00C4\u0416\u0531', '\u00E4\u0436\u0561'],
    ['a dotted capital I keeps its dot', '\u0130', 'i\u0307'],
    ['a sigma stays a sigma at the end of a word', '\u039F\u03A3', '\u03BF\u03C3'],
    ['a final sigma stays one', '\u03C2', '\u03C2'],
    ['a sharp s stays one', '\u00DF', '\u00DF'],
    ['a capital sharp s becomes a small one', '\u1E9E', '\u00DF'],
    ['marks compose', 'u\u0308\u0304', '\u01D6'],
    ['a Kelvin sign is a k', '\u212A', 'k'],
    ['what composition excludes stays decomposed', '\u0958', '\u0915\u093C'],
    ['Sindhi signs are allowed, being exceptions', '\u06FD\u06FE', '\u06FD\u06FE'],
    ['an ideographic zero and a tsheg are, too', '\u3007\u0F0B', '\u3007\u0F0B'],
  ])('%s', (_, text, prepared) => {
    expect(usernameCaseMapped(text)).toBe(prepared)
  })

  // RFC 8264 §8.
  test.each([
    ['a space', 'a b'], ['a wide space', 'a\u3000b'], ['a no-break space', 'a\u00A0b'], ['a control', 'a\u0085'],
    ['a symbol', '\u265A'], ['an emoji', '\u{1F600}'], ['punctuation', 'a\u2014b'], ['a wide symbol', '\uFFE0'],
    ['a letter number', '\u2160'], ['another number', '\u00B2'], ['a ligature', '\uFB01'],
    ['an enclosing mark', 'a\u20DD'],
    ['a mathematical letter', '\u{1D400}'], ['a compatibility jamo', '\u3131'], ['an old jamo', '\u1100'],
    ['a soft hyphen', 'a\u00ADb'], ['a variation selector', 'a\uFE0F'], ['a direction mark', 'a\u200E'],
    ['a word joiner', 'a\u2060b'], ['a tag', 'a\u{E0061}'], ['a noncharacter', '\uFDD0'], ['private use', '\uE000'],
    ['a code point without a character', '\u0378'], ['half a surrogate pair', 'a\uD83D'],
    ['a tatweel', '\u0628\u0640\u0628'],
    ['a line separator', 'a\u2028b'], ['an Arabic number sign', '\u0600\u0661'], ['a vertical kana mark', '\u3031'],
  ])('%s is not allowed', (_, text) => {
    expect(usernameCaseMapped(text)).toBeUndefined()
  })

  // RFC 5893 §2, by the number of the condition.
  test.each([
    [1, '\u05D0\u05D1', true], [1, '1\u05D0', false], [1, '-\u05D0', false], [1, '\u0301\u05D0', false],
    [2, '\u05D0-\u05D1', true], [2, '\u05D0.\u05D1', true], [2, '\u05D0a\u05D1', false],
    [2, '\u05D0\u4E2D\u05D1', false],
    [3, '\u05D01', true], [3, '\u05D0\u05B0', true], [3, '\u0628\u0661', true], [3, '\u05D0-', false],
    [3, '\u05D0.', false],
    [4, '\u06281\u06F2', true], [4, '\u0628\u0661\u0662', true], [4, '\u06281\u0661', false],
    [5, 'a\u05D0', false], [5, 'a\u05D0b', false], [5, 'a\u0661', false],
    // A string without right-to-left characters is under none of them.
    [6, 'a-', true], [6, '1', true], [6, '\u00E4.', true], [6, '\u0301a', true],
  ])('condition %i of the Bidi rule on %j: %s', (_, text, isAllowed) => {
    expect(usernameCaseMapped(text)).toBe(isAllowed ? text : undefined)
  })
})

describe('OpaqueString (RFC 8265 §4.2)', () => {
  test.each([
    ['capitals stay', 'Foo\u00C4', 'Foo\u00C4'],
    ['wide letters stay', '\uFF26', '\uFF26'],
    ['compatibility characters stay', '\u2160\uFB01\u00B2', '\u2160\uFB01\u00B2'],
    ['symbols, emoji and punctuation stay', '\u265A\u{1F600}\u2014', '\u265A\u{1F600}\u2014'],
    ['every kind of space becomes a plain one', '\u00A0a\u3000\u2003b\u1680', ' a  b '],
    ['marks compose', 'e\u0301', '\u00E9'],
    ['directions mix', 'a\u05D01', 'a\u05D01'],
  ])('%s', (_, text, prepared) => {
    expect(opaqueString(text)).toBe(prepared)
  })

  test.each([
    ['a control', 'a\u0000'], ['a line feed', 'a\nb'], ['a C1 control', 'a\u0085'], ['an old jamo', '\u1100'],
    ['a soft hyphen', 'a\u00ADb'], ['a variation selector', '\u2764\uFE0F'], ['a direction override', '\u202Ea'],
    ['a noncharacter', '\uFDD0'], ['private use', '\uE000'], ['a code point without a character', '\u0378'],
    ['half a surrogate pair', 'a\uD83D'], ['a tatweel', '\u0640'], ['a line separator', '\u2028'],
  ])('%s is not allowed', (_, text) => {
    expect(opaqueString(text)).toBeUndefined()
  })
})

describe('characters that depend on their context (RFC 5892 appendix A)', () => {
  test.each([
    ['A.1', 'a ZWNJ after a virama', '\u0915\u094D\u200C', true],
    ['A.1', 'a ZWNJ between letters that join', '\u0628\u200C\u0628', true],
    ['A.1', 'a ZWNJ between letters that join, with marks', '\u0628\u064B\u200C\u064B\u0627', true],
    ['A.1', 'a ZWNJ after each of two letters that join', '\u0628\u200C\u0628\u200C\u0628', true],
    ['A.1', 'a ZWNJ after a letter that does not join on', '\u0627\u200C\u0628', false],
    ['A.1', 'a ZWNJ before a letter that does not join', '\u0628\u200C\u0621', false],
    ['A.1', 'a ZWNJ between Latin letters', '\u00E4\u200Cb', false],
    ['A.1', 'a ZWNJ at the end', '\u0628\u200C', false],
    ['A.1', 'a ZWNJ at the start', '\u200C\u0628', false],
    ['A.1', 'two ZWNJ', '\u0628\u200C\u200C\u0628', false],
    ['A.1', 'a good ZWNJ and a bad one', '\u0628\u200C\u0628\u0621\u200C\u0628', false],
    ['A.2', 'a ZWJ after a virama', '\u0915\u094D\u200D\u0937', true],
    ['A.2', 'a ZWJ after another virama', '\u0995\u09CD\u200D', true],
    ['A.2', 'a ZWJ between letters that join', '\u0628\u200D\u0628', false],
    ['A.2', 'a ZWJ after a nukta', '\u0915\u093C\u200D', false],
    ['A.2', 'a ZWJ alone', '\u200D', false],
    ['A.3', 'a middle dot between two l', 'l\u00B7l', true],
    ['A.3', 'a middle dot elsewhere', 'l\u00B7a', false],
    ['A.3', 'a middle dot elsewhere', 'a\u00B7l', false],
    ['A.3', 'a middle dot at the end', 'l\u00B7', false],
    ['A.4', 'a keraia before Greek', '\u0375\u03B1', true],
    ['A.4', 'a keraia before Latin', '\u0375a', false],
    ['A.4', 'a keraia at the end', '\u03B1\u0375', false],
    ['A.5', 'a geresh after Hebrew', '\u05D0\u05F3\u05D1', true],
    ['A.5', 'a geresh at the start', '\u05F3\u05D0', false],
    ['A.6', 'gershayim after Hebrew', '\u05D0\u05F4\u05D1', true],
    ['A.6', 'gershayim after Arabic', '\u0628\u05F4\u05D1', false],
    ['A.7', 'a katakana middle dot with katakana', '\u30FB\u30A2', true],
    ['A.7', 'a katakana middle dot with hiragana', 'a\u3042\u30FB', true],
    ['A.7', 'a katakana middle dot with a Han character', 'a\u30FBb\u4E2D', true],
    ['A.7', 'a katakana middle dot with Latin', 'a\u30FBb', false],
    ['A.8', 'Arabic-Indic digits of one kind', '\u0628\u0661\u0662', true],
    ['A.9', 'extended Arabic-Indic digits', '\u0628\u06F1\u06F2', true],
    ['A.8', 'both kinds of them', '\u0628\u0661\u06F2', false],
    ['A.9', 'both kinds of them', '\u0628\u06F1\u0662', false],
  ])('%s: %s: %j %s', (_, __, text, isAllowed) => {
    expect(usernameCaseMapped(text)).toBe(isAllowed ? text : undefined)
    expect(opaqueString(text)).toBe(isAllowed ? text : undefined)
  })
})
