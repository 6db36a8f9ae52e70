import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { placeOf } from './rendezvous.ts'

const NODES = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 12 })
const KEYS = Array.from({ length: 20_000 }, (_, i) => `room${i}@rooms.example.org`)

test('without a node there is no place', () => {
  expect(placeOf('key', [])).toBeUndefined()
})

test('a place is one of the nodes, and the same in whatever order they are known', () => {
  fc.assert(fc.property(fc.string(), NODES, (key, nodes) => {
    const place = placeOf(key, nodes)

    expect(nodes).toContain(place)
    expect(placeOf(key, [...nodes].reverse())).toBe(place)
  }))
})

test('when a node goes only what it had moves, when one comes only what it gets', () => {
  fc.assert(fc.property(fc.array(fc.string(), { maxLength: 50 }), NODES, fc.nat(), (keys, nodes, which) => {
    const gone = nodes[which % nodes.length]
    const left = nodes.filter(node => node !== gone)

    for (const key of keys) {
      const place = placeOf(key, nodes)
      if (place !== gone) expect(placeOf(key, left)).toBe(place)
    }
  }))
})

test.each([2, 3, 7, 32])('each of %i nodes has its share, within a tenth and chance', count => {
  const nodes = Array.from({ length: count }, (_, i) => `node${i}.Zk3xQ${i}hHb-_pQ`)
  const shares = new Map<string | undefined, number>()

  for (const key of KEYS) shares.set(placeOf(key, nodes), (shares.get(placeOf(key, nodes)) ?? 0) + 1)

  const fair = KEYS.length / count
  for (const node of nodes) {
    expect(Math.abs((shares.get(node) ?? 0) - fair)).toBeLessThan(fair / 10 + 4 * Math.sqrt(fair))
  }
})

test('what a node had goes to all the others evenly', () => {
  const nodes = ['a.1', 'b.1', 'c.1', 'd.1']
  const left = nodes.slice(1)
  const moved = KEYS.filter(key => placeOf(key, nodes) === 'a.1')

  const shares = left.map(node => moved.filter(key => placeOf(key, left) === node).length)

  for (const share of shares) expect(Math.abs(share - moved.length / 3)).toBeLessThan(moved.length / 15)
})
