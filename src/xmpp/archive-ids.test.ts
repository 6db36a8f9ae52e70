/** The ids that archives give their messages (XEP-0359 §4, XEP-0313 §6.2). */
import { randomBytes } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ArchiveIds, ArchiveKeys, decrypt, encrypt, expand } from './archive-ids.ts'
import type { Life } from './archive-ids.ts'

const seq = fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }))
const key = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(bytes => Buffer.from(bytes))

const life = (madeAt: string): Life => ({ madeAt, hadNumbers: false })

async function keys (secret = Buffer.alloc(32, 7)): Promise<ArchiveKeys> {
  const made = new ArchiveKeys(() => Promise.resolve(secret))
  await made.load()
  return made
}

test('the cipher gives what its authors say (Speck64/128, appendix C)', () => {
  const block = new Int32Array([0x3b726574, 0x7475432d])
  const schedule = expand(Buffer.from('1b1a1918131211100b0a090803020100', 'hex'))

  encrypt(block, schedule)

  expect([...block].map(word => (word >>> 0).toString(16))).toEqual(['8c6fa548', '454e028b'])
  decrypt(block, schedule)
  expect([...block].map(word => (word >>> 0).toString(16))).toEqual(['3b726574', '7475432d'])
})

test('an id leads back to its number, and no two numbers have one', () => {
  fc.assert(fc.property(key, fc.uniqueArray(seq, { minLength: 2, maxLength: 50 }), (bytes, numbers) => {
    const ids = new ArchiveIds(() => bytes)

    const encoded = numbers.map(number => ids.encode(number))

    expect(encoded.map(id => ids.decode(id))).toEqual(numbers)
    expect(new Set(encoded).size).toBe(numbers.length)
    for (const id of encoded) expect(id).toMatch(/^[a-p][a-z2-7]{12}$/)
  }))
})

test('nothing in an id tells which comes next', () => {
  const ids = new ArchiveIds(() => randomBytes(16))

  const next = [1, 2, 3, 4].map(number => ids.encode(number))

  for (const [n, id] of next.entries()) {
    for (const other of next.slice(n + 1))
      expect([...id].filter((letter, at) => letter === other[at]).length).toBeLessThan(6)
  }
})

test('an id of another archive, or of an account that had the name before, leads to no message', async () => {
  const made = await keys()
  const second = made.ofAccount('romeo@localhost', life('2'))
  for (
    const other of [
      made.ofAccount('romeo@localhost', life('1')),
      made.ofAccount('juliet@localhost', life('2')),
      made.ofRoom('romeo@localhost'),
      (await keys(Buffer.alloc(32, 8))).ofAccount('romeo@localhost', life('2'))]) {
    for (let number = 1; number <= 1000; number++)
      expect(second.decode(other.encode(number)) ?? Infinity).toBeGreaterThan(1_000_000)
  }
})

test.each([
  '',
  '0',
  '1',
  'x',
  'aaaaaaaaaaaa1',
  'A'.repeat(13),
  'q'.repeat(13),
  'a'.repeat(12),
  'a'.repeat(14),
  "a' or 1=1",
])(
  '%j is no id', async text => {
    expect((await keys()).ofAccount('romeo@localhost', life('2')).decode(text)).toBeUndefined()
  })

test('an account that is older than such ids, and a room, are still asked by the numbers that clients have seen', async () => {
  const made = await keys()

  expect(made.ofAccount('romeo@localhost', { madeAt: '1', hadNumbers: true }).decode('17')).toBe(17)
  expect(made.ofRoom('coven@conference.localhost').decode('1732000000001')).toBe(1732000000001)
})

test('each node makes the same', async () => {
  const [a, b] = [await keys(), await keys()]

  expect(a.ofRoom('coven@conference.localhost').encode(9)).toBe(b.ofRoom('coven@conference.localhost').encode(9))
  expect(a.ofAccount('romeo@localhost', life('2')).encode(9)).toBe(b.ofAccount('romeo@localhost', life('2')).encode(9))
})
