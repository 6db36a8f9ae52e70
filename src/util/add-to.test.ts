import { expect, test } from 'vitest'
import { addTo } from './add-to.ts'

test('an item that is removed twice takes no other along', () => {
  const list: string[] = []
  const removeFirst = addTo(list, 'first')
  addTo(list, 'second')

  removeFirst()
  removeFirst()

  expect(list).toEqual(['second'])
})

test('of equal items each is removed by whoever added it', () => {
  const list: string[] = []
  const removeOne = addTo(list, 'same')
  addTo(list, 'same')

  removeOne()
  removeOne()

  expect(list).toEqual(['same'])
})
