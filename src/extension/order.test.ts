/** The order of extensions is the list's, except where one says what it comes after. */
import { expect, test } from 'vitest'
import type { Extension } from './api.ts'
import { inOrder } from './order.ts'

const one = (name: string, ...after: readonly string[]): Extension => ({ name, xeps: [], after, setup () {} })
const names = (...extensions: readonly Extension[]): readonly string[] =>
  inOrder(extensions, ['off']).map(({ name }) => name)

test('extensions run in the order of the list, those that others come after before them', () => {
  expect(names(one('a'), one('b', 'd'), one('c'), one('d'))).toEqual(['a', 'd', 'b', 'c'])
})

test('an extension may come after one that is turned off', () => {
  expect(names(one('a', 'off'))).toEqual(['a'])
})

test('missing names and circles are reported together', () => {
  expect(() => names(one('a', 'nobody'), one('b', 'c'), one('c', 'b')))
    .toThrow(
      'a comes after nobody, which does not exist\nextensions come after each other in a circle: b after c after b',
    )
})
