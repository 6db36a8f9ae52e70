import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Lanes } from './lanes.ts'

test('who waits alone comes before a crowd, and everybody comes in the end', () => {
  const lanes = new Lanes<string>()
  for (const name of ['a1', 'a2', 'a3', 'b1', 'c1']) lanes.push(name.charAt(0), name)
  lanes.remove('a', 'a2')
  lanes.remove('b', 'nobody')

  const order = [1, 2, 3, 4, 5].map(() => lanes.next(count => count - 1))

  expect(order).toEqual(['c1', 'b1', 'a3', 'a1', undefined])
  expect(lanes.isEmpty).toBe(true)
})

test('whoever came and did not leave is next once, from a lane where fewest wait', () => {
  const event = fc.record({
    what: fc.constantFrom('push', 'push', 'next', 'remove'),
    lane: fc.constantFrom('a', 'b', 'c'),
    luck: fc.nat(1000),
  })
  fc.assert(fc.property(fc.array(event, { maxLength: 60 }), events => {
    const lanes = new Lanes<number>()
    const waiting = new Map<string, number[]>([['a', []], ['b', []], ['c', []]])
    const ofLane = (lane: string): number[] => waiting.get(lane) ?? []
    const takeNext = (luck: number): void => {
      const lengths = [...waiting.values()].map(({ length }) => length).filter(length => length > 0)
      const next = lanes.next(count => luck % count)
      const from = [...waiting.values()].find(items => next !== undefined && items.includes(next))
      expect(from?.length).toBe(lengths.length === 0 ? undefined : Math.min(...lengths))
      if (next !== undefined) from?.splice(from.indexOf(next), 1)
    }

    for (const [number, { what, lane, luck }] of events.entries()) {
      if (what === 'push') {
        lanes.push(lane, number)
        ofLane(lane).push(number)
      } else if (what === 'next') takeNext(luck)
      else {
        const gone = ofLane(lane)[luck % Math.max(1, ofLane(lane).length)] ?? -1
        lanes.remove(lane, gone)
        waiting.set(lane, ofLane(lane).filter(one => one !== gone))
      }
    }
    while ([...waiting.values()].some(({ length }) => length > 0)) takeNext(0)

    expect(lanes.isEmpty).toBe(true)
  }))
})
