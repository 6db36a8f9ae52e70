/** What an administrator reads when a disk is full. */
import { expect, test } from 'vitest'
import { explainFullDisk } from './full-disk.ts'

test.each([
  'ENOSPC: no space left on device, write',
  'the data folder /srv can\'t be locked: database or disk is full',
  '53100 FATAL:  could not write lock file "postmaster.pid": No space left on device',
])('a full disk is said to be one, with what failed: %s', line => {
  const error = explainFullDisk(new Error(`PostgreSQL did not start:\n${line}\nthe end`), '/srv')

  const message = `the disk is full: make room for the data folder /srv and start again (${line})`
  expect(error).toMatchObject({ message })
})

test('any other error is left as it is', () => {
  const error = new Error('the data folder is in use')

  expect(explainFullDisk(error, '/srv')).toBe(error)
})
