import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeBase64 } from './base64.ts'

test('what was encoded is decoded', () => {
  fc.assert(fc.property(fc.uint8Array(), bytes => {
    expect(decodeBase64(Buffer.from(bytes).toString('base64'))).toEqual(Buffer.from(bytes))
  }))
})

test.each([
  '=', '====', 'A', 'AA', 'AAA', 'AA=A', '=AAA', 'BBBB=CCC', 'AAAA=', 'AAAA====', 'AB==', 'AAB=', 'AA==AAAA',
  ' AAAA', 'AAAA\n', 'AA AA', '_-_-', 'ÄÄÄÄ', 'AAAA\0',
])('what is not exactly base 64 is refused: %j', text => {
  expect(decodeBase64(text)).toBeUndefined()
})
