/** Nothing that was acknowledged is lost, and nothing is kept twice, whoever is killed (promises 1 to 4). */
import { expect, test } from 'vitest'
import { killUnderLoad } from './kill.ts'
import type { Victim } from './kill.ts'
import { NOTHING_WRONG, print } from './load.ts'

const ROUNDS = Number(process.env.FAULT_ROUNDS ?? 3)

const VICTIMS: readonly Victim[] = ['server', 'database', 'both']

const timeout = 60_000 + ROUNDS * 20_000

test.for(VICTIMS)('what was acknowledged survives kill -9 under load: %s', { timeout }, async victim => {
  const figures = await killUnderLoad({ victim, rounds: ROUNDS })

  print(`kill -9 ${victim}`, { killed: ROUNDS }, figures)
  expect(figures).toMatchObject(NOTHING_WRONG)
  expect(figures.acknowledged).toBeGreaterThan(0)
  expect(figures.acknowledged).toBe(figures.sent)
})
