import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Deadlines } from './deadlines.ts'

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => { vi.useRealTimers() })

test('what is not taken back expires once, not before its time and not after twice its time', () => {
  const expired: string[] = []
  const deadlines = new Deadlines<string>(1000, item => expired.push(item))

  deadlines.add('early')
  vi.advanceTimersByTime(900)
  deadlines.add('late')
  deadlines.add('taken back')
  deadlines.delete('taken back')
  vi.advanceTimersByTime(999)
  const before = [...expired]
  vi.advanceTimersByTime(101)
  const after = [...expired]
  vi.advanceTimersByTime(10_000)

  expect(before).toEqual([])
  expect(after).toEqual(['early', 'late'])
  expect(expired).toEqual(['early', 'late'])
})

test('nothing ticks while nothing waits', () => {
  const deadlines = new Deadlines<string>(1000, () => {})

  deadlines.add('only')
  vi.advanceTimersByTime(2000)

  expect(vi.getTimerCount()).toBe(0)
})
