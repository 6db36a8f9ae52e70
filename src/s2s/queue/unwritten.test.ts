import { beforeEach, expect, test } from 'vitest'
import type { Kept } from './line.ts'
import { Unwritten } from './unwritten.ts'

let unwritten: Unwritten
let written: number[]
let seq: number

beforeEach(() => {
  written = []
  seq = 0
  unwritten = new Unwritten({
    append: ({ seq }) => {
      written.push(seq)
      return Promise.resolve()
    },
    appended: () => {},
    failed: () => {},
  })
})

function add (bytes = 100): Kept {
  const kept: Kept = {
    local: 'montague.example', seq: ++seq, sender: 'romeo@montague.example', queuedAt: 0, fingerprint: undefined,
    place: { bytes: 0 }, bytes, batch: undefined, stanza: undefined, refusals: 0,
  }
  unwritten.add(kept).catch(() => {})
  return kept
}

test('of many messages all are written when the limit is reached, in order', () => {
  for (let number = 0; number < 2999; number++) add()
  const before = written.length

  add()

  expect(before).toBe(0)
  expect(written).toEqual(Array.from({ length: 3000 }, (_, index) => index + 1))
})

test('of large messages all are written when there are three megabytes', () => {
  for (let number = 0; number < 3; number++) add(900_000)
  const before = written.length

  add(900_000)

  expect(before).toBe(0)
  expect(written).toEqual([1, 2, 3, 4])
})

test('what is confirmed before that does not count, and is not written', async () => {
  for (let number = 0; number < 5000; number++) unwritten.settle(add(900_000))
  add(900_000)
  add(900_000)

  unwritten.write()
  await unwritten.settled()

  expect(written).toEqual([5001, 5002])
  expect(unwritten.isEmpty).toBe(true)
})

test('a limit that was reached counts anew from there', () => {
  for (let number = 0; number < 4; number++) add(900_000)

  for (let number = 0; number < 3; number++) add(900_000)

  expect(written).toEqual([1, 2, 3, 4])
})
