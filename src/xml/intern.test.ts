import fc from 'fast-check'
import { expect, test } from 'vitest'

import { intern, isAt } from './intern.ts'

test('what is interned is what stands there, however often and in whatever order', () => {
  const text = fc.string({ unit: 'grapheme-ascii', maxLength: 100 }).filter(one => !one.includes('&'))
  const texts = fc.array(text, { minLength: 1 })
  fc.assert(fc.property(texts, all => {
    for (const one of [...all, ...all.toReversed()]) {
      const bytes = Buffer.from(`<${one}>`)
      expect(intern(bytes, 1, bytes.length - 1)).toBe(one)
    }
  }))
})

test('more texts than are remembered are all told apart', () => {
  for (let i = 0; i < 20_000; i++) {
    const bytes = Buffer.from(`urn:example:${i}`)
    expect(intern(bytes, 0, bytes.length)).toBe(`urn:example:${i}`)
  }
})

test('what is not plain is decoded', () => {
  const bytes = Buffer.from('é &amp;\t漢')

  expect(intern(bytes, 0, bytes.length)).toBe('é & 漢')
})

test('bytes are compared as a whole', () => {
  const bytes = Buffer.from('<xmlns>')
  const at = (text: string): boolean => isAt(bytes, 1, 6, Buffer.from(text))

  expect([at('xmlns'), at('xmln'), at('xmlns>'), at('xmlnz'), at('')]).toEqual([true, false, false, false, false])
})
