import fc from 'fast-check'
import { expect, test } from 'vitest'

import { LIMITS } from '../../test/support/wire/framing.ts'
import { parseElement } from './element.ts'
import { parseFrame } from './framer.ts'
import { escapeAttribute, escapeText } from './write.ts'

const special = fc.constantFrom(...'<>&"\']\t\n\r\0\x1f\x7f\ufffe\uffff\ud800\udc00\ufeff')
const text = fc.string({ unit: fc.oneof(special, fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })) })

/** XML has no way to write the others. */
const NO_CHARACTER = /[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu

test('any text is well-formed when it is escaped, and is read back as it was', () => {
  fc.assert(fc.property(text, value => {
    const attribute = escapeAttribute(value)
    const xml = `<a b="${attribute}" to='${attribute}'>${escapeText(value)}</a>`
    const frame = parseFrame(Buffer.from(xml), LIMITS)
    const expected = value.replace(NO_CHARACTER, '\ufffd')

    expect(frame.to).toBe(expected)
    expect(parseElement(frame).attrs['b']).toBe(expected)
    expect(parseElement(frame).text()).toBe(expected)
  }), { numRuns: 2000 })
})

test('text is left as it is where it may be', () => {
  expect(escapeText(`it's "quoted"\n\té😀`)).toBe(`it's "quoted"\n\té😀`)
  expect(escapeAttribute('é😀 a=b')).toBe('é😀 a=b')
})
