/** Nothing that was acknowledged is lost, and nothing comes twice, whichever connections break (promises 1 to 4). */
import { expect, test } from 'vitest'
import { cutUnderLoad } from './cut.ts'
import type { Wires } from './cut.ts'
import { NOTHING_WRONG, print } from './load.ts'

const ROUNDS = Number(process.env.FAULT_ROUNDS ?? 2)

const WIRES: readonly Wires[] = ['clients', 'database', 'both']

const timeout = 60_000 + ROUNDS * 10_000

test.for(WIRES)('what was acknowledged survives cut connections under load: %s', { timeout }, async wires => {
  const { cut, ...figures } = await cutUnderLoad({ wires, rounds: ROUNDS })

  print(`connections cut (${wires})`, cut, figures)
  expect(figures).toMatchObject(NOTHING_WRONG)
  expect(figures.acknowledged).toBeGreaterThan(0)
  expect(figures.acknowledged).toBe(figures.sent)
  expect(cut.clients > 0).toBe(wires !== 'database')
  expect(cut.database > 0).toBe(wires !== 'clients')
  if (wires === 'database') return
  expect(figures.resumed).toBeGreaterThan(0)
  expect(figures.anew).toBeGreaterThan(0)
})
