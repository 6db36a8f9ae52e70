import { expect, test } from 'vitest'
import { Shares } from './shares.ts'
import type { Portion } from './shares.ts'

test('who has taken his share has to wait, and nobody else', () => {
  const shares = new Shares(100, 10)

  for (let count = 0; count < 4; count++) shares.add({ bytes: 0 }, 'mallory', 10)

  expect([shares.hasRoom('mallory'), shares.hasRoom('juliet')]).toEqual([false, true])
})

test('where there is room for nobody all have to wait', () => {
  const shares = new Shares(100, 10)

  for (let count = 0; count < 11; count++) shares.add({ bytes: 0 }, `sybil${count}`, 10)

  expect(shares.hasRoom('juliet')).toBe(false)
})

test('what does not wait any more takes no room, in whatever order it goes', () => {
  const shares = new Shares(100, 10)
  const portions: Portion[] = []
  for (let count = 0; count < 8; count++) {
    const portion = { bytes: 0 }
    shares.add(portion, 'mallory', 6)
    shares.add(portion, 'juliet', 6)
    portions.push(portion)
  }

  for (const portion of portions.reverse()) shares.remove(portion)
  const before = shares.hasRoom('mallory')
  shares.add({ bytes: 0 }, 'mallory', 10)

  expect([before, shares.hasRoom('mallory')]).toEqual([true, true])
})
