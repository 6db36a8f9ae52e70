import { expect, test } from 'vitest'
import { StatusBuffer } from './status-buffer.ts'

test('an id that no client would make up takes no memory while the database is away', () => {
  const heard = new StatusBuffer()
  const long = 'x'.repeat(257)

  heard.delivered('juliet@localhost', 'mallory@localhost', long, 1)
  heard.received('juliet@localhost', 'mallory@localhost', long)
  heard.displayed('juliet@localhost', 'mallory@localhost', long)
  heard.displayed('juliet@localhost', 'romeo@localhost', 'x'.repeat(256))

  expect(heard.take().map(({ peer }) => peer)).toEqual(['romeo@localhost'])
})
