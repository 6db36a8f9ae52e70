/** What no device has yet. */
import { describe, expect, test } from 'vitest'
import type { Session } from '../../src/extension/api.ts'
import { Undelivered } from './undelivered.ts'

// Told apart, and nothing else.
const [phone, laptop] = [{}, {}] as [Session, Session]

function waiting (...seqs: readonly number[]): Undelivered {
  return new Undelivered('juliet@localhost', { delivered: (seqs[0] ?? 1) - 1, last: 0, waiting: seqs })
}

describe('the position', () => {
  test('is before the first that waits, whatever was delivered behind it', () => {
    const undelivered = waiting(4, 5, 6)

    undelivered.confirm(5)

    expect(undelivered.position).toBe(3)
    expect(undelivered.hasMoved).toBe(false)
  })

  test('goes to where the next waits', () => {
    const undelivered = waiting(4, 5, 8)

    undelivered.confirm(5)
    undelivered.confirm(4)

    expect(undelivered.position).toBe(7)
    expect(undelivered.hasMoved).toBe(true)
  })

  test('is the end when nothing waits', () => {
    const undelivered = waiting(4)
    undelivered.add(9)

    undelivered.confirmUpTo(9)

    expect(undelivered.position).toBe(9)
  })

  test('is the end of an archive that holds nothing but what its owner sent', () => {
    const undelivered = new Undelivered('juliet@localhost', { delivered: 2, last: 7, waiting: [] })

    expect(undelivered.position).toBe(7)
  })

  test('does not pass what came late', () => {
    const undelivered = waiting(4, 7)

    undelivered.add(5)
    undelivered.confirm(4)

    expect(undelivered.position).toBe(4)
    expect(undelivered.all).toEqual([5, 7])
  })
})

test('what a session was given is not for it again, and is abandoned when no session has it', () => {
  const undelivered = waiting(1, 2)
  undelivered.give(1, phone)
  undelivered.give(1, laptop)
  undelivered.give(2, phone)

  undelivered.takeFrom(phone)

  expect([1, 2].map(seq => undelivered.isFor(seq, laptop))).toEqual([false, true])
  expect([1, 2].map(seq => undelivered.isWith(seq, laptop))).toEqual([true, false])
  expect(undelivered.abandoned).toEqual([2])
})
