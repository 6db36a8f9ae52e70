/** Nothing that was acknowledged is lost, and nothing is kept twice, whoever is killed (promises 1 to 4). */
import { expect, test } from 'vitest'
import { killUnderLoad } from './kill.ts'
import type { Victim } from './kill.ts'

const ROUNDS = Number(process.env.FAULT_ROUNDS ?? 3)

const VICTIMS: readonly Victim[] = ['server', 'database', 'both']

test.for(VICTIMS)('what was acknowledged survives kill -9 under load: %s', { timeout: 120_000 }, async victim => {
  const { lost, doubled, holes, ...figures } = await killUnderLoad({ victim, rounds: ROUNDS })

  console.log(`kill -9 ${victim}:`, { ...figures, lost: lost.length, doubled: doubled.length, holes })
  expect(figures.acknowledged).toBeGreaterThan(0)
  expect(figures.acknowledged).toBe(figures.sent)
  expect(lost).toEqual([])
  expect(doubled).toEqual([])
  expect(holes).toBe(0)
})
