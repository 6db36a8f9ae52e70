import * as fc from 'fast-check'
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

const WHO = fc.constantFrom('romeo', 'juliet', 'mallory')

test('whatever waited, nobody takes the room of all, and all of it is given back', () => {
  const adding = fc.record({ who: WHO, portion: fc.nat(3), bytes: fc.integer({ min: 1, max: 12 }) })
  fc.assert(fc.property(fc.array(fc.oneof(adding, fc.nat(3)), { maxLength: 60 }), events => {
    const shares = new Shares(100, 10)
    const portions = Array.from({ length: 4 }, (): Portion => ({ bytes: 0 }))
    let total = 0
    const remove = (index: number): void => {
      const portion = portions[index]
      if (!portion) return
      shares.remove(portion)
      total -= portion.bytes
      portions[index] = { bytes: 0 }
    }

    for (const event of events) {
      if (typeof event === 'number') remove(event)
      else if (shares.hasRoom(event.who)) {
        const portion = portions[event.portion] ?? { bytes: 0 }
        shares.add(portion, event.who, event.bytes)
        total += event.bytes
      }
      // Each: what is not counted, his share, and the last beyond it.
      expect(total).toBeLessThanOrEqual(3 * (10 + 10 + 12))
      expect(shares.hasRoom('nurse')).toBe(total <= 100)
    }
    for (const index of portions.keys()) remove(index)
    const again: boolean[] = []
    for (let bytes = 0; bytes < 40; bytes += 5) {
      again.push(shares.hasRoom('mallory'))
      if (again.at(-1)) shares.add({ bytes: 0 }, 'mallory', 5)
    }

    expect(again).toEqual([true, true, true, true, true, false, false, false])
  }))
})
