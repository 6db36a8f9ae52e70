import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HeardNumbers } from './heard-numbers.ts'

test('what was added is known, whatever the order, and nothing else', () => {
  fc.assert(fc.property(fc.array(fc.nat(30)), numbers => {
    const heard = new HeardNumbers()

    for (const number of numbers) heard.add(number)

    for (let number = 0; number <= 31; number++) expect(heard.has(number)).toBe(numbers.includes(number))
    expect(new HeardNumbers(heard.ranges).ranges).toEqual(heard.ranges)
  }))
})

test('numbers in order are one range', () => {
  const heard = new HeardNumbers()

  for (const number of [7, 8, 10, 9]) heard.add(number)

  expect(heard.ranges).toEqual([7, 10])
})

test('of many ranges the lowest is forgotten', () => {
  const heard = new HeardNumbers()

  for (let number = 0; number < 40; number += 2) heard.add(number)

  expect(heard.ranges.length).toBe(32)
  expect([0, 6, 8, 38].map(number => heard.has(number))).toEqual([false, false, true, true])
})
