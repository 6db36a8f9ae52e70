import { expect, test } from 'vitest'
import { Archive } from './archive.ts'
import { EMPTY, RECENT_MESSAGES } from './store.ts'

/** An archive in which one message was followed by so many others. */
function followedBy (others: number): Archive {
  const archive = new Archive('juliet@localhost', EMPTY)
  archive.next('the one')
  for (let number = 1; number <= others; number++) archive.next(`another ${number}`)
  return archive
}

test.each([0, 1, RECENT_MESSAGES / 2, RECENT_MESSAGES - 1])('a message is recognised behind %d others', others => {
  expect(followedBy(others).find('the one')).toBe(1)
})

test('a message is forgotten when enough have come since', () => {
  expect(followedBy(2 * RECENT_MESSAGES).find('the one')).toBeUndefined()
})
