import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeNotes, encodeNotes } from './journal.ts'

const note = fc.record({
  account: fc.string({ unit: 'grapheme' }), extension: fc.string(), about: fc.string({ unit: 'grapheme' }),
  body: fc.uint8Array().map(bytes => Buffer.from(bytes)),
})

test('what is written is read again, whatever it holds, with its number', () => {
  fc.assert(fc.property(fc.nat(2 ** 31), fc.array(note, { minLength: 1 }), (first, notes) => {
    const entries = notes.map((one, i) => ({ ...one, number: first * 1000 + i }))
    expect([...decodeNotes(encodeNotes(entries))]).toEqual(entries)
  }))
})
