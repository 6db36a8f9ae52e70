/** Turns of those who are beyond a limit. */
import * as fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { RateLimit } from './rate-limit.ts'
import type { Taken } from './rate-limit.ts'
import { RateQueue } from './rate-queue.ts'

const LIMIT = 3
const WINDOW_MS = 3_000
const PATIENCE_MS = 2_500

beforeEach(() => { vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }) })
afterEach(() => { vi.useRealTimers() })

/** Somebody who asks: when, in which lane, and whether and when he leaves, or his turn is given back. */
const ASKER = fc.record({
  at: fc.nat(8_000), lane: fc.constantFrom('a', 'b'),
  leavesAfter: fc.option(fc.nat(2_000)), givesBackAfter: fc.option(fc.nat(2_000)),
})

test('whoever asks has a turn or hears that there was none, within the patience, and no more have one than the limit allows', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(ASKER, { maxLength: 30 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      async (askers, luck) => {
        const queue = new RateQueue(new RateLimit(LIMIT, WINDOW_MS), PATIENCE_MS, () => luck.next().value ?? 0)
        const begin = performance.now()
        const answers: ('turn' | 'none' | undefined)[] = askers.map(() => undefined)
        let out = 0
        const hear = (index: number, taken: Taken | undefined, isGone: boolean): void => {
          answers[index] = taken ? 'turn' : 'none'
          if (!taken) return
          expect(isGone).toBe(false)
          expect(++out).toBeLessThanOrEqual(LIMIT + (performance.now() - begin) / (WINDOW_MS / LIMIT))
          const { givesBackAfter } = askers[index] ?? {}
          if (typeof givesBackAfter === 'number') setTimeout(() => { taken.giveBack(); out-- }, givesBackAfter)
        }
        for (const [index, { at, lane, leavesAfter }] of askers.entries()) {
          setTimeout(() => {
            let isGone = false
            if (leavesAfter !== null) setTimeout(() => { isGone = true }, leavesAfter)
            const turn = queue.turn('key', lane, () => isGone)
            if (turn instanceof Promise) void turn.then(taken => { hear(index, taken, isGone) })
            else hear(index, turn, isGone)
          }, at)
        }

        await vi.advanceTimersByTimeAsync(8_000 + PATIENCE_MS)

        expect(answers).not.toContain(undefined)
        await vi.advanceTimersByTimeAsync(WINDOW_MS)
        expect(vi.getTimerCount()).toBe(0)
      }), { numRuns: 50 })
})
