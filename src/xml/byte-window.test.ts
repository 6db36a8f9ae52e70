import { expect, test } from 'vitest'

import { ByteWindow } from './byte-window.ts'

test('a chunk is not copied while nothing is left over', () => {
  const window = new ByteWindow()
  const [first, second] = [Buffer.from('first'), Buffer.from('second')]
  window.append(first, 0)
  expect(window.bytes).toBe(first)

  expect(window.append(second, 5)).toBe(5)
  expect(window.bytes).toBe(second)
})

test('what is left over comes before what is added, at the offset that is told', () => {
  const window = new ByteWindow()
  window.append(Buffer.from('gone, kept'), 0)

  expect(window.append(Buffer.from(' and more'), 6)).toBe(6)
  expect(window.bytes.toString('utf8', 0, window.end)).toBe('kept and more')
})

test('what was given out is not written to', () => {
  const window = new ByteWindow()
  const given: Buffer[] = []
  let at = 0
  for (let i = 0; i < 300; i++) {
    at -= window.append(Buffer.from(`${i} `), at)
    if (i % 3 < 2) continue
    given.push(window.bytes.subarray(at, window.end))
    at = window.end
  }

  expect(given.join('')).toBe(Array.from({ length: 300 }, (_, i) => `${i} `).join(''))
})

test('bytes that come one by one are moved a few times only', () => {
  const window = new ByteWindow()
  const buffers = new Set<Buffer>()
  for (let i = 0; i < 100_000; i++) {
    window.append(Buffer.of(i), 0)
    window.release(0)
    buffers.add(window.bytes)
  }

  expect(window.end).toBe(100_000)
  expect(buffers.size).toBeLessThan(30)
})

test('a few bytes that are left over do not keep a large chunk', () => {
  const window = new ByteWindow()
  window.append(Buffer.alloc(65_536, 'a'), 0)

  expect(window.release(65_530)).toBe(65_530)
  expect(window.bytes.toString()).toBe('aaaaaa')
  expect(window.release(6)).toBe(6)
  expect(window.bytes).toHaveLength(0)
})
