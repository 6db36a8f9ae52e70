import { expect, test } from 'vitest'

import { LIMITS } from '../../test/support/wire/framing.ts'
import { parseFrame, XmlError } from './framer.ts'

/** XML 1.0 §2.2, production 2, as it is written there. */
const CHAR = /^[\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]$/u
/** XML 1.0 §2.3, productions 4 and 4a, less the colon. */
const NAME_START = new RegExp('^[A-Z_a-z\\xC0-\\xD6\\xD8-\\xF6\\xF8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF' +
  '\\u200C-\\u200D\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD' +
  '\\u{10000}-\\u{EFFFF}]$', 'u')
const NAME_MORE = /^[-.0-9\xB7\u0300-\u036F\u203F-\u2040]$/u

const COLON = 0x3a

/** All of the basic plane that UTF-8 has, and the edges of the other planes. */
function * characters (): Generator<number> {
  for (let code = 0; code < 0x10000; code++) if (code < 0xd800 || code > 0xdfff) yield code
  for (let plane = 1; plane <= 0x10; plane++) {
    for (const low of [0, 1, 0x8000, 0xfffe, 0xffff]) yield plane * 0x10000 + low
  }
}

test('text has the characters of production 2 and no other', () => {
  const wrong = [...characters()].filter(code => code !== 0x26 && code !== 0x3c &&
    isTaken(`<a>${String.fromCodePoint(code)}</a>`) !== CHAR.test(String.fromCodePoint(code)))

  expect(wrong).toEqual([])
})

test('names begin with the characters of production 4 and no other', () => {
  const wrong = [...characters()].filter(code => code !== COLON &&
    isTaken(`<${String.fromCodePoint(code)}/>`) !== NAME_START.test(String.fromCodePoint(code)))

  expect(wrong).toEqual([])
})

test('names go on with the characters of productions 4 and 4a and no other', () => {
  const may = (text: string): boolean => NAME_START.test(text) || NAME_MORE.test(text)
  const others = new Set([...'\t\n\r />'].map(text => text.codePointAt(0)))
  const wrong = [...characters()].filter(code => code !== COLON && !others.has(code) &&
    isTaken(`<a${String.fromCodePoint(code)}/>`) !== may(String.fromCodePoint(code)))

  expect(wrong).toEqual([])
})

function isTaken (xml: string): boolean {
  try {
    parseFrame(Buffer.from(xml), LIMITS)
    return true
  } catch (error) {
    if (error instanceof XmlError) return false
    throw error
  }
}
