import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { RateLimit } from './rate-limit.ts'

beforeEach(() => { vi.useFakeTimers({ toFake: ['performance'] }) })
afterEach(() => { vi.useRealTimers() })

const take = (limit: RateLimit, times: number): number =>
  Array.from({ length: times }, () => limit.take('key')).filter(taken => taken !== undefined).length

test('a limit gives so many, and then one each time that one is forgiven', () => {
  const limit = new RateLimit(10, 60_000)

  const first = take(limit, 50)
  vi.advanceTimersByTime(6_000)
  const second = take(limit, 50)
  vi.advanceTimersByTime(600_000)

  expect([first, second, take(limit, 50)]).toEqual([10, 1, 10])
})

test('what is given back can be taken again, and what is given back twice only once', () => {
  const limit = new RateLimit(2, 60_000)
  const taken = limit.take('key')
  limit.take('key')

  taken?.giveBack()
  taken?.giveBack()

  expect(take(limit, 5)).toBe(1)
})

test('what is given back late makes nobody\'s limit larger', () => {
  const limit = new RateLimit(2, 60_000)
  const taken = limit.take('key')
  vi.advanceTimersByTime(600_000)

  taken?.giveBack()

  expect(take(limit, 5)).toBe(2)
})

test('each key has a limit of its own', () => {
  const limit = new RateLimit(1, 60_000)
  limit.take('other')

  expect(take(limit, 2)).toBe(1)
})

test('what is taken beyond the limit is owed', () => {
  const limit = new RateLimit(10, 60_000)
  for (let n = 0; n < 15; n++) limit.overdraw('key')

  expect(limit.waitMs('key')).toBe(36_000)
})

test('a limit of 0 is none', () => {
  expect(take(new RateLimit(0, 60_000), 1000)).toBe(1000)
})
