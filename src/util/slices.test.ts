/** Long work takes turns of the event loop. */
import * as fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import { inNextSlice, inSlices, isLineEmpty, isSliceOver, nextSlice, SLICE_MS } from './slices.ts'

/** Longer than a slice. */
const LONG_MS = 8

function work (ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

function nextTurn (): Promise<void> {
  return new Promise(resolve => { setImmediate(resolve) })
}

/** As many steps of hard work as that, each of which notes that it was taken. */
function * steps (taken: string[], name: string, count: number): Generator<void> {
  for (let step = 0; step < count; step++) {
    work(LONG_MS)
    yield void taken.push(`${name}${step}`)
  }
}

test('work that fits into a slice is done at once', async () => {
  await nextTurn()

  const done = inSlices([1, 2, 3].values())

  expect(done).toBeUndefined()
})

test('work that does not fit into a slice lets others have their turn', async () => {
  await nextTurn()
  const taken: string[] = []

  const done = inSlices(steps(taken, 'a', 3))
  const atOnce = taken.length
  await done

  expect(atOnce).toBe(1)
  expect(taken).toEqual(['a0', 'a1', 'a2'])
})

test('all that is long shares the slice of a turn, and has one after the other', async () => {
  await nextTurn()
  const taken: string[] = []
  const perTurn: number[] = []
  let isRunning = true

  const all = Promise.all(['a', 'b', 'c'].map(name => inSlices(steps(taken, name, 3)))).finally(() => {
    isRunning = false
  })
  for (let before = taken.length; isRunning; before = taken.length) {
    await nextTurn()
    perTurn.push(taken.length - before)
  }
  await all

  expect(Math.max(...perTurn)).toBe(1)
  expect(taken).toEqual(['a0', 'a1', 'b0', 'c0', 'a2', 'b1', 'c1', 'b2', 'c2'])
})

test('a slice is over for all that follows in its turn, by promises too, and not in the next one', async () => {
  await nextTurn()
  const wasOver = isSliceOver()
  work(LONG_MS)
  await Promise.resolve()
  const isOver = isSliceOver()
  await nextTurn()

  expect([wasOver, isOver, isSliceOver()]).toEqual([false, true, false])
})

test('the callbacks of a turn share its slice', async () => {
  await nextTurn()
  const taken: string[] = []
  let atOnce = 0
  const callbacks = ['a', 'b', 'c'].map(name => new Promise(resolve => {
    setImmediate(() => { // all in one turn
      resolve(inSlices(steps(taken, name, 1)))
      atOnce = taken.length
    })
  }))

  await Promise.all(callbacks)

  expect(atOnce).toBe(1)
  expect(taken).toEqual(['a0', 'b0', 'c0'])
})

test('what a step throws ends the work, at once or later', async () => {
  await nextTurn()
  function * failing (ms: number): Generator<void> {
    yield work(ms)
    throw new Error('broken')
  }

  expect(() => inSlices(failing(0))).toThrow('broken')
  await expect(inSlices(failing(LONG_MS))).rejects.toThrow('broken')
  await expect(nextSlice(() => { throw new Error('broken, too') })).rejects.toThrow('broken, too')
})

test('tasks are called in their order', async () => {
  const called: number[] = []

  for (let task = 0; task < 3; task++) inNextSlice(() => { called.push(task) })
  await nextSlice(() => {})

  expect(called).toEqual([0, 1, 2])
})

/**
 * A piece of work: what each of its steps takes, in milliseconds, whether the last fails, and how many turns it comes
 * late.
 */
const WORK = fc.record({ steps: fc.array(fc.nat(4), { maxLength: 8 }), fails: fc.boolean(), after: fc.nat(3) })

test('whatever is done in slices is done to its end, in order, and no turn is longer than a slice and a step', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => { vi.useRealTimers() })

  await fc.assert(fc.asyncProperty(fc.array(WORK, { maxLength: 12 }), async works => {
    const taken: [number, number][] = []
    let inTurn = 0
    let longest = 0
    function * stepsOf (work: number): Generator<void> {
      for (const [step, ms] of (works[work]?.steps ?? []).entries()) {
        vi.advanceTimersByTime(ms)
        longest = Math.max(longest, inTurn += ms)
        yield void taken.push([work, step])
      }
      if (works[work]?.fails) throw new Error('broken')
    }

    await nextTurn()
    const all = Promise.allSettled(works.map(async ({ after }, work) => {
      for (let turn = 0; turn < after; turn++) await nextTurn()
      await inSlices(stepsOf(work))
    }))
    let isRunning = true
    void all.finally(() => { isRunning = false })
    while (isRunning) {
      await nextTurn()
      inTurn = 0
    }
    const outcomes = await all

    expect(outcomes.map(({ status }) => status)).toEqual(works.map(({ fails }) => fails ? 'rejected' : 'fulfilled'))
    for (const [work, { steps }] of works.entries()) {
      expect(taken.filter(([one]) => one === work).map(([, step]) => step)).toEqual([...steps.keys()])
    }
    expect(longest).toBeLessThanOrEqual(2 * (SLICE_MS + 4))
    expect(isLineEmpty()).toBe(true)
  }))
})
