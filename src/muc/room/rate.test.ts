/** So many a second on average, and for a while more at once. */
import { expect, test } from 'vitest'
import { Rate } from './rate.ts'

function taken (rate: Rate, count: number, perSecond: number, now: number): number {
  return Array.from({ length: count }).filter(() => rate.take(perSecond, now)).length
}

test('five seconds\' policies may come at once, and then as much as time passes', () => {
  const rate = new Rate()

  expect(taken(rate, 100, 2, 1000)).toBe(10)
  expect(taken(rate, 100, 2, 2000)).toBe(2)
  expect(taken(rate, 100, 2, 2400)).toBe(0)
  expect(taken(rate, 100, 2, 2500)).toBe(1)
  expect(taken(rate, 100, 2, 100_000)).toBe(10)
})

test('0 is no limit', () => {
  expect(taken(new Rate(), 1000, 0, 1)).toBe(1000)
})
