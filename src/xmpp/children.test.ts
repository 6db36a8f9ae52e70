/** What is asked of a stanza's children for each of its recipients. */
import { expect, test } from 'vitest'
import type { Child } from '../xml/framer.ts'
import { hasChild } from './children.ts'

/** So many children, and how often one of them was looked at. */
function children (count: number): { readonly list: readonly Child[], readonly looks: () => number } {
  let looks = 0
  const list = Array.from({ length: count }, (_, number): Child => ({
    get name () {
      looks++
      return `n${number}`
    },
    ns: `ns${number % 7}`, start: 0, end: 0,
  }))
  return { list, looks: () => looks }
}

test.each([0, 3, 32, 33, 5000])('of %i children each is found by its name and namespace, however often', count => {
  const { list } = children(count)

  for (let time = 0; time < 40; time++) {
    for (const number of [0, count - 1].filter(at => at >= 0 && at < count)) {
      expect(hasChild(list, `n${number}`, `ns${number % 7}`)).toBe(true)
      expect(hasChild(list, `n${number}`, `ns${(number + 1) % 7}`)).toBe(false)
    }
    expect(hasChild(list, 'none', 'ns0')).toBe(false)
  }
})

test('thousands of children are not looked at again for each of thousands of recipients', () => {
  const { list, looks } = children(5000)

  for (let recipient = 0; recipient < 5000; recipient++) hasChild(list, 'none', 'ns0')

  expect(looks()).toBeLessThan(30 * 5000)
})
