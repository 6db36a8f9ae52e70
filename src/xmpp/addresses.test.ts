/** What addresses cost. */
import { expect, test } from 'vitest'
import { checkAddressList } from './addresses.ts'
import { Jid, JidError } from './jid.ts'

function international (count: number, name = 'bü'): readonly string[] {
  return Array.from({ length: count }, (_, number) => `u@${name}${number}.example`)
}

test('a list of ordinary addresses may be long', () => {
  const plain = Array.from({ length: 1000 }, (_, number) => `contact${number}@example.org/desk`)

  expect(() => { checkAddressList(plain) }).not.toThrow()
  expect(() => { checkAddressList([...plain, 'one-more@example.org']) }).toThrow('at most 1000')
})

test('a list of international addresses may be short, in U-labels as in A-labels', () => {
  expect(() => { checkAddressList(international(50, 'grün')) }).not.toThrow()
  expect(() => { checkAddressList(international(500, 'grün')) }).toThrow('too many international addresses')
  expect(() => { checkAddressList(international(500, 'XN--grn-hoa')) }).toThrow('too many international addresses')
})

test('those that were met lately cost nothing, be they addresses or not', () => {
  const known = international(100, 'später')
  const bad = Array.from({ length: 100 }, (_, number) => `u@xn--${number}ü`)
  for (const text of known) Jid.parse(text)
  for (const text of bad) expect(() => Jid.parse(text)).toThrow(JidError)

  expect([...known, ...bad].some(text => Jid.isDear(text))).toBe(false)
  expect(() => { checkAddressList([...known, ...bad]) }).not.toThrow()
})

test('a domain longer than any is refused without a look at its characters', () => {
  expect(() => Jid.parse('ü'.repeat(600))).toThrow('not a domain name')
  expect(() => Jid.parse('xn--a-eka.'.repeat(60))).toThrow('not a domain name')
})

test('an address that was kept is the same as when it was parsed', () => {
  for (const text of ["romeo@localhost/o'rchard@x/y", 'localhost', 'u@bücher.example', 'example.org/r', '[::1]']) {
    const jid = Jid.parse(text)
    const kept = Jid.kept(jid.toString())
    expect([kept.local, kept.domain, kept.resource, kept.toString()]).toEqual([
      jid.local,
      jid.domain,
      jid.resource,
      jid.toString(),
    ])
  }
})
