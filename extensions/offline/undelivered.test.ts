/** What no device has yet. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SessionView } from '../../src/extension/api.ts'
import { Undelivered } from './undelivered.ts'

// Told apart, and nothing else.
const [phone, laptop] = [{}, {}] as [SessionView, SessionView]

/** Of an account to which these came, and that sent the rest. */
function waiting (...seqs: readonly number[]): Undelivered {
  const undelivered = new Undelivered('juliet@localhost', { delivered: (seqs[0] ?? 1) - 1, last: 0 })
  for (const seq of seqs) undelivered.add(seq)
  return undelivered
}

/** The numbers up to there that are for the session. */
function rest (undelivered: Undelivered, session: SessionView, upTo = 20): readonly number[] {
  return Array.from({ length: upTo }, (_, n) => n + 1).filter(seq => undelivered.isFor(seq, session))
}

describe('the position', () => {
  test('is before the first that waits, whatever was delivered behind it', () => {
    const undelivered = waiting(4, 5, 6)

    undelivered.confirm(5, laptop)

    expect(undelivered.position).toBe(3)
    expect(undelivered.hasMoved).toBe(false)
  })

  test('goes on as devices confirm, in whatever order', () => {
    const undelivered = waiting(4, 5, 6)

    undelivered.confirm(5, laptop)
    undelivered.confirm(4, laptop)

    expect(undelivered.position).toBe(5)
    expect(undelivered.hasMoved).toBe(true)
  })

  test('is the end when all is confirmed, whatever the account sent meanwhile', () => {
    const undelivered = waiting(4, 6, 9)

    for (const seq of [9, 4, 6]) undelivered.confirm(seq, laptop)

    expect([undelivered.position, undelivered.isEmpty]).toEqual([9, true])
  })

  test('is the end when nothing waits', () => {
    const undelivered = waiting(4)
    undelivered.add(9)

    undelivered.confirmUpTo(9)

    expect(undelivered.position).toBe(9)
  })

  test('is the end of an archive that is found to hold nothing but what its owner sent', () => {
    const undelivered = new Undelivered('juliet@localhost', { delivered: 2, last: 7 })
    const before = undelivered.position

    undelivered.found(3, 7, [])

    expect([before, undelivered.position]).toEqual([2, 7])
  })

  test('does not pass what came late', () => {
    const undelivered = waiting(4, 7)

    undelivered.add(5)
    undelivered.confirm(4, laptop)

    expect(undelivered.position).toBe(4)
    undelivered.confirm(5, laptop)
    expect(rest(undelivered, phone)).toContain(7)
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
  expect(undelivered.stretchesFor(laptop, 0, 9, true, 9)).toEqual([{ from: 2, to: 2 }])
})

describe('many that wait', () => {
  test('are one stretch, whoever was given them, and whatever the account said in between', () => {
    const undelivered = new Undelivered('juliet@localhost', { delivered: 0, last: 0 })

    for (let seq = 1; seq < 200_000; seq += 2) {
      undelivered.add(seq)
      undelivered.give(seq, phone)
    }

    expect(undelivered.stretchesFor(laptop, 0, 200_000, false, 9)).toEqual([{ from: 1, to: 199_999 }])
    expect(undelivered.stretchesFor(phone, 0, 200_000, false, 9)).toEqual([])
    for (let seq = 1; seq < 200_000; seq += 2) undelivered.confirm(seq, phone)
    expect(undelivered.isEmpty).toBe(true)
  })

  test('with gaps take no more than so much memory, and none of them is lost', () => {
    const undelivered = new Undelivered('juliet@localhost', { delivered: 0, last: 0 })

    for (let seq = 1; seq <= 20_000; seq++) {
      undelivered.add(seq)
      undelivered.give(seq, phone)
      if (seq % 2 === 0) undelivered.confirm(seq, laptop)
    }

    const stretches = undelivered.stretchesFor(laptop, 0, 20_000, false, 20_000)
    expect(stretches.length).toBeLessThanOrEqual(500)
    expect(rest(undelivered, laptop, 20_000).filter(seq => seq % 2 === 1)).toHaveLength(10_000)
  })
})

type Step = readonly [
  what: 'came' | 'came late' | 'sent' | 'given' | 'confirmed' | 'acknowledged' | 'looked',
  n: number,
]

/** What waits, and the same in a way that is too simple to be wrong. */
class Model {
  readonly undelivered = new Undelivered('juliet@localhost', { delivered: 0, last: 0 })
  /** What waits, and whether the phone was given it. */
  readonly waiting = new Map<number, boolean>()
  readonly #known = new Set<number>()
  readonly #withPhone: number[] = []
  last = 0

  get numbers (): readonly number[] {
    return [...this.waiting.keys()].sort((a, b) => a - b)
  }

  take ([what, n]: Step): void {
    this.#steps[what](n)
  }

  readonly #steps: Readonly<Record<Step[0], (n: number) => void>> = {
    'sent': () => { this.last++ },
    'came': () => { this.#add(++this.last) },
    'came late': n => { if (n > 0 && n <= this.last && !this.#known.has(n)) this.#add(n) },
    'given': n => {
      if (this.waiting.get(n) !== false) return
      this.undelivered.give(n, phone)
      this.#withPhone.push(n)
      this.waiting.set(n, true)
    },
    'confirmed': n => { if (this.waiting.has(n)) this.#confirm(n, laptop) },
    'acknowledged': () => {
      const first = this.#withPhone.shift()
      if (first !== undefined) this.#confirm(first, phone)
    },
    'looked': n => { this.undelivered.found(n, n + 5, this.numbers) },
  }

  #add (seq: number): void {
    this.undelivered.add(seq)
    this.#known.add(seq)
    this.waiting.set(seq, false)
  }

  #confirm (seq: number, session: SessionView): void {
    this.undelivered.confirm(seq, session)
    this.waiting.delete(seq)
  }
}

test('what waits is what came and was not confirmed, in whatever order it was given and confirmed', () => {
  const step = fc.tuple(
    fc.constantFrom('came', 'came late', 'sent', 'given', 'confirmed', 'acknowledged', 'looked'),
    fc.nat(30),
  )

  fc.assert(fc.property(fc.array(step, { maxLength: 80 }), steps => {
    const model = new Model()
    for (const one of steps) model.take(one)
    const { undelivered, waiting, numbers, last } = model

    for (const [seq, isWithPhone] of waiting) {
      expect([seq, undelivered.isFor(seq, laptop), undelivered.isWith(seq, phone)]).toEqual([seq, true, isWithPhone])
      expect(undelivered.position).toBeLessThan(seq)
    }
    undelivered.found(1, last, numbers)
    expect(rest(undelivered, laptop, last)).toEqual(numbers)
  }), { numRuns: 1000 })
})
