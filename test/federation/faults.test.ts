/** Nothing is lost between servers of ours, and nothing comes twice or out of order, whatever breaks between them. */
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { NOTHING_WRONG, print, whileTalking } from '../faults/load.ts'
import { Islands } from './islands.ts'

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 1)
const MANNER = { pauseMs: 30 }
const PAUSE_MS = 700
const CUTS_PER_ROUND = 3
const AWAY_MS = 2500

const timeout = 120_000 + ROUNDS * 60_000

test('messages survive connections between servers that are cut under load', { timeout }, async () => {
  await using islands = await Islands.start('a.example', 'b.example')

  const figures = await whileTalking(await islands.meet(MANNER, 2), async () => {
    for (let round = 0; round < ROUNDS; round++) {
      for (let cut = 0; cut < CUTS_PER_ROUND; cut++) {
        await setTimeout(PAUSE_MS)
        await islands.cutAny()
      }
      await Promise.all(islands.networks.map(network => network.fail(AWAY_MS)))
    }
  })

  print('connections between servers cut', { cut: islands.cut }, figures)
  expect(figures).toMatchObject(NOTHING_WRONG)
  expect(figures.acknowledged).toBeGreaterThan(0)
  expect(figures.acknowledged).toBe(figures.sent)
  expect(islands.cut).toBeGreaterThan(0)
})

test('messages survive kill -9 of each of three servers under load', { timeout }, async () => {
  await using islands = await Islands.start('a.example', 'b.example', 'c.example')

  const figures = await whileTalking(await islands.meet(MANNER), async () => {
    for (const server of Array.from({ length: ROUNDS }).flatMap(() => islands.servers)) {
      await setTimeout(PAUSE_MS)
      await server.kill()
      await islands.cutAny()
      await server.start()
    }
    await setTimeout(PAUSE_MS)
  })

  print('kill -9 of servers', { killed: ROUNDS * islands.servers.length, cut: islands.cut }, figures)
  expect(figures).toMatchObject(NOTHING_WRONG)
  expect(figures.acknowledged).toBeGreaterThan(0)
  expect(figures.acknowledged).toBe(figures.sent)
})
