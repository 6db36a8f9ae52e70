import { expect, test } from 'vitest'
import { Lanes } from './lanes.ts'

test('who waits alone comes before a crowd, and everybody comes in the end', () => {
  const lanes = new Lanes<string>()
  for (const name of ['a1', 'a2', 'a3', 'b1', 'c1']) lanes.push(name.charAt(0), name)
  lanes.remove('a', 'a2')
  lanes.remove('b', 'nobody')

  const order = [1, 2, 3, 4, 5].map(() => lanes.next(count => count - 1))

  expect(order).toEqual(['c1', 'b1', 'a3', 'a1', undefined])
  expect(lanes.isEmpty).toBe(true)
})
